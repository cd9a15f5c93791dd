/** Reads files that another file names: they must be in its folder. */

import { realpathSync } from 'node:fs';
import { constants, open } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { ForebayError, FormatError } from '../errors.js';
import { chunkBytes } from './files.js';

/** A file that is open for reading, piece by piece. */
export interface FileBeside {
  /** The size in bytes. */
  readonly size: number;
  /** Fills `into` with the bytes from `position`. @throws (rejects with) FormatError if the file became shorter */
  readInto(into: Uint8Array, position: number): Promise<void>;
}

/** A file that another file names. */
export interface NamedFile {
  /** Its path, after links are followed if it may be read. */
  readonly path: string;
  /** Whether it may be read. */
  readonly beside: boolean;
}

/**
 * Returns where a file is that the file `from` names, and whether it may be read. The file that names it may come from a
 * stranger, who must not make us read other files. So it must be in the folder of `from`, or below it. If it is there by
 * a link, the file to which this leads must be in that folder, or in the one in which `from` is after links are followed:
 * in the cache of Hugging Face, both are links to files in another folder.
 * @param location the path relative to the folder of `from`
 * @throws the error of the system if a file or a folder is missing
 */
export function besideOf(from: string, location: string): NamedFile {
  const folder = resolve(dirname(from));
  const path = resolve(folder, location);
  if (isAbsolute(location) || location.includes('\0') || !isWithin(folder, path)) {
    return { path, beside: false };
  }
  const target = realpathSync(path);
  const folders = [realpathSync(folder), dirname(realpathSync(from))];
  return { path: target, beside: folders.some((one) => isWithin(one, target)) };
}

/**
 * Opens a file that the file `from` names, calls `use`, and closes it. `besideOf` says which files may be read.
 * @param location the path relative to the folder of `from`
 * @param what the file in error messages
 * @throws (rejects with) FormatError if the file may not be read, is missing, not a regular file, or unreadable
 */
export function withFileBeside<T>(
  from: string,
  location: string,
  what: string,
  use: (file: FileBeside) => Promise<T>,
): Promise<T> {
  return reading(what, async () => {
    const { path, beside } = besideOf(from, location);
    if (beside) return opened(path, what, use);
    throw new FormatError(`${what} is not in the folder ${dirname(from)}`);
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
