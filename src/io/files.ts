/** Files as bytes: read where they are wanted, written whole or not at all. */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describeValue, ForebayError, FormatError, ValueError } from '../errors.js';

// A system call moves at most 2 GiB; this much also bounds the copy that writing makes.
const chunkBytes = 2 ** 24;

/** @throws ValueError for what is no path */
export function assertPath(file: unknown, context: string): asserts file is string {
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw new ValueError(
      `${context} expected the path of a file, but received ${describeValue(file)}`,
    );
  }
}

/** A regular file that is open for reading. */
export interface OpenFile {
  readonly size: number;
  /** Fills `into` from `position`. @throws FormatError when the file has become shorter meanwhile */
  readInto(into: Uint8Array, position: number): void;
}

/**
 * Opens a file, reads from it, closes it.
 * @throws FormatError, naming the file, when it is missing, no regular file, or cannot be read
 */
export function withFile<T>(file: string, read: (open: OpenFile) => T): T {
  let descriptor: number | undefined;
  try {
    // Not to wait for somebody to write into a pipe; Windows has no such flag, and no such pipes.
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = fstatSync(descriptor);
    if (!stat.isFile())
      throw new FormatError(`${file}: expected a file, but it is no regular file`);
    return read(openFile(file, descriptor, stat.size));
  } catch (cause) {
    if (cause instanceof ForebayError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${message}`;
    throw new FormatError(`${file}: expected a file, but ${what}`, { cause });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function openFile(file: string, descriptor: number, size: number): OpenFile {
  return {
    size,
    readInto: (into, position) => {
      let filled = 0;
      while (filled < into.length) {
        const wanted = Math.min(chunkBytes, into.length - filled);
        const count = readSync(descriptor, into, filled, wanted, position + filled);
        if (count === 0) {
          throw new FormatError(
            `${file}: truncated while it was read: expected ${into.length} bytes at byte ${position}, but received ${filled}`,
          );
        }
        filled += count;
      }
    },
  };
}

/**
 * Writes a file under a temporary name beside it, has it on the disk, and only then gives it its
 * name: whoever looks, and whatever interrupts, finds the old file or the new one.
 * @throws FormatError, naming the file, when it cannot be written; the old file is as it was then,
 *   and nothing is left beside it
 */
export function writeAtomically(file: string, parts: Iterable<Uint8Array>): void {
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  let made = false;
  try {
    const descriptor = openSync(temporary, 'wx');
    made = true;
    try {
      for (const part of parts) writeAll(descriptor, part);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
    made = false;
    syncFolder(dirname(file));
  } catch (cause) {
    if (made) rmSync(temporary, { force: true });
    if (cause instanceof ForebayError) throw cause;
    throw new FormatError(`${file}: cannot be written: ${(cause as Error).message}`, { cause });
  }
}

/** In pieces, each copied: leaves lie on shared memory, which another thread may be reading. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    const piece = bytes.slice(start, start + chunkBytes);
    let written = 0;
    while (written < piece.length) written += writeSync(descriptor, piece, written);
  }
}

/** A name is on the disk when its folder is. Windows has no handle for that. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
