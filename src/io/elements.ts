/**
 * The element types of .npy files, by NumPy's codes, and how each becomes one of forebay's: as it is,
 * widened without loss, or, for integers that int32 may not hold, element by element with a check.
 */

import { FormatError } from '../errors.js';
import type { DType, TypedArray } from '../tensor/dtype.js';
import { bytesIn } from './bytes.js';
import type { OpenFile } from './files.js';

/** One type of elements in a file. */
export interface ElementType {
  /** NumPy's name: 'int64'. */
  readonly name: string;
  /** What the elements become. */
  readonly dtype: DType;
  /** Bytes of one element in the file. */
  readonly bytes: number;
  readonly littleEndian: boolean;
  /** One element; absent where the file's bytes are the tensor's, in one order or the other. */
  readonly get?: (view: DataView, at: number, littleEndian: boolean) => number | bigint;
}

type Kind = Omit<ElementType, 'bytes' | 'littleEndian'>;

/** By kind and width, as in '<i8'. */
const kinds: Readonly<Record<string, Kind>> = {
  f4: { name: 'float32', dtype: 'float32' },
  f8: { name: 'float64', dtype: 'float64' },
  i4: { name: 'int32', dtype: 'int32' },
  f2: { name: 'float16', dtype: 'float32', get: (view, at, le) => half(view.getUint16(at, le)) },
  b1: { name: 'bool', dtype: 'int32', get: (view, at) => view.getUint8(at) },
  u1: { name: 'uint8', dtype: 'int32', get: (view, at) => view.getUint8(at) },
  i1: { name: 'int8', dtype: 'int32', get: (view, at) => view.getInt8(at) },
  u2: { name: 'uint16', dtype: 'int32', get: (view, at, le) => view.getUint16(at, le) },
  i2: { name: 'int16', dtype: 'int32', get: (view, at, le) => view.getInt16(at, le) },
  u4: { name: 'uint32', dtype: 'int32', get: (view, at, le) => view.getUint32(at, le) },
  u8: { name: 'uint64', dtype: 'int32', get: (view, at, le) => view.getBigUint64(at, le) },
  i8: { name: 'int64', dtype: 'int32', get: (view, at, le) => view.getBigInt64(at, le) },
};

/** Why the other kinds are not read, by their letter. */
const refused: Readonly<Record<string, string>> = {
  O: 'the elements are Python objects, pickled: reading a pickle can run any program, so none is read',
  c: 'the elements are complex numbers, which forebay does not have',
  f: 'the elements are floating-point numbers wider than float64, which would lose digits',
  S: 'the elements are byte strings, not numbers',
  U: 'the elements are text, not numbers',
  V: 'the elements are raw bytes, not numbers',
  M: 'the elements are dates; save them as numbers',
  m: 'the elements are spans of time; save them as numbers',
};

/** What NumPy's code for a type stands for, or why it is not read. */
export function elementType(descriptor: string): ElementType | string {
  const [, order = '', letter = '', width = ''] =
    /^([<>=|]?)([a-zA-Z])(\d*)(?:\[.*\])?$/.exec(descriptor) ?? [];
  const kind = Object.hasOwn(kinds, letter + width) ? kinds[letter + width] : undefined;
  if (kind !== undefined) {
    return { ...kind, bytes: Number(width), littleEndian: order !== '>' };
  }
  const reason = Object.hasOwn(refused, letter) ? refused[letter] : undefined;
  return reason ?? `expected one of ${Object.keys(kinds).join(', ')} after '<', '>', '=' or '|'`;
}

// Such a piece is converted at a time, so that a wide file costs no second copy. A multiple of any width.
const pieceBytes = 2 ** 18;

/**
 * Reads the elements, `into.length` of them.
 * @throws FormatError, naming file and byte, for an element that the tensor's type does not hold
 */
export function readElements(
  file: string,
  open: OpenFile,
  position: number,
  type: ElementType,
  into: TypedArray,
): void {
  if (type.get === undefined) {
    const bytes = bytesIn({ data: into });
    open.readInto(bytes, position);
    if (!type.littleEndian) swap(bytes, type.bytes);
    return;
  }
  const perPiece = pieceBytes / type.bytes;
  const piece = new Uint8Array(Math.min(into.length * type.bytes, pieceBytes));
  const view = new DataView(piece.buffer);
  for (let start = 0; start < into.length; start += perPiece) {
    const count = Math.min(perPiece, into.length - start);
    open.readInto(piece.subarray(0, count * type.bytes), position + start * type.bytes);
    for (let index = 0; index < count; index++) {
      const came = type.get(view, index * type.bytes, type.littleEndian);
      const value = Number(came);
      into[start + index] = value;
      const fits =
        type.dtype !== 'int32' || (value === (value | 0) && (type.name !== 'bool' || value < 2));
      if (fits) continue;
      const at = position + (start + index) * type.bytes;
      throw new FormatError(
        type.name === 'bool'
          ? `${file}: expected a bool, 0 or 1, at byte ${at}, but received ${came}`
          : `${file}: the ${type.name} at byte ${at} is ${came}, but int32 ends at ${came < 0 ? -(2 ** 31) : 2 ** 31 - 1}`,
      );
    }
  }
}

function swap(bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (width === 4) buffer.swap32();
  else buffer.swap64();
}

/** The value of an IEEE 754 half. */
function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Elements that were written with the first axis fastest, with the last axis fastest. */
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
