/**
 * Reads IDX, the format of the MNIST files: two zero bytes, an element type, a rank, big-endian sizes, then
 * the elements in row-major order. The header is checked against the length of the file before it is used.
 */

import { constants } from 'node:zlib';
import { FormatError } from '../errors.js';
import { bytesAt } from '../io/bytes.js';
import { type OpenFile, withFile } from '../io/files.js';
import { mostExpansion, unpack } from '../io/unpack.js';

/** An array of unsigned bytes. It is not a `Tensor`, because no dtype of forebay is an unsigned byte. */
export interface IdxArray {
  /** The sizes, outermost axis first. `shape[0]` is at most the requested `limit`. */
  readonly shape: readonly number[];
  /** The elements in row-major order. */
  readonly data: Uint8Array;
  /** The number of items in the file along axis 0, independent of `limit`. */
  readonly count: number;
}

export interface IdxOptions {
  /** The rank that the file must have. */
  readonly rank?: number;
  /** Return at most this many items along axis 0. The whole file is still checked. */
  readonly limit?: number;
}

const elementTypes: Readonly<Record<number, string>> = {
  8: 'unsigned byte',
  9: 'signed byte',
  11: '16-bit integer',
  12: '32-bit integer',
  13: 'float',
  14: 'double',
};

const unsignedByte = 8;
// The length in bytes of the magic number and of at most 255 sizes. (The rank is stored in one byte.)
const longestHeader = 4 + 4 * 255;

/**
 * Reads an IDX file of unsigned bytes, plain or gzipped. Its content decides which of the two it is, not its name.
 *
 * The size of the file limits the memory that is used. The header of a plain file must agree with the length of the
 * file before memory is allocated. A gzipped file is unpacked up to the size in its header, and only if gzip can
 * produce that size from the length of the file.
 * @throws FormatError, naming the file and the position, if it cannot be read, if its magic number, element type or
 *   rank is wrong, if it is truncated or has extra bytes, or if its gzip checksum is wrong
 */
export function readIdx(file: string, options: IdxOptions = {}): IdxArray {
  return withFile(file, (open) => readIdxFrom(file, open, options));
}

/** Reads IDX from an `OpenFile`, as `readIdx` does. `file` is the name of the file in errors. */
export function readIdxFrom(file: string, open: OpenFile, options: IdxOptions = {}): IdxArray {
  const start = bytesAt(open, 0, Math.min(2, open.size));
  if (start[0] !== 0x1f || start[1] !== 0x8b) return readPlain(file, open, options);
  return readGzip(file, bytesAt(open, 0, open.size), options);
}

interface Header {
  readonly shape: readonly number[];
  readonly headerBytes: number;
  readonly dataBytes: number;
}

function readPlain(file: string, open: OpenFile, options: IdxOptions): IdxArray {
  const header = parseHeader(file, bytesAt(open, 0, Math.min(open.size, longestHeader)), options);
  const expected = header.headerBytes + header.dataBytes;
  if (open.size !== expected) throw wrongLength(file, header, open.size);
  const { shape, bytes } = limited(header, options);
  const data = bytesAt(open, header.headerBytes, bytes);
  return { shape, data, count: header.shape[0] as number };
}

function readGzip(file: string, packed: Uint8Array, options: IdxOptions): IdxArray {
  // To read the header, unpack only the first 4 KiB of the file, which limits the memory that a hostile file can use. A
  // header has at most 1 KiB, so they contain all of it.
  const first = packed.subarray(0, 4096);
  const head = gunzip(file, first, mostExpansion * first.length, true).bytes;
  const header = parseHeader(file, head, options);
  const expected = header.headerBytes + header.dataBytes;
  if (expected > packed.length * mostExpansion) {
    throw new FormatError(
      `${file}: truncated: its header states ${expected} bytes (shape [${header.shape.join(', ')}]), more than ${packed.length} gzipped bytes can hold`,
    );
  }
  const { bytes, consumed } = gunzip(file, packed, expected, false);
  if (bytes.length !== expected) throw wrongLength(file, header, bytes.length);
  if (consumed !== packed.length) {
    throw new FormatError(
      `${file}: expected the end of the file after the gzip stream, at byte ${consumed}, but ${packed.length - consumed} more bytes follow`,
    );
  }
  const { shape, bytes: wanted } = limited(header, options);
  const data = bytes.subarray(header.headerBytes, header.headerBytes + wanted);
  // A copy, so that a small subarray does not keep the whole unpacked file in memory.
  return {
    shape,
    data: wanted < header.dataBytes ? data.slice() : data,
    count: header.shape[0] as number,
  };
}

