/** Decompresses deflate and gzip data, up to a given size of the result. */

import { gunzipSync, inflateRawSync, type ZlibOptions } from 'node:zlib';
import type { FormatError } from '../errors.js';

/**
 * An upper bound of the number of bytes that one byte of deflate data unpacks to: two bits unpack to at most 258 bytes
 * (technical note of zlib).
 */
export const mostExpansion = 1032;

const formats = { raw: inflateRawSync, gzip: gunzipSync } as const;

/**
 * Decompresses bytes.
 * @param most the largest size of the result, in bytes
 * @param refuse returns the error to throw: `more` is true if the result exceeds `most`, and false if the data are not
 *   valid
 * @returns the decompressed bytes, and how many compressed bytes were used
 */
export function unpack(
  format: keyof typeof formats,
  packed: Uint8Array,
  most: number,
  refuse: (more: boolean, cause: Error) => FormatError,
  options: ZlibOptions = {},
): { readonly bytes: Uint8Array; readonly consumed: number } {
  try {
    // With `info`, zlib also returns its engine, which has the number of compressed bytes that were used. Node's types
    // do not declare this.
    const { buffer, engine } = formats[format](packed, {
      info: true,
      maxOutputLength: Math.max(most, 1),
      ...options,
    }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
    return { bytes: buffer, consumed: engine.bytesWritten };
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    throw refuse(error.code === 'ERR_BUFFER_TOO_LARGE', error);
  }
}
