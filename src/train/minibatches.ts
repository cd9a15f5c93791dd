/** Datasets cut into minibatches. */

import { describeValue, ShapeError, ValueError } from '../errors.js';
import { evaluate } from '../evaluate/evaluate.js';
import { randomUniform } from '../ops/index.js';
import { typedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** Tensors by the names of the inputs they feed, examples along axis 0. */
export type Dataset<K extends string = string> = Readonly<Record<K, Tensor>>;

export interface MinibatchOptions {
  /** Examples in a batch; the last one of an epoch may be short. */
  readonly batchSize: number;
  /** The order depends on both, and on nothing else. */
  readonly seed: number;
  readonly epoch: number;
}

/** How many batches an epoch has. */
export function batchCount(examples: number, batchSize: number): number {
  return Math.ceil(examples / batchSize);
}

/**
 * All examples once, in an order shuffled anew for each epoch.
 * @throws ShapeError when tensors hold different numbers of examples; ValueError for a batch size
 *   that is not a positive integer
 */
export function* minibatches<K extends string>(
  dataset: Dataset<K>,
  { batchSize, seed, epoch }: MinibatchOptions,
): Generator<Record<K, Tensor>> {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ValueError(
      `minibatches: batchSize must be a positive integer, but is ${describeValue(batchSize)}`,
    );
  }
  const order = permutation(exampleCount(dataset), seed, epoch);
  for (let start = 0; start < order.length; start += batchSize) {
    yield gather(dataset, order.subarray(start, start + batchSize));
  }
}

/** The examples of some rows, copied. */
export function gather<K extends string>(
  dataset: Dataset<K>,
  rows: ArrayLike<number>,
): Record<K, Tensor> {
  const entries = Object.entries<Tensor>(dataset).map(([name, { data, dtype, shape }]) => {
    const width = sizeOf(shape.slice(1));
    const batch = typedArray(dtype, rows.length * width);
    for (let index = 0; index < rows.length; index++) {
      const start = (rows[index] as number) * width;
      batch.set(data.subarray(start, start + width), index * width);
    }
    return [name, new Tensor(batch, [rows.length, ...shape.slice(1)])] as const;
  });
  return Object.fromEntries(entries) as Record<K, Tensor>;
}

function exampleCount(dataset: Dataset): number {
  const entries = Object.entries(dataset);
  const [first] = entries;
  if (!first) throw new ValueError('minibatches: expected a dataset of at least one tensor');
  for (const [name, { shape }] of entries) {
    if (shape.length === 0 || shape[0] !== first[1].shape[0]) {
      throw new ShapeError(
        `minibatches: '${first[0]}' is ${formatShape(first[1].shape)}, but '${name}' is ${formatShape(shape)}: examples lie along axis 0, and are as many in each`,
      );
    }
  }
  return first[1].shape[0] as number;
}

/** Fisher & Yates's shuffle (Knuth, The Art of Computer Programming 2, algorithm P) of 0 … n-1. */
function permutation(n: number, seed: number, epoch: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, index) => index);
  const { data } = evaluate(randomUniform([n], { seed, dtype: 'float64' }), {}, { run: epoch });
  for (let last = n - 1; last > 0; last--) {
    const other = Math.floor((data[last] as number) * (last + 1));
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  return order;
}
