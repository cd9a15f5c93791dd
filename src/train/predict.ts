/** `predict` computes the outputs of a program for every example of a dataset. */

import { flag, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { abortSignal } from '../compile/flight.js';
import type { Program } from '../compile/program.js';
import type { Signature, TensorsOf } from '../compile/signature.js';
import type { Stepper } from '../compile/stepper.js';
import { ShapeError } from '../errors.js';
import { type Bindings, bindDim, namesOf } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { allocate, Tensor } from '../tensor/tensor.js';
import { bucketSizes } from './buckets.js';
import { assertCarries } from './carried-inputs.js';
import { batchName } from './columns.js';
import { type DatasetOf, type Examples, examplesOf } from './dataset.js';
import { Minibatches } from './minibatches.js';
import { askedStepperFor } from './options.js';
import { type SliceOutputs, Slices } from './slices.js';
import { Turns } from './turns.js';

const predictOptions = declareOptions('predict', {
  /** The number of examples in a run; 128 by default. */
  batchSize: optional(wholeNumber(1), 'batch'),
  /** The sizes to which minibatches of ragged data are padded, as the option `buckets` of `fit`. */
  buckets: optional(bucketSizes, 'bucketBoundaries'),
  /**
   * Whether to carry state from minibatch to minibatch, as the option `stateful` of `fit`; false by default. The state
   * begins with zeros, and the number of examples must be a multiple of `batchSize`.
   */
  stateful: optional(flag),
  /** If this signal is aborted, `predict` rejects with `signal.reason`. */
  signal: optional(abortSignal, 'abort'),
});

/** The options of `predict`. */
export interface PredictOptions extends OptionsOf<typeof predictOptions> {}

/**
 * Runs a program over a dataset in minibatches, off the JavaScript thread.
 *
 * @param dataset tensors by the names of the program's inputs, with examples along axis 0, or lists of tensors, as for
 *   `fit`
 * @returns the outputs for all examples in order, by name, joined along their dimension 'batch'; without the metrics. If
 *   examples differ in a dimension, an output with this dimension is as long as that of the largest example. What the
 *   program computes for the padding of an example is replaced by zeros
 * @throws (rejects with) ValueError, ShapeError, DTypeError or GraphError if the dataset does not fit or an option is
 *   unknown; ValueError if the program updates parameters; ShapeError if an output has no dimension 'batch';
 *   `signal.reason` after an abort
 */
export async function predict<T extends Signature>(
  program: Program<T> | Stepper,
  dataset: DatasetOf<T>,
  options?: PredictOptions,
): Promise<TensorsOf<T['outputs']>> {
  const steps = askedStepperFor('predict', program);
  const { batchSize = 128, buckets, stateful = false, signal } = predictOptions.read(options);
  const examples = examplesOf('predict', dataset, steps, { batchSize, buckets, stateful });
  if (stateful) assertCarries('predict', examples, steps);
  const { rows: count, ragged, longest } = examples;
  const bindings = new Map([...longest, [batchName, count] as const]);
  const joined = new Map<string, Joined>();
  for (const [name, node] of steps.outputs) {
    if (!steps.metrics.has(name)) joined.set(name, joinedOf(name, node, bindings));
  }
  const slices = new Slices(steps, examples, {
    batchSize,
    checkFinite: false,
    signal,
    single: false,
  });
  const plan = await new Minibatches(count, batchSize, examples.buckets).plan();
  const turns = new Turns();
  await slices.run(plan, async (slice) => {
    for (const [name, one] of joined) {
      if (ragged) await scatter(slice, name, one, plan.order, examples, turns);
      else append(slice, name, one, count);
    }
  });
  const tensors = [...joined].map(([name, { tensor }]) => [name, tensor]);
  return Object.fromEntries(tensors) as TensorsOf<T['outputs']>;
}

/** Copies an output of a slice to the result. The examples of the slice are adjacent there. */
function append(
  { steps, start, rows, outputs }: SliceOutputs,
  name: string,
  { tensor, outer, inner }: Joined,
  count: number,
): void {
  const data = outputs.get(name) as TypedArray;
  // If `outer` is 1, the outputs of all steps are contiguous in the result, and are copied as one batch.
  const [batches, batch] = outer === 1 ? [1, steps * rows] : [steps, rows];
  for (let index = 0; index < batches * outer; index++) {
    const [step, o] = [Math.floor(index / outer), index % outer];
    const from = index * batch * inner;
    const to = (o * count + start + step * batch) * inner;
    tensor.data.set(data.subarray(from, from + batch * inner), to);
  }
}

/** Copies an output of a slice to the result, example by example, without the padding of the example. */
async function scatter(
  { steps, start, rows, outputs, shapes }: SliceOutputs,
  name: string,
  { tensor, node, axis }: Joined,
  order: Int32Array,
  examples: Examples,
  turns: Turns,
): Promise<void> {
  const shape = shapes.get(name) as readonly number[];
  const size = sizeOf(shape);
  const data = outputs.get(name) as TypedArray;
  for (let index = 0; index < steps * rows; index++) {
    const example = order[start + index] as number;
    const sizes = new Map([...examples.sizesOf(example), [batchName, 1] as const]);
    const own = node.shape.map((dim, other) => {
      const extent = bindDim(dim, sizes, `output '${name}': `);
      return Math.min(extent, shape[other] as number, tensor.shape[other] as number);
    });
    const step = Math.floor(index / rows);
    copyBlock(
      { data: data.subarray(step * size, (step + 1) * size), shape, row: index % rows },
      { data: tensor.data, shape: tensor.shape, row: example },
      own,
      axis,
    );
    await turns.pass();
  }
}

/** A row of an array, along its batch axis. */
interface Row {
  readonly data: TypedArray;
  readonly shape: readonly number[];
  readonly row: number;
}

/** Copies the elements of a row that are within `extents` along every axis. The extent of the batch axis is 1. */
function copyBlock(from: Row, to: Row, extents: readonly number[], axis: number): void {
  // Along the axes after the last one in which the arrays differ from the block, its elements lie together.
  const start = extents.reduce((last, extent, dim) => {
    return extent === from.shape[dim] && extent === to.shape[dim] ? last : dim;
  }, 0);
  const length = sizeOf(extents.slice(start));
  const stride = ({ shape }: Row, dim: number) => sizeOf(shape.slice(dim + 1));
  const visit = (dim: number, source: number, target: number): void => {
    if (dim === start) {
      to.data.set(from.data.subarray(source, source + length), target);
      return;
    }
    for (let index = 0; index < (extents[dim] as number); index++) {
      visit(dim + 1, source + index * stride(from, dim), target + index * stride(to, dim));
    }
  };
  visit(0, from.row * stride(from, axis), to.row * stride(to, axis));
}

/**
 * One output for all examples, of shape [outer, examples, inner]: `outer` and `inner` are the products of the sizes
 * before and after the batch dimension.
 */
interface Joined {
  readonly node: Node;
  readonly tensor: Tensor;
  /** The position of the batch dimension. */
  readonly axis: number;
  readonly outer: number;
  readonly inner: number;
}

function joinedOf(name: string, node: Node, bindings: Bindings): Joined {
  const { shape, dtype } = node;
  const axis = shape.indexOf(batchName);
  const others = shape.filter((_, other) => other !== axis);
  if (axis < 0 || others.some((dim) => namesOf(dim).includes(batchName))) {
    throw new ShapeError(
      `predict: output '${name}' is ${dtype} ${formatShape(shape)}: expected exactly one dimension '${batchName}', along which outputs are joined`,
    );
  }
  const bound = shape.map((dim) => bindDim(dim, bindings, `output '${name}': `));
  return {
    node,
    axis,
    tensor: new Tensor(allocate(dtype, bound, `predict: output '${name}':`), bound, dtype),
    outer: sizeOf(bound.slice(0, axis)),
    inner: sizeOf(bound.slice(axis + 1)),
  };
}
