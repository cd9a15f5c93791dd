/** Binds the feeds of one run: finds a tensor for every input, and a number for every dimension name. */

import { describeValue } from '../arguments/describe.js';
import { isList, reading } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { isDimensionName } from '../graph/dimension.js';
import { Argument, type Input, isInput, Leaf } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { originOf } from '../graph/origins.js';
import { formatShape } from '../tensor/shape.js';
import { asTensor, isTensorLike, type Tensor, type TensorLike } from '../tensor/tensor.js';
import type { Updates } from './updates.js';

/**
 * The values of the inputs in one run, by the names of the inputs. A named dimension is bound to the length that it has
 * in the feeds. If several inputs have a dimension of this name, the lengths must be equal. Numbers and nested arrays
 * of numbers are converted to the dtype of the input. A tensor or a typed array must already have this dtype.
 */
export type Feeds = Readonly<Record<string, TensorLike>>;

/** Returns what to do about two states of rules, whose names contain a slash; '' for other leaves. */
function adviceFor(...leaves: readonly Leaf[]): string {
  return leaves.every(({ kind, name }) => kind === 'state' && name?.includes('/'))
    ? '; two optimizers of one program need different names: optimize(loss, trainables, rule, { name })'
    : '';
}

/** @throws GraphError if two leaves other than constants have the same name */
function assertDistinct(leaves: readonly Leaf[], remedy = ''): void {
  const known = new Map<string, Leaf>();
  for (const leaf of leaves) {
    if (leaf.name === undefined || leaf.kind === 'constant') continue;
    const other = known.get(leaf.name);
    if (other) {
      const advice = isInput(leaf) && isInput(other) ? remedy : adviceFor(leaf, other);
      throw new GraphError(
        `two leaves of one run are named '${leaf.name}': ${other} and ${leaf}${advice}`,
      );
    }
    known.set(leaf.name, leaf);
  }
}

/** The inputs that can be fed in a run. */
export interface FedInputs {
  /** The inputs that must be fed, by the names under which they are fed. */
  readonly inputs: ReadonlyMap<string, Input>;
  /**
   * Inputs, by the names under which they are fed, that may be fed even if the run does not read them. If a node of the
   * run is a gradient, they are the inputs of the graph that was differentiated.
   */
  readonly optional: ReadonlyMap<string, Input>;
}

/**
 * Returns the inputs that can be fed in a run of these nodes, by their own names.
 * @param remedy the end of the error message if two inputs have the same name
 * @throws GraphError if two leaves have the same name
 */
export function inputsOf(order: readonly Node[], updates: Updates, remedy = ''): FedInputs {
  const leaves = leavesOf(order, updates);
  assertDistinct(leaves, remedy);
  const byName = (inputs: readonly Input[]) =>
    new Map(inputs.map((input) => [input.name as string, input]));
  return {
    inputs: byName(leaves.filter(isInput)),
    optional: byName(order.flatMap(originOf)),
  };
}

/**
 * Returns the leaves that a run of these nodes reads or writes.
 * @throws GraphError if a node belongs to the body of a scan
 */
function leavesOf(order: readonly Node[], updates: Updates): readonly Leaf[] {
  const read = order.filter((node) => node instanceof Leaf);
  const argument = read.find((leaf) => leaf instanceof Argument);
  if (argument) {
    const leaked = order.find(({ inputs }) => inputs.includes(argument)) ?? argument;
    throw new GraphError(
      `${leaked} was made in the body of ${argument.scan} and has a value only there; return it from the body as a part of y, and use ys`,
    );
  }
  return [...new Set([...read, ...updates.map(([leaf]) => leaf)])];
}

/**
 * Returns the inputs that can be fed in a run of these nodes, by the names that the option `inputs` of `compile` gives
 * them.
 * @param namesakes whether several parameters and states may have the same name
 * @throws GraphError if an input that the run reads has no name in `named`, if a named input is not of this graph, or
 *   if two parameters or states have the same name
 */
