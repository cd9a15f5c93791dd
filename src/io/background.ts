/** Files written off the JavaScript thread: whole or not at all, as `writeAtomically` does it. */

import type { FileHandle } from 'node:fs/promises';
import { access, chmod, constants, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSwitchedOff } from './durable.js';
import { chunkBytes, makerOf, targetOf, temporaryFor, writingError } from './files.js';

/** The writes that have not ended, by file, each after the one before it. */
const writes = new Map<string, Promise<void>>();

/**
 * Writes a file under a temporary name beside it, has it on the disk, and only then gives it its name.
 * Writes to one file go one after another, in the order of calling. Temporary files of processes that
 * were killed while they wrote it are removed.
 * @param file an absolute path, as the working directory may change before it is opened
 * @param parts must not change until the promise is settled
 * @throws (rejects with) FormatError, naming the file, as `writeAtomically` does
 */
export function writeInBackground(file: string, parts: readonly Uint8Array[]): Promise<void> {
  const before = writes.get(file) ?? Promise.resolve();
  // Whoever began the one before is told how it went; this one is to be written in any case.
  const write = before.catch(() => {}).then(() => writeWhole(file, parts));
  writes.set(file, write);
  const forget = () => {
    if (writes.get(file) === write) writes.delete(file);
  };
  write.then(forget, forget);
  return write;
}

/**
 * For what is to be written after hours of work, and should be known before them.
 * @throws (rejects with) FormatError when no such file can be written
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
      // By its name: Node's permission model forbids fchmod.
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

/** As in `writeAtomically`, no failure where the system cannot do it. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** A process that is killed leaves its temporary file behind: a hundred of them would fill the disk. */
async function removeAbandoned(target: string): Promise<void> {
  const folder = dirname(target);
  // A folder may be closed to readers: then nothing is found in it.
  for (const name of await readdir(folder).catch(() => [])) {
    const maker = makerOf(target, name);
    if (maker === undefined) continue;
    const path = join(folder, name);
    if (await isAbandoned(maker, path)) await rm(path, { force: true }).catch(() => {});
  }
}

async function isAbandoned(maker: number, path: string): Promise<boolean> {
  if (maker === process.pid) {
    // In a container every process may have one and the same id.
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
