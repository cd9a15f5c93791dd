/** Deflate, unpacked within a bound: zlib's own memory, and what it is to be trusted with. */

import { gunzipSync, inflateRawSync, type ZlibOptions } from 'node:zlib';
import type { FormatError } from '../errors.js';

/** As many bytes as one can become: 258 from two bits, rounded up (zlib's own technical note). */
export const mostExpansion = 1032;

const formats = { raw: inflateRawSync, gzip: gunzipSync } as const;

/**
 * What packed bytes unpack to, and how many of them it took.
 * @param most as many as are wanted: none beyond them is unpacked
 * @param refuse the error for bytes that do not end there (`more`), or that are not sound
 */
export function unpack(
  format: keyof typeof formats,
  packed: Uint8Array,
  most: number,
  refuse: (more: boolean, cause: Error) => FormatError,
  options: ZlibOptions = {},
): { readonly bytes: Uint8Array; readonly consumed: number } {
  try {
    // `info` gives the engine too, which knows where the stream ended; the types omit it.
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