export function namedInputsOf(
  order: readonly Node[],
  updates: Updates,
  named: ReadonlyMap<string, Input>,
  namesakes = false,
): FedInputs {
  const leaves = leavesOf(order, updates);
  if (!namesakes) assertDistinct(leaves.filter((leaf) => !isInput(leaf)));
  const needed = new Set(leaves.filter(isInput));
  const given = new Set(named.values());
  for (const input of needed) {
    if (given.has(input)) continue;
    throw new GraphError(
      `compile: inputs has no name for ${input}, which the program reads; add it, as in { ${input.name}: … }`,
    );
  }
  const origins = new Set(order.flatMap(originOf));
  const unread = [...named].find(([, input]) => !needed.has(input) && !origins.has(input));
  if (unread) {
    throw new GraphError(
      `compile: inputs: no output, metric or update reads '${unread[0]}', which is ${unread[1]}; leave it out`,
    );
  }
  const isRead = ([, input]: readonly [string, Input]) => needed.has(input);
  return {
    inputs: new Map([...named].filter(isRead)),
    optional: new Map([...named].filter((entry) => !isRead(entry))),
  };
}

/** The tensor of every fed input, and the number to which every dimension name is bound. */
export interface BoundFeeds {
  readonly tensors: ReadonlyMap<Input, Tensor>;
  readonly bindings: ReadonlyMap<string, number>;
}

/**
 * Checks that the feeds fit the inputs, and binds the dimension names.
 * @param inputs the inputs that must be fed
 * @param optional inputs that may be fed, too. If one of them is fed, it also binds its dimension names
 * @throws ValueError if the feeds are not a record, or a feed is unknown, missing or not a tensor; DTypeError if a feed
 *   has another dtype than its input; ShapeError if a feed does not fit its input's shape, or a name is bound to two
 *   numbers
 */
export function bindFeeds(
  inputs: ReadonlyMap<string, Input>,
  given: Feeds,
  optional: ReadonlyMap<string, Input> = new Map(),
): BoundFeeds {
  if (typeof given !== 'object' || given === null || isList(given) || isTensorLike(given)) {
    throw new ValueError(
      `feeds must be a record of tensors by name, but are ${describeValue(given)}`,
    );
  }
  const feeds = reading('feeds:', given, () => new Map(Object.entries(given)));
  const fed = new Map(inputs);
  for (const name of feeds.keys()) {
    const also = optional.get(name);
    if (also && !inputs.has(name)) fed.set(name, also);
    if (!fed.has(name)) {
      const known = [...inputs.keys()].map((key) => `'${key}'`).join(', ') || 'none';
      throw new ValueError(`feed '${name}' is not an input of this graph (its inputs: ${known})`);
    }
  }
  const tensors = new Map<Input, Tensor>();
  const bindings = new Map<string, number>();
  const boundBy = new Map<string, string>();
  for (const [name, input] of fed) {
    const label = labelOf(name, input);
    const tensor = feedFor(name, input, feeds.get(name));
    input.shape.forEach((dim, axis) => {
      const length = tensor.shape[axis] as number;
      if (!isDimensionName(dim)) return;
      const before = bindings.get(dim);
      if (before !== undefined && before !== length) {
        throw new ShapeError(
          `dimension '${dim}' is bound to ${before} by ${boundBy.get(dim)} and to ${length} by ${label}`,
        );
      }
      bindings.set(dim, length);
      boundBy.set(dim, label);
    });
    tensors.set(input, tensor);
  }
  return { tensors, bindings };
}

/**
 * Returns the tensor for an input from the value that was fed.
 * @throws ValueError, DTypeError or ShapeError if the value is missing or does not fit the input
 */
function feedFor(name: string, input: Input, value: TensorLike | undefined): Tensor {
  const label = labelOf(name, input);
  const wanted = `${input.dtype} ${formatShape(input.shape)}`;
  if (value === undefined) {
    throw new ValueError(`${input} was not fed: expected ${wanted} under the name '${name}'`);
  }
  if (!isTensorLike(value)) {
    throw new ValueError(`${label} expected ${wanted}, but was fed ${describeValue(value)}`);
  }
  const fed = asTensor(value, input.dtype, label);
  if (fed.dtype !== input.dtype) {
    throw new DTypeError(
      `${label} expected ${wanted}, but was fed ${fed.dtype} ${formatShape(fed.shape)}`,
    );
  }
  const fits =
    fed.shape.length === input.shape.length &&
    input.shape.every((dim, axis) => typeof dim === 'string' || dim === fed.shape[axis]);
  if (!fits) {
    throw new ShapeError(`${label} expected ${wanted}, but was fed ${formatShape(fed.shape)}`);
  }
  return fed;
}

/** Returns the description of an input in errors. It includes the name of the feed if the input has another name. */
export function labelOf(name: string, input: Input): string {
  return name === input.name ? `${input}` : `${input} (the feed '${name}')`;
}
