/** The dtypes (element types), and the typed arrays that hold their elements. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { DTypeError, ValueError } from '../errors.js';

/**
 * The element type of a tensor. Use `int32` for indices and labels. int32 nodes can be compared, reshaped, sliced and
 * joined, but arithmetic ops refuse them, and they have no gradients.
 */
export type DType = 'float32' | 'float64' | 'int32';

/**
 * The memory of a tensor of dtype `D`: a `Float32Array` for `'float32'`, for example. The value of a parameter, a state
 * or a constant is on a SharedArrayBuffer.
 */
export type TypedArray<D extends DType = DType> = {
  float32: Float32Array;
  float64: Float64Array;
  int32: Int32Array;
}[D];

/**
 * The key of a method that no object has. TypeScript compares the parameters of methods in both directions. So with
 * this method, TypeScript refuses a tensor whose dtype is known and wrong, and accepts one whose dtype is not known,
 * such as an output of a program.
 */
export const holds: unique symbol = Symbol('holds');

/** An object that may hold elements of dtype `D`. TypeScript refuses a tensor that is known to have another dtype. */
export interface Holds<D extends DType> {
  /** Never set. @internal */
  [holds]?(dtype: D): void;
}

const constructors = { float32: Float32Array, float64: Float64Array, int32: Int32Array } as const;

export const dtypes = Object.keys(constructors) as readonly DType[];

/** The number of bytes of one element. */
export const bytesOf: Readonly<Record<DType, number>> = { float32: 4, float64: 8, int32: 4 };

export function isFloating(dtype: DType): boolean {
  return dtype !== 'int32';
}

const isDType = (value: unknown): value is DType =>
  typeof value === 'string' && Object.hasOwn(constructors, value);

/** The `Kind` of an option whose value is a dtype. */
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

// Returns the class name of a typed array, which may be from another realm; undefined for any other value. Never
// throws.
const nameOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

const dtypeByName: Readonly<Record<string, DType>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int32Array: 'int32',
};

/** Returns the dtype of a typed array. */
export function dtypeOf(array: TypedArray): DType {
  return dtypeByName[nameOf.call(array) as string] as DType;
}

/**
 * Returns whether `value` is a Float32Array, a Float64Array or an Int32Array. It may be from another realm. Never
 * throws.
 */
export function isTypedArray(value: unknown): value is TypedArray {
  const name = nameOf.call(value);
  return name !== undefined && Object.hasOwn(dtypeByName, name);
}

/**
 * Returns new memory for `length` elements, filled with zeros.
 * @throws RangeError if there is not enough memory. `allocate` turns this error into a ValueError
 */
export function typedArray<D extends DType>(dtype: D, length: number): TypedArray<D> {
  return new constructors[dtype](length) as TypedArray<D>;
}

// If a buffer has at least this number of bytes, it starts at the beginning of a memory page. Then no SIMD vector
// crosses a cache line, and an Adam step takes about a seventh less time.
const ownPage = 32 * 1024;

/**
 * Returns new memory on a SharedArrayBuffer, filled with zeros. Such memory can never be detached, so an asynchronous
 * native run can safely use it while JavaScript continues.
 * @throws ValueError if there is not enough memory
 */
export function sharedArray(dtype: DType, length: number): TypedArray {
  const size = length * bytesOf[dtype];
  // V8 allocates a growable buffer on whole pages. So large buffers are made growable, with their size as the maximum.
  // The memory of other buffers comes from malloc, which may return memory that does not start at a page.
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
