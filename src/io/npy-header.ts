/**
 * Reads and writes the header of a .npy file: a Python dictionary with element type, memory order and shape
 * (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). A small parser reads the dictionary, so no
 * Python code is evaluated.
 *
 *     93 'NUMPY' | version, 2 bytes | u16 or u32 length | the dictionary, padded | the elements
 */

import { FormatError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape, maxRank } from '../tensor/shape.js';
import { bytesAt, elementsOf } from './bytes.js';
import { type ElementType, elementType } from './elements.js';
import type { OpenFile } from './files.js';
import { PythonLiteral } from './python-literal.js';

export interface NpyHeader {
  readonly type: ElementType;
  /** Whether the elements are in Fortran order, in which the index of the first axis changes fastest. */
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** The number of elements. */
  readonly size: number;
  /** The byte of the file at which the elements begin. */
  readonly dataStart: number;
}

const magic = [0x93, ...new TextEncoder().encode('NUMPY')];
const keys = ['descr', 'fortran_order', 'shape'] as const;
// The length in bytes of the longest header that is accepted. NumPy has the same limit. The header that it writes for a
// plain array has at most a tenth of this length.
const mostHeaderBytes = 10_000;
// The elements begin at a multiple of this number of bytes, as in NumPy, so that files can be mapped into memory.
const alignment = 64;

const descriptors: Readonly<Record<DType, string>> = {
  float32: '<f4',
  float64: '<f8',
  int32: '<i4',
  bool: '|b1',
  uint8: '|u1',
};

/** Returns the bytes of a .npy file of version 1.0 before its elements. */
export function formatNpyHeader(dtype: DType, shape: readonly number[]): Uint8Array {
  // A Python tuple of one item ends with a comma.
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descriptors[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const start = magic.length + 4;
  const length = Math.ceil((start + text.length + 1) / alignment) * alignment - start;
  const bytes = new Uint8Array(start + length);
  bytes.set([...magic, 1, 0]);
  new DataView(bytes.buffer).setUint16(magic.length + 2, length, true);
  bytes.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), start);
  return bytes;
}

/** The error for a valid .npy file whose elements forebay does not read. */
export class UnreadableArray extends FormatError {
  /** @param reason why forebay does not read the elements */
  constructor(
    message: string,
    readonly reason: string,
  ) {
    super(message);
    // This class is internal, so the error has the name of the public class.
    this.name = 'FormatError';
  }
}

/**
 * Reads a header, and checks it against the length of the file.
 * @throws FormatError, naming file and byte, if the header is not valid, or if the file has fewer or more elements
 *   than the header says; UnreadableArray if forebay does not read the element type, or if there are too many axes
 */
export function readNpyHeader(file: string, open: OpenFile): NpyHeader {
  const { text, start } = readText(file, open);
  const literal = new PythonLiteral(file, text, start);
  const found = readDictionary(literal, file);
  const dataStart = start + text.length;
  const { type, shape } = found;
  const size = elementsOf(shape, type.dtype);
  if (size === undefined || size * type.bytes > Number.MAX_SAFE_INTEGER) {
    throw literal.mistake(`shape ${formatShape(shape)} has more elements than any memory holds`);
  }
  const wanted = size * type.bytes;
  if (open.size - dataStart !== wanted) {
    const elements = `${wanted} bytes of elements (${type.name}, shape ${formatShape(shape)}) at byte ${dataStart}`;
    throw new FormatError(
      open.size - dataStart < wanted
        ? `${file}: truncated: expected ${elements}, but the file ends after ${open.size}`
        : `${file}: expected the end of the file after ${elements}, but ${open.size - dataStart - wanted} more bytes follow`,
    );
  }
  return { ...found, size, dataStart };
}

function readText(file: string, open: OpenFile): { text: string; start: number } {
  const begin = bytesAt(open, 0, Math.min(open.size, 12));
  const truncated = (what: string) =>
    new FormatError(`${file}: truncated: expected ${what}, but the file ends after ${open.size}`);
  const different = magic.findIndex((byte, at) => at < begin.length && begin[at] !== byte);
  if (different >= 0) {
    throw new FormatError(
      `${file}: not a .npy file: expected \\x93NUMPY at byte 0, but byte ${different} is 0x${begin[different]?.toString(16).padStart(2, '0')}`,
    );
  }
  if (begin.length < 8) throw truncated('\\x93NUMPY and a version at byte 0');
  const [major, minor] = [begin[6] as number, begin[7] as number];
  if (major < 1 || major > 3 || minor !== 0) {
    throw new FormatError(
      `${file}: expected version 1.0, 2.0 or 3.0 at byte 6, but received ${major}.${minor}`,
    );
  }
  const start = major === 1 ? 10 : 12;
  if (begin.length < start) throw truncated(`the header's length at byte 8`);
  const view = new DataView(begin.buffer);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > mostHeaderBytes) {
    throw new FormatError(
      `${file}: the header's length at byte 8 is ${length}, but the limit is ${mostHeaderBytes}`,
    );
  }
  if (start + length > open.size) throw truncated(`a header of ${length} bytes at byte ${start}`);
  // Decode as latin1, so that each byte becomes one character. In version 3 the header is UTF-8, but only the names of
  // fields can contain characters that are not ASCII, and arrays with fields are refused.
  return { text: Buffer.from(bytesAt(open, start, length)).toString('latin1'), start };
}

type Found = Pick<NpyHeader, 'type' | 'fortranOrder' | 'shape'>;

function readDictionary(literal: PythonLiteral, file: string): Found {
  const found: { type?: ElementType; fortranOrder?: boolean; shape?: number[] } = {};
  literal.dictionary((key, at) => {
    if (key === 'descr') found.type = readType(literal);
    else if (key === 'fortran_order') found.fortranOrder = literal.boolean();
    else if (key === 'shape') found.shape = readShape(literal);
    else throw literal.mistake(`unknown key ${JSON.stringify(key)}`, at);
  });
  const { type, fortranOrder, shape } = found;
  if (type !== undefined && fortranOrder !== undefined && shape !== undefined) {
    return { type, fortranOrder, shape };
  }
  const missing = [type, fortranOrder, shape].indexOf(undefined);
  throw new FormatError(`${file}: the header at byte ${literal.start} has no ${keys[missing]}`);
}

function readType(literal: PythonLiteral): ElementType {
  const at = literal.next;
  if (literal.peek() === '[') {
    const reason = 'the elements are structures; save each field as a separate array';
    throw unreadable(literal, reason, at);
  }
  const descriptor = literal.string();
  const type = elementType(descriptor);
  if (typeof type === 'object') return type;
  throw unreadable(literal, `dtype ${JSON.stringify(descriptor)}: ${type}`, at);
}

function readShape(literal: PythonLiteral): number[] {
  const at = literal.next;
  const shape = literal.sizes();
  if (shape.length <= maxRank) return shape;
  const reason = `the shape has ${shape.length} axes, but forebay has ${maxRank}`;
  throw unreadable(literal, reason, at);
}

function unreadable(literal: PythonLiteral, reason: string, at: number): UnreadableArray {
  return new UnreadableArray(literal.mistake(reason, at).message, reason);
}
