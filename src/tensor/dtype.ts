/** Element types, and the typed arrays that hold them. */

import { describeValue } from '../arguments/describe.js';
import { DTypeError } from '../errors.js';

/** The element type of a tensor. `int32` is for indices, comparison and moving data. */
export type DType = 'float32' | 'float64' | 'int32';

/** Memory of a tensor; over a SharedArrayBuffer for leaves. */
export type TypedArray = Float32Array | Float64Array | Int32Array;

const constructors = { float32: Float32Array, float64: Float64Array, int32: Int32Array } as const;

export const dtypes = Object.keys(constructors) as readonly DType[];

export const bytesOf: Readonly<Record<DType, number>> = { float32: 4, float64: 8, int32: 4 };

export function isFloating(dtype: DType): boolean {
  return dtype !== 'int32';
}

/** @throws DTypeError when `value` is not the name of an element type */
export function assertDType(value: unknown, context: string): asserts value is DType {
  if (typeof value !== 'string' || !Object.hasOwn(constructors, value)) {
    throw new DTypeError(
      `${context} expected a dtype of ${dtypes.join(', ')}, but received ${describeValue(value)}`,
    );
  }
}

export function dtypeOf(array: TypedArray): DType {
  if (array instanceof Float32Array) return 'float32';
  return array instanceof Float64Array ? 'float64' : 'int32';
}

export function isTypedArray(value: unknown): value is TypedArray {
  return (
    value instanceof Float32Array || value instanceof Float64Array || value instanceof Int32Array
  );
}

/** Zeroed memory for `length` elements. @throws RangeError when it cannot be had (see `allocate`). */
export function typedArray(dtype: DType, length: number): TypedArray {
  return new constructors[dtype](length);
}

// Large memories are worth a page of their own: vectors then never cross a cache line (a seventh off an Adam step).
const ownPage = 32 * 1024;

/**
 * Zeroed memory on a SharedArrayBuffer: such memory can never be detached, so a native run that
 * reads it is safe whatever the program does meanwhile.
 */
export function sharedArray(dtype: DType, length: number): TypedArray {
  const size = length * bytesOf[dtype];
  // V8 lays a buffer that may grow, were it by nothing, on whole pages, and any other wherever malloc does.
  const options = size < ownPage ? {} : { maxByteLength: size };
  const buffer = new SharedArrayBuffer(size, options);
  if (dtype === 'float32') return new Float32Array(buffer, 0, length);
  return dtype === 'float64'
    ? new Float64Array(buffer, 0, length)
    : new Int32Array(buffer, 0, length);
}
