/** Files as bytes: read where they are wanted, written whole or not at all. */

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

// A system call moves at most 2 GiB; this much also bounds the copy that writing makes.
export const chunkBytes = 2 ** 24;

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
 * name: whoever looks, and whatever interrupts, finds the old file or the new one. A link stays one,
 * and a file that is replaced passes on who may read it. Under `node --permission`, which forbids fsync,
 * the system writes it to the disk in its own time (see `savesAreDurable`).
 * @throws FormatError, naming the file, if it cannot be written, or if something other than a regular file is
 *   there; the old file is as it was then, and nothing is left beside it
 */
export function writeAtomically(file: string, parts: Iterable<Uint8Array>): void {
  let temporary: string | undefined;
  try {
    const { target, mode } = targetOf(file);
    const name = temporaryFor(target);
    const descriptor = openSync(name, 'wx', mode);
    temporary = name;
    try {
      // By its name: Node's permission model forbids fchmod.
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
    ? ' A file is saved under another name first: allow its folder by --allow-fs-read and --allow-fs-write.'
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

/** After a failure, which is what is to be reported: not that this failed too. */
function remove(temporary: string): void {
  try {
    rmSync(temporary, { force: true });
  } catch {}
}

// Cut short, as the system allows a name only so many bytes.
const stemOf = (target: string) => `${basename(target).slice(0, 40)}.`;

/** A name that no other file has, beside the file that it is to become. */
export function temporaryFor(target: string): string {
  const suffix = `${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  return join(dirname(target), stemOf(target) + suffix);
}

/** The id of the process that made it, where a name in the target's folder is one of `temporaryFor`. */
export function makerOf(target: string, name: string): number | undefined {
  const stem = stemOf(target);
  if (!name.startsWith(stem)) return undefined;
  const [, pid] = /^(\d+)\.[0-9a-f]{8}\.tmp$/.exec(name.slice(stem.length)) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

/** Where a name leads, and the permissions of what is there, if anything is. */
export function targetOf(file: string): { target: string; mode: number | undefined } {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return { target: file, mode: undefined };
  // A new name would take the place of a device or a pipe, /dev/null for one.
  if (!stat.isFile()) {
    throw new FormatError(`${file}: cannot be written: what is there is no regular file`);
  }
  return { target: realpathSync(file), mode: stat.mode & 0o777 };
}

/** In pieces, each copied: leaves lie on shared memory, which another thread may be reading. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    const piece = bytes.slice(start, start + chunkBytes);
    let written = 0;
    while (written < piece.length) written += writeSync(descriptor, piece, written);
  }
}

/**
 * A name is on the disk when its folder is. The file has its name by now, so that a system which
 * cannot do this is no failure: Windows has no handle for it, and a folder need not be readable.
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
