/** Converts nested arrays of numbers to the memory of a tensor, and back. */

import { types } from 'node:util';
import { describeValue } from '../arguments/describe.js';
import { isList } from '../arguments/read.js';
import { ShapeError, ValueError } from '../errors.js';
import { assertRepresentable, type DType, isFloating, type TypedArray } from './dtype.js';
import { maxRank } from './shape.js';

/** A number, or arrays of numbers nested to any depth. All arrays at one depth have the same length. */
export type Nested = number | readonly Nested[];

/**
 * A typed array of numbers that can become elements of dtype `D`: the typed array of this dtype, a Uint8Array, or one
 * whose type is not a dtype of forebay. A `Buffer` is accepted, too, because it is a `Uint8Array`.
 */
export type NumberArray<D extends DType = DType> =
  | TypedArray<D>
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Uint32Array;

/** A boolean, or arrays of booleans nested to any depth. */
export type Booleans = boolean | readonly Booleans[];

/** A number, a boolean (for bool), a typed array, or nested arrays whose innermost arrays may be typed arrays. */
export type NestedData<D extends DType = DType> =
  | number
  | (D extends 'bool' ? boolean : never)
  | NumberArray<D>
  | readonly NestedData<D>[];

/**
 * Returns whether `value` is a typed array of numbers, which may be from another realm. Returns false for a typed array
 * of bigints. Never throws.
 */
export function isNumberArray(value: unknown): value is NumberArray {
  return (
    types.isTypedArray(value) && !types.isBigInt64Array(value) && !types.isBigUint64Array(value)
  );
}

/**
 * Returns the shape of nested arrays. It looks only at the first element at each depth; `flattenInto` checks the
 * others.
 */
export function shapeOfNested(data: NestedData): number[] {
  const shape: number[] = [];
  let level: NestedData | undefined = data;
  for (; isList(level); level = level[0] as NestedData | undefined) {
    shape.push(level.length);
    if (shape.length > maxRank) return shape; // the array may contain itself; the caller refuses this number of axes
  }
  if (isNumberArray(level)) shape.push(level.length);
  return shape;
}

/** Returns the first innermost typed array of nested arrays, or else their first element. Never throws. */
export function firstElement(data: unknown): unknown {
  try {
    let level = data;
    for (let depth = 0; isList(level) && depth <= maxRank; depth++) level = level[0];
    return level;
  } catch {
    return undefined; // a proxy whose traps throw; the caller gets the error later, when it reads the elements
  }
}

/**
 * Writes the elements of nested arrays of the given shape into `target`, the memory of a tensor of dtype `dtype`, in
 * row-major order.
 * @throws ShapeError if the arrays are ragged; ValueError if an element is not a number that the dtype can hold, or if
 *   the memory of a typed array has been transferred away. The errors name the position
 */
export function flattenInto(
  target: TypedArray,
  dtype: DType,
  data: NestedData,
  shape: readonly number[],
  context: string,
): void {
  let next = 0;
  const path: number[] = [];
  const at = () => (path.length === 0 ? 'the value' : `element [${path.join(', ')}]`);
  const ragged = (expected: string, value: unknown) =>
    new ShapeError(
      `${context} ragged nested arrays: ${at()} must be ${expected}, but is ${describeValue(value)}`,
    );

  const visit = (value: NestedData, depth: number): void => {
    if (depth === shape.length) {
      if (typeof value === 'boolean' && dtype === 'bool') {
        target[next++] = Number(value);
        return;
      }
      if (typeof value !== 'number') {
        if (isList(value) || isNumberArray(value)) throw ragged('a number', value);
        throw new ValueError(`${context} ${at()} must be a number, but is ${describeValue(value)}`);
      }
      // Without the check, a typed array of integers would silently store another number, and a label or an index
      // would be wrong.
      assertRepresentable(value, dtype, context);
      target[next++] = value;
      return;
    }
    const isRow = depth === shape.length - 1 && isNumberArray(value);
    if (!(isRow || isList(value)) || value.length !== shape[depth]) {
      throw ragged(`an array of ${shape[depth]}`, value);
    }
    if (isRow) {
      if (isDetached(value)) {
        throw new ValueError(`${context} the memory of ${at()} has been transferred away`);
      }
      if (!isFloating(dtype)) {
        for (const element of value) assertRepresentable(element, dtype, context);
      }
      target.set(value, next);
      next += value.length;
      return;
    }
    for (let index = 0; index < value.length; index++) {
      path.push(index);
      visit(value[index] as NestedData, depth + 1);
      path.pop();
    }
  };
  visit(data, 0);
}

/**
 * Returns whether the memory of an array has been transferred away, so that the array has no elements any more. Never
 * throws.
 */
export function isDetached({ length, buffer }: NumberArray): boolean {
  if (length > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** Returns row-major data as nested arrays of `shape`; a number if the shape is `[]`. */
export function nest(data: TypedArray, shape: readonly number[]): Nested {
  let next = 0;
  const build = (axis: number): Nested =>
    axis === shape.length
      ? (data[next++] as number)
      : Array.from({ length: shape[axis] as number }, () => build(axis + 1));
  return build(0);
}
