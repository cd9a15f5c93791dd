/** Binds the feeds of one run: finds a tensor for every input, and a number for every dimension name. */

import { describeValue } from '../arguments/describe.js';
import { isList, reading } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { isDimensionName } from '../graph/dimension.js';
import { Input, Leaf } from '../graph/leaf.js';
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

/** Returns the inputs among `nodes`, by name. @throws GraphError if two leaves among `nodes` have the same name */
export function inputsByName(nodes: ReadonlySet<Node>): Map<string, Input> {
  const leaves = new Map<string, Leaf>();
  for (const node of nodes) {
    if (!(node instanceof Leaf) || node.name === undefined || node.kind === 'constant') continue;
    const other = leaves.get(node.name);
    if (other)
      throw new GraphError(`two leaves of one run are named '${node.name}': ${other} and ${node}`);
    leaves.set(node.name, node);
  }
  return new Map(
    [...leaves].filter((entry): entry is [string, Input] => entry[1] instanceof Input),
  );
}

/** The inputs that can be fed in a run. */
export interface FedInputs {
  /** The inputs that must be fed, by name. */
  readonly inputs: ReadonlyMap<string, Input>;
  /**
   * Inputs, by name, that may be fed even if the run does not read them. If a node of the run is a gradient, they are
   * the inputs of the graph that was differentiated.
   */
  readonly optional: ReadonlyMap<string, Input>;
}

/** Returns the inputs that can be fed in a run of these nodes. @throws GraphError if two leaves have the same name */
export function inputsOf(order: readonly Node[], updates: Updates): FedInputs {
  return {
    inputs: inputsByName(new Set([...order, ...updates.map(([leaf]) => leaf)])),
    optional: new Map(order.flatMap(originOf).map((input) => [input.name as string, input])),
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
  const boundBy = new Map<string, Input>();
  for (const [name, input] of fed) {
    const tensor = feedFor(input, feeds.get(name));
    input.shape.forEach((dim, axis) => {
      const length = tensor.shape[axis] as number;
      if (!isDimensionName(dim)) return;
      const before = bindings.get(dim);
      if (before !== undefined && before !== length) {
        throw new ShapeError(
          `dimension '${dim}' is bound to ${before} by ${boundBy.get(dim)} and to ${length} by ${input}`,
        );
      }
      bindings.set(dim, length);
      boundBy.set(dim, input);
    });
    tensors.set(input, tensor);
  }
  return { tensors, bindings };
}

/**
 * Returns the tensor for an input from the value that was fed.
 * @throws ValueError, DTypeError or ShapeError if the value is missing or does not fit the input
 */
function feedFor(input: Input, value: TensorLike | undefined): Tensor {
  const wanted = `${input.dtype} ${formatShape(input.shape)}`;
  if (value === undefined) {
    throw new ValueError(`${input} was not fed: expected ${wanted} under the name '${input.name}'`);
  }
  if (!isTensorLike(value)) {
    throw new ValueError(`${input} expected ${wanted}, but was fed ${describeValue(value)}`);
  }
  const fed = asTensor(value, input.dtype, `${input}`);
  if (fed.dtype !== input.dtype) {
    throw new DTypeError(
      `${input} expected ${wanted}, but was fed ${fed.dtype} ${formatShape(fed.shape)}`,
    );
  }
  const fits =
    fed.shape.length === input.shape.length &&
    input.shape.every((dim, axis) => typeof dim === 'string' || dim === fed.shape[axis]);
  if (!fits) {
    throw new ShapeError(`${input} expected ${wanted}, but was fed ${formatShape(fed.shape)}`);
  }
  return fed;
}
