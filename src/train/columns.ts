/** The examples of one input, and how they are copied into minibatches. */

import { ValueError } from '../errors.js';
import { labelOf } from '../evaluate/bind.js';
import { type Bindings, bindDim, type Dim } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import { gatherRows } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

/** The name of the batch dimension of an input. */
export const batchName = 'batch';

/** The memory and the shape of one example. */
export interface Example {
  readonly data: TypedArray;
  readonly shape: readonly number[];
}

interface AnyColumn {
  /** The name under which the input is fed. */
  readonly name: string;
  readonly input: Input;
  /** The number of examples. */
  readonly rows: number;
}

/** Examples of one shape, in one tensor. */
export interface UniformColumn extends AnyColumn {
  readonly tensor: Tensor;
  /** The product of the sizes before the batch dimension of the input. */
  readonly outer: number;
  /** The product of the sizes after the batch dimension of the input. */
  readonly inner: number;
}

/** Examples that a minibatch pads with zeros to the shape that the input has there. */
export interface PaddedColumn extends AnyColumn {
  readonly tensor?: undefined;
  /** The dimensions of the input other than the batch dimension. */
  readonly rest: readonly Dim[];
  /** The number of dimensions before the batch dimension. */
  readonly axis: number;
  /** @throws ValueError if the memory of the example was transferred or resized */
  example(index: number): Example;
}

export type Column = UniformColumn | PaddedColumn;

/** A minibatch of a column has the shape [outer, batch, inner]. */
export interface Geometry {
  readonly outer: number;
  readonly inner: number;
  /** The number of elements of one example in the minibatch. */
  readonly width: number;
}

/** Returns the shape of the minibatches of a column in which named dimensions have the sizes of `bindings`. */
export function geometryOf(column: Column, bindings: Bindings): Geometry {
  const shape = column.tensor ? [] : paddedShape(column, bindings);
  const { outer, inner } = column.tensor
    ? column
    : { outer: sizeOf(shape.slice(0, column.axis)), inner: sizeOf(shape.slice(column.axis)) };
  return { outer, inner, width: outer * inner };
}

function paddedShape({ rest }: PaddedColumn, bindings: Bindings): number[] {
  return rest.map((dim) => bindDim(dim, bindings));
}

/**
 * Copies examples into a minibatch of shape [outer, batch, inner]. If the column is padded, the elements that no example
 * has are not written: they must be 0.
 * @param rows the indices of the examples
 * @param from the index that the first of these examples gets in the minibatch
 * @param target the memory of the minibatch
 * @param batch the number of examples in the minibatch
 * @param bindings the sizes of the named dimensions in the minibatch, for a padded column
 * @throws ValueError if the memory of a tensor was transferred or resized
 */
export function gather(
  column: Column,
  rows: Int32Array,
  from: number,
  target: TypedArray,
  batch: number,
  bindings: Bindings = new Map(),
): void {
  if (column.tensor) {
    const { tensor, inner } = column;
    const { data } = intact(column, tensor);
    gatherRows(target, data, rows, { from, batch, inner });
    return;
  }
  const shape = paddedShape(column, bindings);
  const inner = sizeOf(shape.slice(column.axis));
  for (let index = 0; index < rows.length; index++) {
    const example = column.example(rows[index] as number);
    place(example, target, { shape, axis: column.axis, inner, batch, row: from + index });
  }
}

/** @throws ValueError if the memory of a tensor with examples of the column was transferred or resized */
export function intact({ name, input }: Pick<AnyColumn, 'name' | 'input'>, tensor: Tensor): Tensor {
  if (tensor.data.length === sizeOf(tensor.shape)) return tensor;
  throw new ValueError(
    `the examples for ${labelOf(name, input)} have been transferred away or resized: ${formatShape(tensor.shape)} now holds ${tensor.data.length} elements`,
  );
}

/** A row of a minibatch. */
interface Row {
  /** The shape to which examples are padded. */
  readonly shape: readonly number[];
  /** The number of dimensions before the batch dimension, and the product of the sizes after it. */
  readonly axis: number;
  readonly inner: number;
  readonly batch: number;
  readonly row: number;
}

const first = new Int32Array(1);

/** Copies one example to a row of a minibatch. */
function place({ data, shape: own }: Example, target: TypedArray, to: Row): void {
  if (data.length === 0) return;
  const { shape, axis, inner, batch, row } = to;
  // In the dimensions after the last padded one, the example is as long as the minibatch. So it consists of blocks that
  // lie together: those of this dimension and the later ones.
  let start = own.length;
  while (start > 0 && own[start - 1] === shape[start - 1]) start--;
  start = Math.max(0, start - 1);
  const copy = (block: TypedArray, offset: number) => {
    if (start >= axis) {
      target.set(block, offset + row * inner);
      return;
    }
    const part = target.subarray(offset, offset + block.length * batch);
    gatherRows(part, block, first, { from: row, batch, inner });
  };
  if (start === 0) {
    copy(data, 0);
    return;
  }
  // The distances, in the minibatch, of the elements along each dimension.
  const strides = own.map((_, dim) => sizeOf(shape.slice(dim + 1)) * (dim < axis ? batch : 1));
  const block = sizeOf(own.slice(start));
  const position = new Array<number>(start).fill(0);
  for (let from = 0; from < data.length; from += block) {
    const offset = position.reduce((sum, at, dim) => sum + at * (strides[dim] as number), 0);
    copy(data.subarray(from, from + block), offset);
    // Count to the next block.
    for (let dim = start - 1; dim >= 0; dim--) {
      position[dim] = (position[dim] as number) + 1;
      if ((position[dim] as number) < (own[dim] as number)) break;
      position[dim] = 0;
    }
  }
}
