/** Reads files at any position, and writes them completely or not at all. */

import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ForebayError, FormatError } from '../errors.js';
import { isSwitchedOff } from './durable.js';

// The largest number of bytes that one system call reads or writes. Systems allow at most 2 GiB. This number is
// smaller, because `writeAll` copies the bytes of each call.
export const chunkBytes = 2 ** 24;

/** A regular file that is open for reading. */
export interface OpenFile {
  /** The size in bytes. */
  readonly size: number;
  /** Fills `into` with the bytes from `position`. @throws FormatError if the file became shorter after it was opened */
  readInto(into: Uint8Array, position: number): void;
}

/**
 * Opens a file, calls `read`, and closes the file.
 * @throws FormatError, naming the file, if it is missing, is not a regular file, or cannot be read
 */
export function withFile<T>(file: string, read: (open: OpenFile) => T): T {
  let descriptor: number | undefined;
  try {
    // O_NONBLOCK, because otherwise opening a named pipe would block until a writer opens the pipe. Windows has neither
    // this flag nor such pipes.
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = fstatSync(descriptor);
    if (!stat.isFile())
      throw new FormatError(`${file}: expected a file, but it is not a regular file`);
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
 * Writes a temporary file in the same folder, flushes it to the disk, and then renames it to `file`. Readers always
 * find the complete old file or the complete new one, also after a crash. If `file` is a link, its target is
 * replaced. The new file gets the permissions of the old one. Under `node --permission`, which forbids fsync, the
 * system decides when to write the file to the disk (see `savesAreDurable`).
 * @throws FormatError, naming the file, if it cannot be written, or if `file` exists and is not a regular file. Then
 *   the old file is unchanged, and the temporary file is removed
 */
export function writeAtomically(file: string, parts: Iterable<Uint8Array>): void {
  let temporary: string | undefined;
  try {
    const { target, mode } = targetOf(file);
    const name = temporaryFor(target);
    const descriptor = openSync(name, 'wx', mode);
    temporary = name;
    try {
      // Calls chmod with the name of the file, because Node's permission model forbids fchmod.
      if (mode !== undefined) chmodSync(name, mode);
      for (const part of parts) writeAll(descriptor, part);
      sync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, target);
    temporary = undefined;
    syncFolder(dirname(target));
  } catch (cause) {
    if (temporary !== undefined) remove(temporary);
    throw writingError(file, cause);
  }
}

export function writingError(file: string, cause: unknown): ForebayError {
  if (cause instanceof ForebayError) return cause;
  const { message } = cause as Error;
  const remedy = isSwitchedOff(cause)
    ? ' A file is written under a temporary name first: allow its folder with --allow-fs-read and --allow-fs-write.'
    : '';
  return new FormatError(`${file}: cannot be written: ${message}${remedy}`, { cause });
}

function sync(descriptor: number): void {
  try {
    fsyncSync(descriptor);
  } catch (cause) {
    if (!isSwitchedOff(cause)) throw cause;
  }
}

/** Removes a temporary file after a failure. Does not throw, because the first failure must be reported. */
function remove(temporary: string): void {
  try {
    rmSync(temporary, { force: true });
  } catch {}
}

// Returns how the names of temporary files for `target` begin. The name of `target` is shortened, because systems limit
// the length of a file name.
const stemOf = (target: string) => `${basename(target).slice(0, 40)}.`;

/** Returns a unique path in the folder of `target`, for a temporary file that will be renamed to `target`. */
export function temporaryFor(target: string): string {
  const suffix = `${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  return join(dirname(target), stemOf(target) + suffix);
}

/**
 * Returns the id of the process that made the temporary file `name` for `target`; undefined if `name` is not the name
 * of such a file.
 */
export function makerOf(target: string, name: string): number | undefined {
  const stem = stemOf(target);
  if (!name.startsWith(stem)) return undefined;
  const [, pid] = /^(\d+)\.[0-9a-f]{8}\.tmp$/.exec(name.slice(stem.length)) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

/**
 * Returns the path of a file with links resolved (`target`), and its permissions (`mode`). If there is no such file,
 * returns the path unchanged, and undefined as `mode`.
 * @throws FormatError if the path exists and is not a regular file
 */
export function targetOf(file: string): { target: string; mode: number | undefined } {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return { target: file, mode: undefined };
  // Refuse a device or a pipe, such as /dev/null, because the rename would replace it with a regular file.
  if (!stat.isFile()) {
    throw new FormatError(`${file}: cannot be written: it exists, but is not a regular file`);
  }
  return { target: realpathSync(file), mode: stat.mode & 0o777 };
}

/** Writes bytes in pieces. Each piece is copied first, because the values of leaves are in shared memory. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    const piece = bytes.slice(start, start + chunkBytes);
    let written = 0;
    while (written < piece.length) written += writeSync(descriptor, piece, written);
  }
}

/**
 * Flushes a folder, so that the new name of the file is on the disk. Ignores errors, because the file already has its
 * name, and not every folder can be flushed: Windows cannot open a folder, and a folder may not be readable.
 */
function syncFolder(folder: string): void {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(folder, 'r');
    fsyncSync(descriptor);
  } catch {
    return;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
