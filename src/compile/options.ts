/** The options of `compile`, `run` and `runAsync`, and the checks of their values. */

import { describeValue } from '../arguments/describe.js';
import { callback, checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { isRecord, reading } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { type Updates, updatesKind } from '../evaluate/updates.js';
import type { Bindings } from '../graph/dimension.js';
import { type Input, isInput, type Variable } from '../graph/leaf.js';
import { assertValue, isNode, type Node } from '../graph/node.js';
import type { Sliced } from '../graph/sliced.js';
import { threadCount } from '../native/threads.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Variables } from './constants.js';
import type { Encoded } from './encoded.js';
import { abortSignal } from './flight.js';
import type { Inputs, IntoOf, Nodes, Signature } from './signature.js';

export const compileOptions = declareOptions('compile, new Program', {
  /**
   * The inputs, by the names under which a run is fed. With this option, it must have every input that a run reads, and
   * two inputs may have the same name of their own; TypeScript then knows the feeds and the dimensions of the program.
   * Without it, every input is fed under its own name.
   */
  inputs: optional(checkedLater<Inputs>('a record of inputs by name')),
  /** The nodes that a run computes, by name. Leaves are allowed, and a node may occur twice. */
  outputs: required(checkedLater<Readonly<Record<string, Node>>>('a record of nodes by name')),
  /**
   * More nodes that a run computes, by name. A run returns their values beside those of the outputs, so the names must
   * differ. `fit` reports their means apart from those of the outputs, and `predict` leaves them out.
   */
  metrics: optional(checkedLater<Nodes>('a record of nodes by name')),
  /** Pairs of a leaf and its new value, which is written after all values are computed. */
  updates: optional(updatesKind),
  /**
   * Parameters and states that change rarely, such as the weights of a model that is served: one variable, a module, or
   * a list or a record of them, to any depth. What depends only on them and on constants, such as packed weights, is
   * computed in the first run, and again only in the first run after one of them has changed. The results are the same
   * as without this option. Variables that the graph does not use are allowed. Elements that are written to
   * `leaf.value.data` directly are not noticed; use `leaf.set`.
   */
  constants: optional(checkedLater<Variables>('a set of parameters and states'), 'constant'),
  /** The number of threads that a run may use; by default the number that `setThreads` has set. */
  threads: optional(threadCount),
});

/** The options of `compile`. */
export interface CompileOptions<
  I extends Inputs = Inputs,
  O extends Nodes = Nodes,
  M extends Nodes = Nodes,
> extends OptionsOf<typeof compileOptions> {
  /**
   * The inputs, by the names under which a run is fed. With this option, it must have every input that a run reads, and
   * two inputs may have the same name of their own; TypeScript then knows the feeds and the dimensions of the program.
   * Without it, every input is fed under its own name.
   */
  readonly inputs?: I | undefined;
  /** The nodes that a run computes, by name. Leaves are allowed, and a node may occur twice. */
  readonly outputs: O;
  /**
   * More nodes that a run computes, by name. A run returns their values beside those of the outputs, so the names must
   * differ. `fit` reports their means apart from those of the outputs, and `predict` leaves them out.
   */
  readonly metrics?: M | undefined;
}

export const runOptions = declareOptions('Program.run', {
  /** Tensors to which the run writes the outputs, by name. Without this option, the outputs are new tensors. */
  into: optional(checkedLater<Readonly<Record<string, Tensor>>>('a record of tensors by name')),
  /**
   * Whether the run throws a NumericError, and writes no leaf, if a result is NaN or infinite. It is false by
   * default, because with this check a run takes 1.5 to 2.5 times as long.
   */
  checkFinite: optional(flag),
});

/** The options of `Program.run`. */
export interface RunOptions<T extends Signature = Signature> extends OptionsOf<typeof runOptions> {
  /** Tensors to which the run writes the outputs, by name. Without this option, the outputs are new tensors. */
  readonly into?: IntoOf<T> | undefined;
}

export const asyncRunOptions = declareOptions('Program.runAsync', {
  /** A signal that aborts the run. An aborted run writes nothing. A run that has begun to write is not aborted. */
  signal: optional(abortSignal),
  /**
   * Whether the run rejects with a NumericError, and writes no leaf, if a result is NaN or infinite. It is false by
   * default, because with this check a run takes 1.5 to 2.5 times as long.
   */
  checkFinite: optional(flag),
});

/** The options of `Program.runAsync`. */
export interface AsyncRunOptions extends OptionsOf<typeof asyncRunOptions> {}

export const noOptions: RunOptions & AsyncRunOptions = {};
export const passesKind = callback<Specialise>('the passes of the compiler (a function)');

/** The variables of the option `constants`; undefined if it was left out. Then nothing is kept from run to run. */
export type Constants = ReadonlySet<Variable> | undefined;

/** Runs the passes of the compiler, in slices, for one binding of the dimension names. */
export type Specialise = (
  outputs: readonly Node[],
  updates: Updates,
  bindings: Bindings,
  constants: Constants,
) => Sliced<Encoded>;

/** The nodes that a run computes, by name, in the order of the results. */
export interface Computed {
  /** The outputs, followed by the metrics. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** The names of the metrics. */
  readonly metrics: ReadonlySet<string>;
}

/**
 * Returns the outputs and the metrics.
 * @throws ValueError if one of them is not a record of nodes, or if an output and a metric have the same name;
 *   GraphError if one of the nodes has several results
 */
export function checkComputed(outputs: unknown, metrics: unknown = {}): Computed {
  const nodes = new Map(nodesOf('output', outputs));
  const measured = nodesOf('metric', metrics);
  if (measured.length > 0 && nodes.has('metrics')) {
    throw new ValueError(
      "compile: an output of a program with metrics cannot be named 'metrics', the name under which fit reports them",
    );
  }
  for (const [name, node] of measured) {
    if (nodes.has(name)) {
      throw new ValueError(
        `compile: '${name}' is both an output and a metric; a run returns both by name, so give one of them another name`,
      );
    }
    nodes.set(name, node);
  }
  return { nodes, metrics: new Set(measured.map(([name]) => name)) };
}

function nodesOf(
  kind: 'output' | 'metric',
  nodes: unknown,
): readonly (readonly [name: string, node: Node])[] {
  return recordOf(`${kind}s`, 'nodes', nodes).map(([name, node]) => {
    if (isNode(node)) {
      assertValue(node, `compile: ${kind} '${name}':`);
      return [name, node] as const;
    }
    throw new ValueError(
      `compile: ${kind} '${name}' must be a node, but is ${describeValue(node)}`,
    );
  });
}

/**
 * Returns the option `inputs` as a map; undefined if it was left out.
 * @throws ValueError if it is not a record of inputs, or if it has an input twice
 */
export function checkInputs(inputs: unknown): ReadonlyMap<string, Input> | undefined {
  if (inputs === undefined) return undefined;
  const names = new Map<Input, string>();
  for (const [name, input] of recordOf('inputs', 'inputs', inputs)) {
    if (!isInput(input)) {
      throw new ValueError(
        `compile: inputs: '${name}' must be an input, as the function input makes it, but is ${describeValue(input)}`,
      );
    }
    const other = names.get(input);
    if (other !== undefined) {
      throw new ValueError(
        `compile: inputs: '${other}' and '${name}' are the same node, ${input}; give it only one name`,
      );
    }
    names.set(input, name);
  }
  return new Map([...names].map(([input, name]) => [name, input]));
}

function recordOf(option: string, what: string, value: unknown): [name: string, value: unknown][] {
  if (!isRecord(value)) {
    throw new ValueError(
      `compile: ${option} must be a record of ${what} by name, but are ${describeValue(value)}`,
    );
  }
  const entries = reading(`compile: ${option}`, value, () => Object.entries(value));
  if (entries.some(([name]) => name === '__proto__')) {
    throw new ValueError(
      `compile: ${option} must not have the name '__proto__', because assigning it would change the record's prototype`,
    );
  }
  return entries;
}

export function assertPasses(made: ReturnType<Specialise>): ReturnType<Specialise> {
  if (typeof made?.next === 'function') return made;
  throw new ValueError(
    `compile: expected the passes to return a generator, but they returned ${describeValue(made)}`,
  );
}