function parseHeader(file: string, bytes: Uint8Array, options: IdxOptions): Header {
  if (bytes.length < 4) {
    throw new FormatError(
      `${file}: truncated: expected the 4 bytes of an IDX magic number at byte 0, but the file ends after ${bytes.length}`,
    );
  }
  const [zero0, zero1, type, rank] = bytes as unknown as [number, number, number, number];
  if (zero0 !== 0 || zero1 !== 0) {
    const came = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0'));
    throw new FormatError(
      `${file}: not an IDX file: expected the magic number 00 00 08 ${options.rank === undefined ? 'nn' : hex(options.rank)} at byte 0, but received ${came.join(' ')}`,
    );
  }
  if (type !== unsignedByte) {
    throw new FormatError(
      `${file}: expected element type 08 (unsigned byte) at byte 2, but received ${hex(type)} (${elementTypes[type] ?? 'unknown'})`,
    );
  }
  if (rank === 0 || (options.rank !== undefined && rank !== options.rank)) {
    throw new FormatError(
      `${file}: expected ${options.rank ?? 'at least 1'} dimensions at byte 3, but received ${rank}`,
    );
  }
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes) {
    throw new FormatError(
      `${file}: truncated: expected ${rank} sizes from byte 4 to byte ${headerBytes}, but the file ends after ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  // Use BigInt, because a product of up to 255 sizes of 32 bits may be too large for an exact number.
  const dataBytes = shape.reduce((product, size) => product * BigInt(size), 1n);
  if (dataBytes > BigInt(Number.MAX_SAFE_INTEGER - headerBytes)) {
    throw new FormatError(
      `${file}: the sizes at byte 4, [${shape.join(', ')}], multiply to ${dataBytes} elements, more than any file holds`,
    );
  }
  return { shape, headerBytes, dataBytes: Number(dataBytes) };
}

function wrongLength(file: string, header: Header, size: number): FormatError {
  const expected = header.headerBytes + header.dataBytes;
  const shape = `[${header.shape.join(', ')}]`;
  return new FormatError(
    size < expected
      ? `${file}: truncated: expected ${expected} bytes for shape ${shape}, but the file ends after ${size}`
      : `${file}: expected the end of the file at byte ${expected}, for shape ${shape}, but more bytes follow`,
  );
}

function limited(
  header: Header,
  options: IdxOptions,
): { readonly shape: readonly number[]; readonly bytes: number } {
  const [count, ...rest] = header.shape as [number, ...number[]];
  const kept = Math.min(count, options.limit ?? count);
  return {
    shape: [kept, ...rest],
    bytes: count === 0 ? 0 : (header.dataBytes / count) * kept,
  };
}

/**
 * Unpacks gzip data to at most `most` bytes. If `partial` is true, the data may be truncated, and the result is what
 * can be unpacked from them.
 */
function gunzip(file: string, packed: Uint8Array, most: number, partial: boolean) {
  const refuse = (more: boolean, cause: Error) =>
    new FormatError(
      more
        ? `${file}: expected the unpacked data to end at byte ${most}, as its header says, but more bytes follow`
        : `${file}: at byte 0: not a valid gzip file: ${cause.message}`,
      { cause },
    );
  const options = partial ? { finishFlush: constants.Z_SYNC_FLUSH } : {};
  return unpack('gzip', packed, most, refuse, options);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
