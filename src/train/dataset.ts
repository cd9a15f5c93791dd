/** Datasets: examples, and how they get to where a program's inputs want them. */

import { describeValue } from '../arguments/describe.js';
import { reading } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import type { Input } from '../graph/leaf.js';
import { gatherRows } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { asTensor, isTensorLike, type Tensor, type TensorLike } from '../tensor/tensor.js';

/** Tensors by the names of the inputs that they feed, examples along axis 0. */
export type Dataset = Readonly<Record<string, TensorLike>>;

/** The dimension of an input along which minibatches are cut. */
export const batchName = 'batch';

/** One input's examples. A minibatch of it is [outer, batch, inner]. */
export interface Column {
  readonly input: Input;
  readonly tensor: Tensor;
  readonly outer: number;
  readonly inner: number;
}

export interface Examples {
  readonly rows: number;
  readonly columns: readonly Column[];
  /** What the names of dimensions other than 'batch' are. */
  readonly bindings: ReadonlyMap<string, number>;
}

/**
 * Checks a dataset against the inputs that it is to feed.
 * @throws ValueError if a tensor is missing, unknown or not a tensor, or if there are no rows;
 *   GraphError for an input without a 'batch' dimension; ShapeError or DTypeError for a tensor that
 *   does not fit its input, or for unequal numbers of rows
 */
export function examplesOf(
  context: string,
  dataset: Dataset,
  inputs: ReadonlyMap<string, Input>,
): Examples {
  if (typeof dataset !== 'object' || dataset === null || isTensorLike(dataset)) {
    throw new ValueError(
      `${context}: expected a dataset, a record of tensors by the names of inputs, but received ${describeValue(dataset)}`,
    );
  }
  const given = new Map(
    reading(`${context}: the dataset:`, dataset, () => Object.entries(dataset)),
  );
  for (const name of given.keys()) {
    if (inputs.has(name)) continue;
    const known = [...inputs.keys()].map((key) => `'${key}'`).join(', ') || 'none';
    throw new ValueError(
      `${context}: dataset '${name}' is not an input of the program (its inputs: ${known})`,
    );
  }
  const bindings = new Map<string, number>();
  const columns = [...inputs].map(([name, input]) => {
    return columnOf(context, input, given.get(name), bindings);
  });
  const [first] = columns;
  if (!first) {
    throw new ValueError(
      `${context}: the program has no inputs: there is nothing to cut into minibatches`,
    );
  }
  const rows = first.tensor.shape[0] as number;
  for (const { input, tensor } of columns) {
    if (tensor.shape[0] === rows) continue;
    throw new ShapeError(
      `${context}: the dataset has ${rows} examples for ${first.input}, but ${tensor.shape[0]} for ${input}: each needs as many`,
    );
  }
  if (rows === 0)
    throw new ValueError(`${context}: the dataset has no examples: every tensor has 0 rows`);
  return { rows, columns, bindings };
}

function columnOf(
  context: string,
  input: Input,
  value: TensorLike | undefined,
  bindings: Map<string, number>,
): Column {
  const axis = input.shape.indexOf(batchName);
  const rest = input.shape.filter((dim) => dim !== batchName);
  const what = `${input} is ${input.dtype} ${formatShape(input.shape)}`;
  if (rest.length !== input.shape.length - 1) {
    throw new GraphError(
      `${context}: ${what}: minibatches are cut along a dimension named '${batchName}', of which it must have one`,
    );
  }
  const wanted = `${context}: ${what}: expected examples of ${input.dtype} ${formatShape(['rows', ...rest])}`;
  if (value === undefined) throw new ValueError(`${wanted}, but the dataset has none`);
  if (!isTensorLike(value)) throw new ValueError(`${wanted}, but received ${describeValue(value)}`);
  const tensor = asTensor(value, input.dtype, `${context}: ${input}`);
  if (tensor.dtype !== input.dtype) {
    throw new DTypeError(`${wanted}, but received ${tensor.dtype} ${formatShape(tensor.shape)}`);
  }
  const example = tensor.shape.slice(1);
  const fits =
    tensor.shape.length === input.shape.length &&
    rest.every((dim, index) => typeof dim === 'string' || dim === example[index]);
  if (!fits) throw new ShapeError(`${wanted}, but received ${formatShape(tensor.shape)}`);
  rest.forEach((dim, index) => {
    if (typeof dim === 'number') return;
    const length = example[index] as number;
    const before = bindings.get(dim) ?? length;
    if (before !== length) {
      throw new ShapeError(
        `${wanted}: '${dim}' is ${length} here, but ${before} in another tensor`,
      );
    }
    bindings.set(dim, length);
  });
  return {
    input,
    tensor,
    outer: sizeOf(example.slice(0, axis)),
    inner: sizeOf(example.slice(axis)),
  };
}

/** How many elements one example has. */
export function widthOf({ outer, inner }: Column): number {
  return outer * inner;
}

/**
 * Copies examples to their places in a minibatch [outer, batch, inner].
 * @param rows which examples; the first is the minibatch's example `from`
 * @param target the minibatch, of `batch` examples
 * @throws ValueError when the tensor's memory has been transferred away
 */
export function gather(
  { tensor, outer, inner, input }: Column,
  rows: Int32Array,
  from: number,
  target: TypedArray,
  batch: number,
): void {
  const { data } = tensor;
  if (data.length !== outer * inner * (tensor.shape[0] as number)) {
    throw new ValueError(
      `the examples for ${input} have been transferred away or resized: ${formatShape(tensor.shape)} now holds ${data.length} elements`,
    );
  }
  gatherRows(target, data, rows, { from, batch, inner });
}
