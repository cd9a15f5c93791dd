/**
 * The element types of files (safetensors, .npy, .npz), and their conversion to the dtypes of forebay. Elements are
 * copied if the type in the file is the dtype. Otherwise they are converted one by one, and each is checked to fit.
 */

import { FormatError } from '../errors.js';
import {
  type DType,
  firstNoBool,
  isFloating,
  misfit as misfitOf,
  type TypedArray,
} from '../tensor/dtype.js';
import { bytesIn } from './bytes.js';
import type { OpenFile } from './files.js';

/** The type of the elements of a tensor in a file. */
export interface ElementType {
  /** The name in NumPy, such as 'int64'. */
  readonly name: string;
  /** The dtype to which the elements are converted if no other dtype is requested. */
  readonly dtype: DType;
  /** The size of one element in the file, in bytes. */
  readonly bytes: number;
  readonly littleEndian: boolean;
  /** Reads the element at byte `at`. Returns a bigint for types that a number does not represent exactly. */
  readonly get: (view: DataView, at: number, littleEndian: boolean) => number | bigint;
}

type Kind = Omit<ElementType, 'littleEndian'>;

/** Element types by the names in NumPy and ml_dtypes. */
const kinds = {
  float32: { bytes: 4, dtype: 'float32', get: (view, at, le) => view.getFloat32(at, le) },
  float64: { bytes: 8, dtype: 'float64', get: (view, at, le) => view.getFloat64(at, le) },
  int32: { bytes: 4, dtype: 'int32', get: (view, at, le) => view.getInt32(at, le) },
  float16: { bytes: 2, dtype: 'float32', get: (view, at, le) => half(view.getUint16(at, le)) },
  bfloat16: { bytes: 2, dtype: 'float32', get: (view, at, le) => upper(view.getUint16(at, le)) },
  bool: { bytes: 1, dtype: 'bool', get: (view, at) => view.getUint8(at) },
  uint8: { bytes: 1, dtype: 'uint8', get: (view, at) => view.getUint8(at) },
  int8: { bytes: 1, dtype: 'int32', get: (view, at) => view.getInt8(at) },
  uint16: { bytes: 2, dtype: 'int32', get: (view, at, le) => view.getUint16(at, le) },
  int16: { bytes: 2, dtype: 'int32', get: (view, at, le) => view.getInt16(at, le) },
  uint32: { bytes: 4, dtype: 'int32', get: (view, at, le) => view.getUint32(at, le) },
  uint64: { bytes: 8, dtype: 'int32', get: (view, at, le) => view.getBigUint64(at, le) },
  int64: { bytes: 8, dtype: 'int32', get: (view, at, le) => view.getBigInt64(at, le) },
  // The next four types are floats of 8 bits: sign, exponent, fraction (OCP 8-bit floating point specification 1.0).
  // The "fnuz" types have no -0 and no infinities (https://arxiv.org/abs/2206.02915).
  float8_e4m3fn: float8(3, 7, (bits) => ((bits & 0x7f) === 0x7f ? NaN : undefined)),
  float8_e5m2: float8(2, 15, (bits) => {
    if ((bits & 0x7c) !== 0x7c) return undefined;
    if (bits & 3) return NaN;
    return bits & 0x80 ? -Infinity : Infinity;
  }),
  float8_e4m3fnuz: float8(3, 8, (bits) => (bits === 0x80 ? NaN : undefined)),
  float8_e5m2fnuz: float8(2, 16, (bits) => (bits === 0x80 ? NaN : undefined)),
  // This type has only an exponent, without sign or fraction, so each number is a power of two.
  float8_e8m0fnu: {
    bytes: 1,
    dtype: 'float32',
    get: (view, at) => {
      const exponent = view.getUint8(at);
      return exponent === 0xff ? NaN : 2 ** (exponent - 127);
    },
  },
} as const satisfies Readonly<Record<string, Omit<Kind, 'name'>>>;

type KindName = keyof typeof kinds;

/** The names of element types by NumPy's letter and width in bytes, as in the descriptor '<i8'. */
const numpyKinds: Readonly<Record<string, KindName>> = {
  f4: 'float32',
  f8: 'float64',
  i4: 'int32',
  f2: 'float16',
  b1: 'bool',
  u1: 'uint8',
  i1: 'int8',
  u2: 'uint16',
  i2: 'int16',
  u4: 'uint32',
  u8: 'uint64',
  i8: 'int64',
};

