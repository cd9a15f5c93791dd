/**
 * Reads and writes tensors as safetensors, the format of Python's `safetensors`
 * (https://github.com/huggingface/safetensors, "Format").
 */

import { describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertRecord } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import { namedValues, type Restored } from '../modules/named.js';
import { mapOption } from '../modules/transfer.js';
import type { Tensor } from '../tensor/tensor.js';
import { codes, encoded, floatTypes, type Written, withTypes, writtenBytesOf } from './encoding.js';
import { type OpenFile, writeAtomically } from './files.js';
import { fitting } from './fitting.js';
import {
  formatHeader,
  type Header,
  isWritable,
  lengthBytes,
  type Metadata,
  metadataKey,
  mostHeaderBytes,
  type NewEntry,
} from './header.js';
import { type Found, type LoadOptions, readLoadOptions, report, Selection } from './selection.js';
import { type FilePath, type FileSource, pathOf, sourceOf } from './sources.js';
import { described, readHeader, readSelected, readStored, storedIn } from './stored.js';
import { mappedTensors, restoredIn, type Saved, savedTensors } from './values.js';

const saveOptions = declareOptions('save', {
  /** Strings of your own, by name, which the file stores with the tensors. `loadMetadata` returns them. */
  metadata: optional(checkedLater<Metadata>('a record of strings')),
  /**
   * The type in which floats are written: `'float16'`, `'bfloat16'`, `'float32'` or `'float64'`; or types by the names of
   * tensors. Numbers are rounded to the nearest, of two equally near ones to the even one. By default floats are written
   * in their own dtype. Integers and bools always are.
   */
  dtype: optional(floatTypes, 'dtypes', 'type', 'precision'),
  /**
   * The names in the file, if they differ from the paths of the variables: a function of the path, or a record of names
   * by path. Or a map that also knows layouts, such as `maps.pytorch(net)`. A variable is left out if the function
   * returns undefined. With a map, all values must be parameters and states: it does not know the layouts of tensors.
   */
  map: mapOption,
});

/** The options of `save`. */
export interface SaveOptions extends OptionsOf<typeof saveOptions> {}

/**
 * Writes values to a safetensors file, completely or not at all: a temporary file in the same folder is renamed to
 * `file`. When `save` returns, the file is on the disk, except under `node --permission`, which forbids fsync
 * (`forebay doctor` reports this).
 * @param file a path or a `file:` URL
 * @param values a module, whose variables are saved under their paths relative to it; a list of parameters and states,
 *   which are saved under their own names; or a record of variables, tensors and modules by their names in the file
 * @throws ValueError if a value cannot be saved, if there is a tensor under the option `map`, if the map gives two tensors
 *   one name, if a finite number is too large for the option `dtype`, or if an option is unknown or invalid; DTypeError if
 *   the option `dtype` is not a type of floats, or names a tensor that is not saved or has no floats; GraphError if two
 *   values have the same name; StateError if a run in flight writes a parameter; FormatError, naming the file, if it
 *   cannot be written. After an error the file is unchanged.
 */
export function save(file: FilePath, values: Saved, options?: SaveOptions): void {
  const path = pathOf(file, 'save');
  const { metadata = {}, dtype, map } = saveOptions.read(options);
  const named = namedValues<Tensor>('save', values);
  const outgoing =
    map === undefined ? savedTensors('save', named) : mappedTensors('save', named, map);
  const { header, written } = layOutWritten('save', withTypes('save', outgoing, dtype), metadata);
  writeAtomically(path, content(header, written));
}

function* content(header: Uint8Array, written: readonly Written[]): Generator<Uint8Array> {
  yield header;
  for (const one of written) yield* encoded('save', one);
}

/** The content of a file to write: the header, then the tensors in this order. */
export interface FilePlan {
  readonly header: Uint8Array;
  readonly tensors: readonly Tensor[];
}

/**
 * Returns the content of the file for these values and metadata. All elements are written in their dtypes.
 * @throws ValueError if a value cannot be saved; StateError if a run in flight writes a variable
 */
export function layOut(
  context: string,
  values: ReadonlyMap<string, Variable | Tensor>,
  metadata: Metadata,
): FilePlan {
  const own = withTypes(context, savedTensors(context, values));
  const { header, written } = layOutWritten(context, own, metadata);
  return { header, tensors: written.map(({ tensor }) => tensor) };
}

