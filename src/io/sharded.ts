/**
 * Reads models whose tensors are in several safetensors files (shards), with an index: a JSON file that says which tensor
 * is in which shard. Libraries of Hugging Face write such models.
 *
 *     { "metadata": { "total_size": 512 }, "weight_map": { "a.weight": "model-00001-of-00002.safetensors", … } }
 */

import { posix, win32 } from 'node:path';
import { FormatError } from '../errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { besideOf, type NamedFile } from './beside.js';
import { bytesAt } from './bytes.js';
import { type OpenFile, withFile } from './files.js';
import { type JsonReader, readJson } from './json.js';
import { type LoadOptions, readLoadOptions, report, Selection } from './selection.js';
import { type FilePath, type FileSource, pathOf, sourceOf } from './sources.js';
import { readSelected, type Stored, storedIn } from './stored.js';

/** For each tensor of a model, the name of the file that has it. */
type WeightFiles = ReadonlyMap<string, string>;

/** The longest index that is read, in bytes. */
const mostIndexBytes = 100_000_000;
/** The largest number of files of one model. All of them are open at the same time. */
const mostFiles = 1_000;

/**
 * Reads the tensors of a model in several safetensors files. Each tensor is read from the file that the index names, as
 * `load` reads it. Other tensors of these files are ignored.
 *
 *     await assign(net, loadSharded('model/model.safetensors.index.json'), { map: maps.pytorch(net) });
 *
 * The files must be in the folder of the index. Links are followed, as in the cache of Hugging Face: then the file must
 * be in the folder of the index as given, or in the folder in which the index is after links are followed.
 * @param index the path, or the `file:` URL, of a `model.safetensors.index.json`
 * @param options those of `load`. With `only`, files that have none of the tensors are not opened
 * @returns the tensors by name
 * @throws FormatError if the index or a file is missing or damaged, if the index names a file that is not in its folder,
 *   if a file lacks a tensor that the index names (the error names both), or if a requested tensor is missing or cannot
 *   be read; DTypeError if a dtype is given for a tensor that is not read; ValueError if `index` is not a path or an
 *   option is unknown
 */
export function loadSharded(index: FilePath, options?: LoadOptions): Record<string, Tensor> {
  const path = pathOf(index, 'loadSharded');
  const read = readLoadOptions('loadSharded', options);
  const files = readIndex(path);
  const selection = new Selection(path, read, [...files.keys()]);
  const chosen = new Map([...files].filter(([name]) => selection.has(name)));
  const { tensors, skipped } = withShards(path, chosen, (stored) => {
    return readSelected(stored, selection);
  });
  report('loadSharded', path, skipped, read.onSkipped);
  return tensors;
}

/** A file with weights, or an index of such files. */
export interface WeightSource {
  /** The name in error messages. */
  readonly name: string;
  /** Opens the files, calls `read` with all tensors of the model, and closes the files. */
  read<T>(read: (stored: readonly Stored[]) => T): T;
}

/**
 * Returns the source of weights that a user gave: an index if it is a path that ends in `.index.json`, otherwise a
 * safetensors file.
 * @throws ValueError if it is not a path, a `file:` URL or bytes
 */
export function weightsAt(file: FileSource, context: string): WeightSource {
  const source = sourceOf(file, context);
  const { name } = source;
  if (source.inMemory || !name.endsWith('.index.json')) {
    return { name, read: (read) => source.read((open) => read(storedIn(name, open))) };
  }
  return { name, read: (read) => withShards(name, readIndex(name), read) };
}

/** @throws FormatError, naming file and byte, if the index is missing or damaged */
function readIndex(path: string): WeightFiles {
  return withFile(path, (open) => {
    if (open.size > mostIndexBytes) {
      throw new FormatError(
        `${path}: not an index: it has ${open.size} bytes, but the limit is ${mostIndexBytes}`,
      );
    }
    return readJson(path, 'the index', bytesAt(open, 0, open.size), 0, readWeightMap);
  });
}

function readWeightMap(reader: JsonReader): WeightFiles {
  let files: Map<string, string> | undefined;
  reader.object((key) => {
    if (key !== 'weight_map') {
      reader.skipValue();
      return;
    }
    const found = new Map<string, string>();
    reader.object((name) => {
      const { position } = reader;
      const file = reader.string();
      // A name of a file on one system may be a path on another one.
      const isName = [posix, win32].every(({ basename }) => basename(file) === file);
      if (!isName || file === '' || file === '.' || file === '..' || file.includes('\0')) {
        reader.fail(
          `expected the name of a file in the folder of the index for tensor ${JSON.stringify(name)}, but found ${JSON.stringify(file)}`,
          position,
        );
      }
      found.set(name, file);
    });
    files = found;
  });
  return files ?? reader.fail(`the index has no weight_map`, 0);
}

/**
 * Opens the shards that have some tensors, calls `read` with these tensors, and closes the shards.
 * @throws FormatError if a shard is missing, damaged or not in the folder of the index, or if it lacks a tensor
 */
function withShards<T>(
  index: string,
  files: WeightFiles,
  read: (stored: readonly Stored[]) => T,
): T {
  const tensorsOf = new Map<string, Set<string>>();
  for (const [name, file] of files) {
    const tensors = tensorsOf.get(file) ?? new Set();
    tensorsOf.set(file, tensors.add(name));
  }
  if (tensorsOf.size > mostFiles) {
    throw new FormatError(
      `${index}: expected at most ${mostFiles} files, but the index has ${tensorsOf.size}`,
    );
  }
  const shards = [...tensorsOf].map(([file, names]) => {
    const [first] = names;
    return { names, path: pathOfShard(index, file, first as string) };
  });
  const stored: Stored[] = [];
  const withNext = (at: number): T => {
    const shard = shards[at];
    if (shard === undefined) return read(stored);
    return withFile(shard.path, (open) => {
      stored.push(...tensorsIn(index, shard.path, open, shard.names));
      return withNext(at + 1);
    });
  };
  return withNext(0);
}

/** @throws FormatError if the file lacks one of the tensors */
function tensorsIn(
  index: string,
  path: string,
  open: OpenFile,
  names: ReadonlySet<string>,
): Stored[] {
  const found = storedIn(path, open).filter(({ entry }) => names.has(entry.name));
  if (found.length === names.size) return found;
  const there = new Set(found.map(({ entry }) => entry.name));
  const lacking = [...names].find((name) => !there.has(name));
  throw new FormatError(`${index}: tensor '${lacking}' is said to be in ${path}, but it is not`);
}

/** Returns the path of a shard, after links are followed. */
function pathOfShard(index: string, file: string, tensor: string): string {
  const what = `${index}: the index has tensor '${tensor}' in the file '${file}', but`;
  let found: NamedFile;
  try {
    found = besideOf(index, file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${message}`;
    throw new FormatError(`${what} ${why}`, { cause });
  }
  if (found.beside) return found.path;
  throw new FormatError(
    `${what} this is a link to ${found.path}, outside of the folder of the index`,
  );
}