/** The reasons why forebay does not read the other element types of NumPy, by the letter of the type. */
const refused: Readonly<Record<string, string>> = {
  O: 'the elements are Python objects, pickled: reading a pickle can run any program, so forebay reads none',
  c: 'the elements are complex numbers, which forebay does not have',
  f: 'the elements are floating-point numbers wider than float64, which would lose digits',
  S: 'the elements are byte strings, not numbers',
  U: 'the elements are text, not numbers',
  V: 'the elements are raw bytes, not numbers',
  M: 'the elements are dates; save them as numbers',
  m: 'the elements are spans of time; save them as numbers',
};

/** Returns the element type of a NumPy descriptor such as '<f4', or a string with the reason why it is not read. */
export function elementType(descriptor: string): ElementType | string {
  const [, order = '', letter = '', width = ''] =
    /^([<>=|]?)([a-zA-Z])(\d*)(?:\[.*\])?$/.exec(descriptor) ?? [];
  const name = Object.hasOwn(numpyKinds, letter + width) ? numpyKinds[letter + width] : undefined;
  if (name !== undefined) return { name, ...kinds[name], littleEndian: order !== '>' };
  const reason = Object.hasOwn(refused, letter) ? refused[letter] : undefined;
  return (
    reason ?? `expected one of ${Object.keys(numpyKinds).join(', ')} after '<', '>', '=' or '|'`
  );
}

/** The names of element types by the dtype codes of safetensors. The elements of all these types are little-endian. */
const safetensorsKinds: Readonly<Record<string, KindName>> = {
  F32: 'float32',
  F64: 'float64',
  I32: 'int32',
  F16: 'float16',
  BF16: 'bfloat16',
  BOOL: 'bool',
  U8: 'uint8',
  I8: 'int8',
  U16: 'uint16',
  I16: 'int16',
  U32: 'uint32',
  U64: 'uint64',
  I64: 'int64',
  F8_E4M3: 'float8_e4m3fn',
  F8_E5M2: 'float8_e5m2',
  F8_E4M3FNUZ: 'float8_e4m3fnuz',
  F8_E5M2FNUZ: 'float8_e5m2fnuz',
  F8_E8M0: 'float8_e8m0fnu',
};

/** Returns the element type of a dtype code of safetensors; undefined if forebay does not read this type. */
export function safetensorsType(code: string): ElementType | undefined {
  const name = Object.hasOwn(safetensorsKinds, code) ? safetensorsKinds[code] : undefined;
  return name === undefined ? undefined : { name, ...kinds[name], littleEndian: true };
}

/** The dtype codes of the safetensors types that forebay does not read, with the number of bits of one element. */
export const unreadBits: ReadonlyMap<string, number> = new Map([
  ['C64', 64],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
]);

/** Returns the description of an element type for error messages, with the dtype to which it is converted. */
export function describeType({ name }: ElementType, dtype: DType): string {
  return name === dtype ? name : `${name}, which is read as ${dtype}`;
}

// Elements are converted in pieces of this size, so that memory never holds a second copy of the whole file. The size
// is a multiple of the size of every element type.
const pieceBytes = 2 ** 18;

/**
 * Reads `into.length` elements and converts them to `dtype`. Floats are rounded to a float dtype. All other conversions
 * must be exact.
 * @param what the name of the tensor in error messages: the file, and the name in the file
 * @param position the byte of the file at which the elements begin
 * @param into the memory of a tensor of dtype `dtype`
 * @throws FormatError, naming the byte, if an element does not fit the dtype
 */
export function readElements(
  what: string,
  open: OpenFile,
  position: number,
  type: ElementType,
  dtype: DType,
  into: TypedArray,
): void {
  if (type.name === dtype) {
    const bytes = bytesIn({ data: into });
    open.readInto(bytes, position);
    const wrong = dtype === 'bool' ? firstNoBool(bytes) : -1;
    if (wrong >= 0) {
      const came = bytes[wrong] as number;
      throw new FormatError(`${what}: ${misfit(type, dtype, came, position + wrong)}`);
    }
    if (!type.littleEndian) swap(bytes, type.bytes);
    return;
  }
  const fits = checkOf(type, dtype);
  const perPiece = pieceBytes / type.bytes;
  const piece = new Uint8Array(Math.min(into.length * type.bytes, pieceBytes));
  const view = new DataView(piece.buffer);
  for (let start = 0; start < into.length; start += perPiece) {
    const count = Math.min(perPiece, into.length - start);
    open.readInto(piece.subarray(0, count * type.bytes), position + start * type.bytes);
    for (let index = 0; index < count; index++) {
      const came = type.get(view, index * type.bytes, type.littleEndian);
      into[start + index] = Number(came);
      if (fits(came, into[start + index] as number)) continue;
      const at = position + (start + index) * type.bytes;
      throw new FormatError(`${what}: ${misfit(type, dtype, came, at)}`);
    }
  }
}

