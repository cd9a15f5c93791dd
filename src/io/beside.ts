/** Reads files that another file names: they must be in its folder. */

import { constants, open, realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { ForebayError, FormatError } from '../errors.js';
import { chunkBytes } from './files.js';

/** A file that is open for reading, piece by piece. */
export interface FileBeside {
  /** The size in bytes. */
  readonly size: number;
  /** Fills `into` with the bytes from `position`. @throws (rejects with) FormatError if the file became shorter */
  readInto(into: Uint8Array, position: number): Promise<void>;
}

/**
 * Opens a file that a file in `folder` names, calls `use`, and closes it. The file that names it may come from a
 * stranger, who must not make us read other files. So it must be in the folder, also after links are followed.
 * @param location the path relative to the folder
 * @param what the file in error messages
 * @throws (rejects with) FormatError if the file is not in the folder, is missing, not a regular file, or unreadable
 */
export async function withFileBeside<T>(
  folder: string,
  location: string,
  what: string,
  use: (file: FileBeside) => Promise<T>,
): Promise<T> {
  const path = resolve(folder, location);
  if (isAbsolute(location) || location.includes('\0') || !isWithin(folder, path)) {
    throw outside(what, folder);
  }
  return reading(what, async () => {
    const target = await realpath(path);
    if (!isWithin(await realpath(folder), target)) throw outside(what, folder);
    return opened(target, what, use);
  });
}

/**
 * Reads a whole file.
 * @param what the file in error messages
 * @throws (rejects with) FormatError if it is missing, not a regular file, or unreadable
 */
export function wholeFile(path: string, what: string): Promise<Uint8Array> {
  return reading(what, () =>
    opened(path, what, async (file) => {
      const bytes = new Uint8Array(file.size);
      await file.readInto(bytes, 0);
      return bytes;
    }),
  );
}

async function opened<T>(
  path: string,
  what: string,
  use: (file: FileBeside) => Promise<T>,
): Promise<T> {
  // O_NONBLOCK, because otherwise opening a named pipe would wait for a writer. Windows has neither.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new FormatError(`${what} is not a regular file`);
    return await use({
      size: status.size,
      readInto: async (into, position) => {
        for (let filled = 0; filled < into.length; ) {
          const wanted = Math.min(chunkBytes, into.length - filled);
          const { bytesRead } = await file.read(into, filled, wanted, position + filled);
          if (bytesRead === 0) throw new FormatError(`${what} became shorter while it was read`);
          filled += bytesRead;
        }
      },
    });
  } finally {
    await file.close();
  }
}

function isWithin(folder: string, path: string): boolean {
  const below = relative(folder, path);
  return below !== '' && below !== '..' && !below.startsWith(`..${sep}`) && !isAbsolute(below);
}

function outside(what: string, folder: string): FormatError {
  return new FormatError(`${what} is not in the folder ${folder}`);
}

/** Calls `read`, and throws a FormatError if the system refuses. */
async function reading<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof ForebayError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${message}`;
    throw new FormatError(`${what}: expected a file, but ${why}`, { cause });
  }
}
