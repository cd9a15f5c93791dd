/** The dtypes (element types), and the typed arrays that hold their elements. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { DTypeError, ValueError } from '../errors.js';

/**
 * The element type of a tensor. `float32` and `float64` are for arithmetic, `int32` is for indices and labels, `bool`
 * for conditions and masks, and `uint8` for images and tokens as files hold them. Elements of bool and uint8 take one
 * byte. Nodes of int32, bool and uint8 can be compared, reshaped, sliced and joined, but arithmetic ops refuse them, and
 * they have no gradients. `cast` converts between all dtypes.
 */
export type DType = 'float32' | 'float64' | 'int32' | 'bool' | 'uint8';

/**
 * The memory of a tensor of dtype `D`: a `Float32Array` for `'float32'`, for example. A Uint8Array holds uint8 elements,
 * or bools as 0 and 1. The value of a parameter, a state or a constant is on a SharedArrayBuffer.
 */
export type TypedArray<D extends DType = DType> = {
  float32: Float32Array;
  float64: Float64Array;
  int32: Int32Array;
  bool: Uint8Array;
  uint8: Uint8Array;
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

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  bool: Uint8Array,
  uint8: Uint8Array,
} as const;

export const dtypes = Object.keys(constructors) as readonly DType[];

/** The number of bytes of one element. */
export const bytesOf: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  int32: 4,
  bool: 1,
  uint8: 1,
};

/** The smallest positive number of each dtype that is not subnormal. */
export const smallestNormal: Readonly<Record<DType, number>> = {
  float32: 2 ** -126,
  float64: 2 ** -1022,
  int32: 1,
  bool: 1,
  uint8: 1,
};

export function isFloating(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64';
}

/** The dtypes that cannot hold every number: the least and the greatest integer, and the name of these numbers. */
const ranges: Readonly<Partial<Record<DType, readonly [least: number, greatest: number, string]>>> =
  {
    int32: [-(2 ** 31), 2 ** 31 - 1, 'a 32-bit integer'],
    bool: [0, 1, 'a bool (0 or 1)'],
    uint8: [0, 255, 'an integer from 0 to 255'],
  };

/**
 * Returns what a number of the dtype is, as in 'a 32-bit integer', if `value` is not such a number; undefined if the
 * dtype can hold the value. A float can hold every number, possibly rounded.
 */
export function misfit(value: number, dtype: DType): string | undefined {
  const range = ranges[dtype];
  if (!range) return undefined;
  const [least, greatest, name] = range;
  return Number.isInteger(value) && value >= least && value <= greatest ? undefined : name;
}

/** @throws ValueError if the dtype cannot hold the number */
export function assertRepresentable(value: number, dtype: DType, context: string): void {
  const name = misfit(value, dtype);
  if (name === undefined) return;
  throw new ValueError(`${context} ${value} is not ${name}, but the dtype is ${dtype}`);
}

/**
 * Returns the index of the first byte that is neither 0 nor 1, and therefore not a bool; -1 if there is none.
 */
export function firstNoBool(bytes: Uint8Array): number {
  let index = 0;
  const words = bytes.length >> 2;
  if (words > 0 && bytes.byteOffset % 4 === 0) {
    // Four bytes at a time, because large masks are checked, too.
    const quads = new Uint32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, words);
    while (index < words && ((quads[index] as number) & 0xfefefefe) === 0) index++;
    index *= 4;
  }
  while (index < bytes.length && (bytes[index] as number) <= 1) index++;
  return index < bytes.length ? index : -1;
}

/** Changes every byte that is neither 0 nor 1 to 1, so that all bytes are bools. */
export function makeBools(bytes: Uint8Array): void {
  const first = firstNoBool(bytes);
  if (first < 0) return;
  for (let index = first; index < bytes.length; index++) {
    bytes[index] = Number(bytes[index] !== 0);
  }
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
  Uint8Array: 'uint8',
};

/** Returns the dtype of a typed array; uint8 for a Uint8Array, which can also hold bools. */
export function dtypeOf(array: TypedArray): DType {
  return dtypeByName[nameOf.call(array) as string] as DType;
}

/** Returns whether an array can hold the elements of a dtype. */
export function canHold(array: TypedArray, dtype: DType): boolean {
  return dtypeOf(array) === (dtype === 'bool' ? 'uint8' : dtype);
}

/**
 * Returns whether `value` is a Float32Array, a Float64Array, an Int32Array or a Uint8Array (also a Buffer). It may be
 * from another realm. Never throws.
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
  // Without this type, TypeScript does not find the constructors that take a SharedArrayBuffer.
  const made: new (buffer: SharedArrayBuffer, at: number, length: number) => TypedArray =
    constructors[dtype];
  return new made(buffer, 0, length);
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