/**
 * Returns a function that checks one conversion. Its argument `came` is the element in the file, and `stored` is the
 * converted number. The function returns whether the conversion is allowed. Integers must be exact. Floats may be
 * rounded, but not to an integer or to an infinity. Bools must be 0 or 1.
 */
function checkOf({ name }: ElementType, dtype: DType) {
  if (name === 'bool') return (came: number | bigint) => came === 0 || came === 1;
  if (!isFloating(dtype)) {
    return (came: number | bigint) => misfitOf(Number(came), dtype) === undefined;
  }
  if (name.includes('int')) {
    return (came: number | bigint, stored: number) => BigInt(stored) === BigInt(came);
  }
  // A float may be rounded, but not to an infinity.
  return (came: number | bigint, stored: number) =>
    Number.isFinite(stored) || !Number.isFinite(came);
}

function misfit({ name }: ElementType, dtype: DType, came: number | bigint, at: number): string {
  if (name === 'bool') return `expected a bool, 0 or 1, at byte ${at}, but received ${came}`;
  const where = `the ${name} at byte ${at} is ${came}`;
  if (dtype !== 'int32' || !name.includes('int')) return `${where}, which does not fit in ${dtype}`;
  const end = came < 0 ? -(2 ** 31) : 2 ** 31 - 1;
  return `${where}, but the limit of int32 is ${end}; dtype: 'float64' reads integers up to 2^53`;
}

function swap(bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (width === 4) buffer.swap32();
  if (width === 8) buffer.swap64();
}

/** Returns the value of an IEEE 754 float16, from its 16 bits. */
function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const word = new DataView(new ArrayBuffer(4));

/** Returns the value of a bfloat16: the float32 whose upper 16 bits are `bits` and whose lower 16 bits are 0. */
function upper(bits: number): number {
  word.setUint16(0, bits);
  return word.getFloat32(0);
}

/**
 * Returns the element type of an 8-bit float with 1 sign bit, `7 - fractionBits` exponent bits and `fractionBits`
 * fraction bits. `bias` is subtracted from the stored exponent. `special` returns the value of bits with a special
 * meaning, such as NaN, and undefined for all other bits.
 */
function float8(
  fractionBits: number,
  bias: number,
  special: (bits: number) => number | undefined,
): Omit<Kind, 'name'> {
  const value = (bits: number) => {
    const sign = bits & 0x80 ? -1 : 1;
    const exponent = (bits & 0x7f) >> fractionBits;
    const fraction = (bits & ((1 << fractionBits) - 1)) / (1 << fractionBits);
    if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
    return sign * (1 + fraction) * 2 ** (exponent - bias);
  };
  const values = Float32Array.from({ length: 256 }, (_, bits) => special(bits) ?? value(bits));
  return {
    bytes: 1,
    dtype: 'float32',
    get: (view, at) => values[view.getUint8(at)] as number,
  };
}

/** Copies elements from Fortran order (first axis fastest) to row-major order (last axis fastest). */
export function toRowMajor(data: TypedArray, shape: readonly number[], into: TypedArray): void {
  const rank = shape.length;
  const index = new Array<number>(rank).fill(0);
  const strides = new Array<number>(rank).fill(1);
  for (let axis = 1; axis < rank; axis++) {
    strides[axis] = (strides[axis - 1] as number) * (shape[axis - 1] as number);
  }
  let from = 0;
  for (let to = 0; to < into.length; to++) {
    into[to] = data[from] as number;
    for (let axis = rank - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      from += stride;
      index[axis] = (index[axis] as number) + 1;
      if (index[axis] !== shape[axis]) break;
      from -= stride * (shape[axis] as number);
      index[axis] = 0;
    }
  }
}
