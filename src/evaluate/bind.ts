/** Binds the feeds of one run: a tensor for every input, a number for every dimension name. */

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
 * The values of a run's inputs, by input name. A named dimension is bound to the length that is fed, which must be the
 * same in every input that has this name. Nested numbers are converted to the dtype of the input. A tensor or a typed
 * array must already have that dtype.
 */
export type Feeds = Readonly<Record<string, TensorLike>>;

/** The inputs among `nodes`, by name. @throws GraphError if two leaves have the same name */
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

/** The inputs that a run accepts feeds for. */
export interface FedInputs {
  /** Inputs that must be fed. */
  readonly inputs: ReadonlyMap<string, Input>;
  /** Inputs that may be fed but are not read: those of the graphs from which gradients among the nodes were derived. */
  readonly optional: ReadonlyMap<string, Input>;
}

/** The inputs that a run of these nodes accepts feeds for. @throws GraphError if two leaves have the same name */
export function inputsOf(order: readonly Node[], updates: Updates): FedInputs {
  return {
    inputs: inputsByName(new Set([...order, ...updates.map(([leaf]) => leaf)])),
    optional: new Map(order.flatMap(originOf).map((input) => [input.name as string, input])),
  };
}

/** The tensor of every fed input, and the number that every dimension name is bound to. */
export interface BoundFeeds {
  readonly tensors: ReadonlyMap<Input, Tensor>;
  readonly bindings: ReadonlyMap<string, number>;
}

/**
 * Checks the feeds against the inputs and binds dimension names.
 * @param optional inputs that are not read; they may be fed, and then they bind names too
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

/** The tensor fed to an input. @throws ValueError, DTypeError or ShapeError if it is missing or does not fit */
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
