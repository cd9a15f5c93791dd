/** The options of `compile`, `run` and `runAsync`, and the checks of their values. */

import { describeValue } from '../arguments/describe.js';
import { callback, checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { isRecord, reading } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { type Updates, updatesKind } from '../evaluate/updates.js';
import type { Bindings } from '../graph/dimension.js';
import { isNode, type Node } from '../graph/node.js';
import type { Sliced } from '../graph/sliced.js';
import { threadCount } from '../native/threads.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Encoded } from './encoded.js';
import { abortSignal } from './flight.js';

export const compileOptions = declareOptions('compile, new Program', {
  /** The nodes that a run computes, by name. Leaves are allowed, and a node may occur twice. */
  outputs: required(checkedLater<Readonly<Record<string, Node>>>('a record of nodes by name')),
  /** Pairs of a leaf and its new value, which is written after all values are computed. */
  updates: optional(updatesKind),
  /** The number of threads that a run may use; by default the number that `setThreads` has set. */
  threads: optional(threadCount),
});

/** The options of `compile`. */
export interface CompileOptions<K extends string = string>
  extends OptionsOf<typeof compileOptions> {
  /** The nodes that a run computes, by name. Leaves are allowed, and a node may occur twice. */
  readonly outputs: Readonly<Record<K, Node>>;
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
export interface RunOptions<K extends string = string> extends OptionsOf<typeof runOptions> {
  /** Tensors to which the run writes the outputs, by name. Without this option, the outputs are new tensors. */
  readonly into?: Readonly<Record<K, Tensor>> | undefined;
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

/** Runs the passes of the compiler, in slices, for one binding of the dimension names. */
export type Specialise = (
  outputs: readonly Node[],
  updates: Updates,
  bindings: Bindings,
) => Sliced<Encoded>;

/** Returns the outputs as pairs of name and node. @throws ValueError if they are not a record of nodes */
export function checkOutputs(outputs: unknown): readonly (readonly [name: string, node: Node])[] {
  if (!isRecord(outputs)) {
    throw new ValueError(
      `compile: outputs must be a record of nodes by name, but are ${describeValue(outputs)}`,
    );
  }
  const entries = reading('compile: outputs', outputs, () => Object.entries(outputs));
  return entries.map(([name, node]) => {
    if (isNode(node) && name !== '__proto__') return [name, node] as const;
    throw new ValueError(`compile: output '${name}' must be a node, but is ${describeValue(node)}`);
  });
}

export function assertPasses(made: ReturnType<Specialise>): ReturnType<Specialise> {
  if (typeof made?.next === 'function') return made;
  throw new ValueError(
    `compile: expected the passes to return a generator, but they returned ${describeValue(made)}`,
  );
}
