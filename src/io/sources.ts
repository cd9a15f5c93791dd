/** Reads the arguments that say where a file is: paths, `file:` URLs and, for loaders only, bytes in memory. */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { describeValue } from '../arguments/describe.js';
import { FormatError, ValueError } from '../errors.js';
import { inMemory } from './bytes.js';
import { type OpenFile, withFile } from './files.js';

/** A `file:` URL. This type has only `href`, because not every TypeScript setup has the type `URL`. */
export interface FileUrl {
  /** The whole URL, as in `file:///models/net.safetensors`. */
  readonly href: string;
}

/** A path, absolute or relative to the working directory, or a `file:` URL. */
export type FilePath = string | FileUrl;

/**
 * A file, or the bytes of a file as a `Uint8Array` (which includes `Buffer`), an `ArrayBuffer` or a
 * `SharedArrayBuffer`.
 */
export type FileSource = FilePath | Uint8Array | ArrayBuffer | SharedArrayBuffer;

/**
 * Returns the path of a file. A relative path stays relative.
 * @throws ValueError if `file` is neither a path nor a `file:` URL
 */
export function pathOf(file: unknown, context: string): string {
  const path = typeof file === 'string' && !file.startsWith('file://') ? file : pathOfUrl(file);
  if (path !== undefined && path !== '' && !path.includes('\0')) return path;
  throw new ValueError(
    `${context}: expected the path of a file or a file: URL, but received ${describeUrl(file)}`,
  );
}

/**
 * Returns the absolute path of a file. Asynchronous functions need it, because the working directory may change while
 * they work.
 * @throws ValueError if `file` is neither a path nor a `file:` URL; FormatError if there is no working directory
 */
export function absolutePathOf(file: unknown, context: string): string {
  const path = pathOf(file, context);
  try {
    return resolve(path);
  } catch (cause) {
    throw new FormatError(`${path}: the working directory is gone; give an absolute path`, {
      cause,
    });
  }
}

/** A source that can be read like a file. */
export interface Source {
  /** The name of the source in error messages. */
  readonly name: string;
  /** Whether the source is bytes in memory. */
  readonly inMemory: boolean;
  /**
   * Opens the source, calls `read`, and closes the source.
   * @throws FormatError if it is missing, not a regular file, or unreadable
   */
  read<T>(read: (open: OpenFile) => T): T;
}

/**
 * Returns a source that reads the argument of a loader.
 * @throws ValueError if `source` is not a path, a `file:` URL or bytes, or if the bytes were transferred
 */
export function sourceOf(source: unknown, context: string): Source {
  const bytes = bytesOf(source, context);
  if (bytes === undefined) {
    const name = pathOf(source, context);
    return { name, inMemory: false, read: (read) => withFile(name, read) };
  }
  const name = `the bytes given to ${context}`;
  return { name, inMemory: true, read: (read) => read(inMemory(name, bytes)) };
}

function bytesOf(source: unknown, context: string): Uint8Array | undefined {
  // Do not use `instanceof`, because the bytes may come from another realm.
  if (!types.isUint8Array(source) && !types.isAnyArrayBuffer(source)) return undefined;
  try {
    if (types.isAnyArrayBuffer(source)) return new Uint8Array(source);
    // Make a new array over the same memory, because the methods of the given array may be overridden. The constructor
    // throws if the buffer is detached.
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  } catch (cause) {
    throw new ValueError(`${context}: the bytes have been transferred away`, {
      cause,
    });
  }
}

function pathOfUrl(url: unknown): string | undefined {
  try {
    const href = typeof url === 'string' ? url : (url as FileUrl).href;
    return typeof href === 'string' ? fileURLToPath(href) : undefined;
  } catch {
    // The URL has another protocol or is not valid, or `href` throws.
    return undefined;
  }
}

function describeUrl(file: unknown): string {
  try {
    const href = typeof file === 'object' ? (file as FileUrl | null)?.href : undefined;
    return typeof href === 'string' ? `the URL ${href.slice(0, 200)}` : describeValue(file);
  } catch {
    return describeValue(file);
  }
}