/** Returns the header of a file, and its tensors in their order in the file. */
function layOutWritten(
  context: string,
  tensors: readonly Written[],
  givenMetadata: Metadata,
): { header: Uint8Array; written: readonly Written[] } {
  const metadata = checkMetadata(context, givenMetadata);
  for (const { name } of tensors) {
    if (isWritable(name) && name !== metadataKey) continue;
    throw new ValueError(`${context}: a tensor of a file cannot be named ${JSON.stringify(name)}`);
  }
  // Tensors with larger elements come first, so that each tensor begins at a multiple of its element size.
  const written = [...tensors].sort((a, b) => writtenBytesOf[b.type] - writtenBytesOf[a.type]);
  let end = 0;
  const entries = written.map(({ name, type, tensor: { shape, size } }): NewEntry => {
    const begin = end;
    end += size * writtenBytesOf[type];
    return { name, code: codes[type], shape, begin, end };
  });
  const header = formatHeader({ entries, metadata });
  if (header.length - lengthBytes > mostHeaderBytes) {
    throw new ValueError(
      `${context}: the header would take ${header.length - lengthBytes} bytes, but the format allows ${mostHeaderBytes}`,
    );
  }
  return { header, written };
}

/**
 * Reads a safetensors file.
 *
 * float32, float64, int32, bool and uint8 are read unchanged. float16, bfloat16 and the 8-bit floats become float32. All
 * other integers become int32. An integer that does not fit in int32 is refused, and the error names its tensor.
 * Tensors of other types, such as complex numbers, are skipped, and a process warning names them unless `onSkipped` is
 * given. Tensors that are not requested are not read, and may have any type.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @param into the module, or the parameters and states, to which the tensors are written; if one tensor does not fit,
 *   none is written. Other tensors of the file are not read (`restore` refuses them). Alternatively, options that select the tensors to read and their dtypes
 * @returns the tensors by name
 * @throws FormatError, naming file, position and reason, if the file is missing or damaged, if its length does not
 *   match its header, or if a requested tensor is missing or cannot be read; ValueError if an option is unknown;
 *   ShapeError or DTypeError if a tensor does not fit; StateError if a run in flight reads or writes a variable of
 *   `into`
 */
export function load(file: FileSource, into?: Restored | LoadOptions): Record<string, Tensor> {
  const source = sourceOf(file, 'load');
  const wanted = restoredIn('load', into);
  if (wanted !== undefined) {
    return source.read((open) => {
      return restoreTensors(source.name, open, (header) => {
        const found = header.entries.map((entry) => described(entry));
        return fitting('load', source.name, found, wanted);
      });
    });
  }
  const options = readLoadOptions('load', into);
  const { tensors, skipped } = source.read((open) => readSafetensors(source.name, open, options));
  report('load', source.name, skipped, options.onSkipped);
  return tensors;
}

/**
 * Reads tensors from an `OpenFile`, as `load` does.
 * @param file the name of the file in error messages
 */
export function readSafetensors(file: string, open: OpenFile, options: LoadOptions = {}): Found {
  const stored = storedIn(file, open);
  const names = stored.map(({ entry }) => entry.name);
  return readSelected(stored, new Selection(file, options, names));
}

/**
 * Reads tensors into variables. Returns the tensors that were read, by name.
 * @param choose returns the variables to write to, by the names of their tensors in the file. A tensor whose variable is
 *   undefined is read, and written to none. All these tensors must be readable. If `choose` or the reading of a tensor throws, no variable is written.
 */
export function restoreTensors(
  file: string,
  open: OpenFile,
  choose: (header: Header) => ReadonlyMap<string, Variable | undefined>,
): Record<string, Tensor> {
  const { header, dataStart } = readHeader(file, open);
  const wanted = choose(header);
  const tensors = header.entries
    .filter(({ name }) => wanted.has(name))
    .map((entry) => [entry.name, readStored({ file, open, dataStart, entry })] as const);
  for (const [name, tensor] of tensors) wanted.get(name)?.set(tensor);
  return Object.fromEntries(tensors);
}

/**
 * Returns the metadata of a safetensors file: strings by name. Reads no tensor, so the tensors may have any types.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @throws FormatError if the file is missing or its header is not valid
 */
export function loadMetadata(file: FileSource): Record<string, string> {
  const source = sourceOf(file, 'loadMetadata');
  return source.read((open) => ({ ...readHeader(source.name, open).header.metadata }));
}

/**
 * Checks metadata, and returns a copy, because the caller may change the object.
 * @throws ValueError if `metadata` is not a record of strings
 */
function checkMetadata(context: string, metadata: Metadata): Metadata {
  const expected = `${context}: expected metadata as a record of strings,`;
  const entries = assertRecord(metadata, expected);
  for (const [key, value] of entries) {
    if (!isWritable(key) || !isWritable(value)) {
      throw new ValueError(
        `${context}: expected metadata as strings, but ${JSON.stringify(key)} is ${describeValue(value)}`,
      );
    }
  }
  return Object.fromEntries(entries);
}
