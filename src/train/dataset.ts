/** Checks the examples of a dataset against the inputs of a program, and copies them into minibatches. */

import { describeValue } from '../arguments/describe.js';
import { reading } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { labelOf } from '../evaluate/bind.js';
import type { Input } from '../graph/leaf.js';
import { gatherRows } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { asTensor, isTensorLike, type Tensor, type TensorLike } from '../tensor/tensor.js';

/** Tensors by the names of the inputs that they feed, with examples along axis 0. */
export type Dataset = Readonly<Record<string, TensorLike>>;

/** The name of the batch dimension of an input. */
export const batchName = 'batch';

/**
 * The examples of one input. A minibatch has the shape [outer, batch, inner]: `outer` and `inner` are the products of
 * the sizes before and after the batch dimension of the input.
 */
export interface Column {
  /** The name under which the input is fed. */
  readonly name: string;
  readonly input: Input;
  readonly tensor: Tensor;
  readonly outer: number;
  readonly inner: number;
}

export interface Examples {
  readonly rows: number;
  readonly columns: readonly Column[];
  /** The sizes of named dimensions other than 'batch'. */
  readonly bindings: ReadonlyMap<string, number>;
}

/**
 * Checks a dataset against the inputs of a program.
 * @throws ValueError if a tensor is missing, unknown or not a tensor, or if there are no rows;
 *   GraphError if an input does not have exactly one 'batch' dimension; ShapeError or DTypeError if a tensor
 *   does not fit its input, or if the tensors have different numbers of rows
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
    return columnOf(context, name, input, given.get(name), bindings);
  });
  const [first] = columns;
  if (!first) {
    throw new ValueError(
      `${context}: the program has no inputs, so there are no minibatches to feed`,
    );
  }
  const rows = first.tensor.shape[0] as number;
  for (const { name, input, tensor } of columns) {
    if (tensor.shape[0] === rows) continue;
    throw new ShapeError(
      `${context}: the dataset has ${rows} examples for ${labelOf(first.name, first.input)}, but ${tensor.shape[0]} for ${labelOf(name, input)}; all tensors need the same number`,
    );
  }
  if (rows === 0)
    throw new ValueError(`${context}: the dataset has no examples: every tensor has 0 rows`);
  return { rows, columns, bindings };
}

function columnOf(
  context: string,
  name: string,
  input: Input,
  value: TensorLike | undefined,
  bindings: Map<string, number>,
): Column {
  const axis = input.shape.indexOf(batchName);
  const rest = input.shape.filter((dim) => dim !== batchName);
  const label = labelOf(name, input);
  const what = `${label} is ${input.dtype} ${formatShape(input.shape)}`;
  if (rest.length !== input.shape.length - 1) {
    throw new GraphError(
      `${context}: ${what}: expected exactly one dimension named '${batchName}', along which minibatches are taken`,
    );
  }
  const wanted = `${context}: ${what}: expected examples of ${input.dtype} ${formatShape(['rows', ...rest])}`;
  if (value === undefined) throw new ValueError(`${wanted}, but the dataset has none`);
  if (!isTensorLike(value)) throw new ValueError(`${wanted}, but received ${describeValue(value)}`);
  const tensor = asTensor(value, input.dtype, `${context}: ${label}`);
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
    name,
    input,
    tensor,
    outer: sizeOf(example.slice(0, axis)),
    inner: sizeOf(example.slice(axis)),
  };
}

/** Returns the number of elements of one example. */
export function widthOf({ outer, inner }: Column): number {
  return outer * inner;
}

/**
 * Copies examples into a minibatch of shape [outer, batch, inner].
 * @param rows the indices of the examples
 * @param from the index that the first of these examples gets in the minibatch
 * @param target the memory of the minibatch
 * @param batch the number of examples in the minibatch
 * @throws ValueError if the memory of the tensor was transferred or resized
 */
export function gather(
  { tensor, outer, inner, name, input }: Column,
  rows: Int32Array,
  from: number,
  target: TypedArray,
  batch: number,
): void {
  const { data } = tensor;
  if (data.length !== outer * inner * (tensor.shape[0] as number)) {
    throw new ValueError(
      `the examples for ${labelOf(name, input)} have been transferred away or resized: ${formatShape(tensor.shape)} now holds ${data.length} elements`,
    );
  }
  gatherRows(target, data, rows, { from, batch, inner });
}
