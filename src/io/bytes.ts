/** Makes an `OpenFile` of bytes in memory or of a range of a file, so that readers need no other interface. */

import { FormatError } from '../errors.js';
import { bytesOf, type DType, firstNoBool, makeBools } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { OpenFile } from './files.js';

/**
 * Returns an `OpenFile` that reads from memory.
 * @param file the name of the bytes in error messages
 */
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

/** Returns the bytes from `begin` (included) to `end` (excluded) as an `OpenFile`. Both must be within `open`. */
export function partOf(open: OpenFile, begin: number, end: number): OpenFile {
  return {
    size: end - begin,
    readInto: (into, position) => open.readInto(into, begin + position),
  };
}

/** Reads `length` bytes at `position` into a new array. The caller must have checked that `open` has them. */
export function bytesAt(open: OpenFile, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  open.readInto(bytes, position);
  return bytes;
}

/**
 * Returns the memory of a tensor as bytes, without a copy. The bytes are little-endian, because all machines that
 * forebay is built for are little-endian.
 */
export function bytesIn({ data }: Pick<Tensor, 'data'>): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Returns the bytes of a tensor for a file: its memory, or a copy in which bools are 0 and 1. Users can write other bytes
 * into the memory of bools, but files must not have them.
 */
export function writtenBytes(tensor: Pick<Tensor, 'data' | 'dtype'>): Uint8Array {
  const bytes = bytesIn(tensor);
  if (tensor.dtype !== 'bool' || firstNoBool(bytes) < 0) return bytes;
  const bools = bytes.slice();
  makeBools(bools);
  return bools;
}

/**
 * Returns the number of elements of a shape that was read from a file; undefined if the elements do not fit in memory.
 * This check counts an axis of size 0 as 1, because the strides must also be exact numbers. They are products of the
 * other sizes.
 */
export function elementsOf(shape: readonly number[], dtype: DType): number | undefined {
  // Use BigInt, because a product of up to 32 sizes of 53 bits may be too large for an exact number.
  const most = shape.reduce((n, size) => n * BigInt(size || 1), BigInt(bytesOf[dtype]));
  if (most > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return shape.reduce((n, size) => n * size, 1);
}
