/** Writes files asynchronously, completely or not at all, as `writeAtomically` does. */

import type { FileHandle } from 'node:fs/promises';
import { access, chmod, constants, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSwitchedOff } from './durable.js';
import { chunkBytes, makerOf, targetOf, temporaryFor, writingError } from './files.js';

/** For each file, the promise of its last pending write. A write starts when the previous write of its file is over. */
const writes = new Map<string, Promise<void>>();

/**
 * Writes a temporary file in the same folder, flushes it to the disk, and then renames it to `file`.
 * Writes to one file run one after another, in the order of the calls. Each write also removes the temporary files of
 * processes that were killed while they wrote `file`.
 * @param file an absolute path, because the working directory may change before the file is opened
 * @param parts the content, in order; it must not change until the promise is settled
 * @throws (rejects with) FormatError, naming the file, as `writeAtomically` does
 */
export function writeInBackground(file: string, parts: readonly Uint8Array[]): Promise<void> {
  const before = writes.get(file) ?? Promise.resolve();
  // An error of the previous write is reported to the caller of that write. This write runs even after such an error.
  const write = before.catch(() => {}).then(() => writeWhole(file, parts));
  writes.set(file, write);
  const forget = () => {
    if (writes.get(file) === write) writes.delete(file);
  };
  write.then(forget, forget);
  return write;
}

/**
 * Checks that the process may write in the folder of `file`. `fit` calls this first, so that an error is found before a
 * long training, and not at its first checkpoint.
 * @throws (rejects with) FormatError if the file cannot be written
 */
export async function assertWritable(file: string): Promise<void> {
  try {
    await access(dirname(targetOf(file).target), constants.W_OK);
  } catch (cause) {
    throw writingError(file, cause);
  }
}

async function writeWhole(file: string, parts: readonly Uint8Array[]): Promise<void> {
  let temporary: string | undefined;
  try {
    const { target, mode } = targetOf(file);
    await removeAbandoned(target);
    const name = temporaryFor(target);
    const handle = await open(name, 'wx', mode);
    temporary = name;
    try {
      // Calls chmod with the name of the file, because Node's permission model forbids fchmod.
      if (mode !== undefined) await chmod(name, mode);
      for (const part of parts) await writeAll(handle, part);
      await sync(handle);
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
    temporary = undefined;
    await syncFolder(dirname(target));
  } catch (cause) {
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => {});
    throw writingError(file, cause);
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.length; ) {
    const piece = bytes.subarray(start, start + chunkBytes);
    start += (await handle.write(piece)).bytesWritten;
  }
}

async function sync(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (cause) {
    if (!isSwitchedOff(cause)) throw cause;
  }
}

/** Flushes a folder to the disk. Ignores errors, as `writeAtomically` does: not every system can flush a folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** Removes the temporary files that killed processes left for `target`, because they would fill the disk over time. */
async function removeAbandoned(target: string): Promise<void> {
  const folder = dirname(target);
  // If the folder cannot be read, nothing is removed.
  for (const name of await readdir(folder).catch(() => [])) {
    const maker = makerOf(target, name);
    if (maker === undefined) continue;
    const path = join(folder, name);
    if (await isAbandoned(maker, path)) await rm(path, { force: true }).catch(() => {});
  }
}

async function isAbandoned(maker: number, path: string): Promise<boolean> {
  if (maker === process.pid) {
    // In a container, an earlier process may have had the id of this process. Its files are older than this process, so
    // they are abandoned.
    const began = Date.now() - process.uptime() * 1000;
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
    return mtimeMs < began;
  }
  try {
    process.kill(maker, 0);
    return false;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
