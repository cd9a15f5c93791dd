/** Bytes that are read like a file: what lies in memory, and a part of what lies elsewhere. */

import { FormatError } from '../errors.js';
import { bytesOf, type DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { OpenFile } from './files.js';

/** Bytes in memory, to be read by what reads files. `file`: how errors name them. */
export function inMemory(file: string, bytes: Uint8Array): OpenFile {
  return {
    size: bytes.length,
    readInto: (into, position) => {
      if (position + into.length > bytes.length) {
        throw new FormatError(
          `${file}: truncated: expected ${into.length} bytes at byte ${position}, but there are ${bytes.length}`,
        );
      }
      into.set(bytes.subarray(position, position + into.length));
    },
  };
}

/** The bytes from `begin` to before `end`, which must lie in the file, as a file of their own. */
export function partOf(open: OpenFile, begin: number, end: number): OpenFile {
  return {
    size: end - begin,
    readInto: (into, position) => open.readInto(into, begin + position),
  };
}

/** A new array of so many bytes; the caller has found that the file has them. */
export function bytesAt(open: OpenFile, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  open.readInto(bytes, position);
  return bytes;
}

/** A tensor's memory as bytes, in the machine's order: little-endian on all that forebay is built for. */
export function bytesIn({ data }: Pick<Tensor, 'data'>): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * How many elements a shape that a file gives has; undefined when that, or what it would be were no
 * axis empty, is more than any memory holds. Strides are products of the other axes, so that an empty
 * axis excuses nothing.
 */
export function elementsOf(shape: readonly number[], dtype: DType): number | undefined {
  // BigInt: 32 sizes of 53 bits overflow any number before a comparison could refuse them.
  const most = shape.reduce((n, size) => n * BigInt(size || 1), BigInt(bytesOf[dtype]));
  if (most > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return shape.reduce((n, size) => n * size, 1);
}
