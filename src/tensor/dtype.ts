/** The dtypes (element types), and the typed arrays that hold their elements. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { DTypeError, ValueError } from '../errors.js';

/** The element type of a tensor. `int32` is for indices, comparisons and moving data; it has no gradients. */
export type DType = 'float32' | 'float64' | 'int32';

/** The memory of a tensor. For a leaf that holds a value it is on a SharedArrayBuffer. */
export type TypedArray = Float32Array | Float64Array | Int32Array;

const constructors = { float32: Float32Array, float64: Float64Array, int32: Int32Array } as const;

export const dtypes = Object.keys(constructors) as readonly DType[];

export const bytesOf: Readonly<Record<DType, number>> = { float32: 4, float64: 8, int32: 4 };

export function isFloating(dtype: DType): boolean {
  return dtype !== 'int32';
}

const isDType = (value: unknown): value is DType =>
  typeof value === 'string' && Object.hasOwn(constructors, value);

/** The kind of an option that is a dtype. */
export const dtypeName: Kind<DType> = {
  expected: `one of ${dtypes.map((dtype) => `'${dtype}'`).join(', ')}`,
  accepts: isDType,
  error: DTypeError,
};

/** @throws DTypeError if `value` is not the name of a dtype */
export function assertDType(value: unknown, context: string): asserts value is DType {
  if (!isDType(value)) {
    throw new DTypeError(
      `${context} expected a dtype of ${dtypes.join(', ')}, but received ${describeValue(value)}`,
    );
  }
}

// Returns the class name of a typed array of any realm, and undefined for any other value. Never throws.
const nameOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

const dtypeByName: Readonly<Record<string, DType>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int32Array: 'int32',
};

/** The dtype of a typed array. */
export function dtypeOf(array: TypedArray): DType {
  return dtypeByName[nameOf.call(array) as string] as DType;
}

/** True for a Float32Array, a Float64Array or an Int32Array of any realm. Never throws. */
export function isTypedArray(value: unknown): value is TypedArray {
  const name = nameOf.call(value);
  return name !== undefined && Object.hasOwn(dtypeByName, name);
}

/** Zeroed memory for `length` elements. @throws RangeError if there is not enough memory (see `allocate`) */
export function typedArray(dtype: DType, length: number): TypedArray {
  return new constructors[dtype](length);
}

// From this size on, memory starts at a page, so that no SIMD vector crosses a cache line. An Adam step then takes about
// a seventh less time.
const ownPage = 32 * 1024;

/**
 * Zeroed memory on a SharedArrayBuffer. Such memory can never be detached, so a native run can read it safely while
 * other code continues.
 * @throws ValueError if there is not enough memory
 */
export function sharedArray(dtype: DType, length: number): TypedArray {
  const size = length * bytesOf[dtype];
  // V8 allocates a growable buffer on whole pages, even if it cannot grow beyond its size. Others come from malloc.
  const options = size < ownPage ? {} : { maxByteLength: size };
  const buffer = sharedBuffer(size, options, dtype);
  if (dtype === 'float32') return new Float32Array(buffer, 0, length);
  return dtype === 'float64'
    ? new Float64Array(buffer, 0, length)
    : new Int32Array(buffer, 0, length);
}

function sharedBuffer(
  size: number,
  options: { readonly maxByteLength?: number },
  dtype: DType,
): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(size, options);
  } catch (cause) {
    throw new ValueError(`cannot allocate ${size} bytes of shared memory for ${dtype} elements`, {
      cause,
    });
  }
}
