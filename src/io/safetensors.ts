/**
 * Reads and writes tensors as safetensors, the format of Python's `safetensors`
 * (https://github.com/huggingface/safetensors, "Format").
 */

import { describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertRecord } from '../arguments/read.js';
import { FormatError, ValueError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import { namedValues, type Restored } from '../modules/named.js';
import { bytesOf, type DType } from '../tensor/dtype.js';
import { allocate, Tensor } from '../tensor/tensor.js';
import { bytesAt, writtenBytes } from './bytes.js';
import { describeType, type ElementType, readElements } from './elements.js';
import { type OpenFile, writeAtomically } from './files.js';
import { type Described, fitting } from './fitting.js';
import {
  type Entry,
  formatHeader,
  type Header,
  isKnown,
  isWritable,
  lengthBytes,
  type Metadata,
  metadataKey,
  mostHeaderBytes,
  type NewEntry,
  parseHeader,
  unreadable,
} from './header.js';
import { type Found, type LoadOptions, readLoadOptions, report, Selection } from './selection.js';
import { type FilePath, type FileSource, pathOf, sourceOf } from './sources.js';
import { restoredIn, type Saved, savedTensors } from './values.js';

const saveOptions = declareOptions('save', {
  /** Strings of your own, by name, which the file stores with the tensors. `loadMetadata` returns them. */
  metadata: optional(checkedLater<Metadata>('a record of strings')),
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
 * @throws ValueError if a value cannot be saved or an option is unknown; GraphError if two values have the same
 *   name; StateError if a run in flight writes a parameter; FormatError, naming the file, if it cannot be written.
 *   After an error the file is unchanged.
 */
export function save(file: FilePath, values: Saved, options?: SaveOptions): void {
  const path = pathOf(file, 'save');
  const { metadata = {} } = saveOptions.read(options);
  const { header, tensors } = layOut('save', namedValues<Tensor>('save', values), metadata);
  writeAtomically(path, [header, ...tensors.map(writtenBytes)]);
}

/** The content of a file to write: the header, then the tensors in this order. */
export interface FilePlan {
  readonly header: Uint8Array;
  readonly tensors: readonly Tensor[];
}

/**
 * Returns the content of the file for these values and metadata.
 * @throws ValueError if a value cannot be saved; StateError if a run in flight writes a variable
 */
export function layOut(
  context: string,
  values: ReadonlyMap<string, Variable | Tensor>,
  givenMetadata: Metadata,
): FilePlan {
  const metadata = checkMetadata(context, givenMetadata);
  const named = savedTensors(context, values);
  for (const { name } of named) {
    if (isWritable(name) && name !== metadataKey) continue;
    throw new ValueError(`${context}: a tensor of a file cannot be named ${JSON.stringify(name)}`);
  }
  // Tensors with larger elements come first, so that each tensor begins at a multiple of its element size.
  named.sort((a, b) => bytesOf[b.tensor.dtype] - bytesOf[a.tensor.dtype]);
  let end = 0;
  const entries = named.map(({ name, tensor: { dtype, shape, size } }): NewEntry => {
    const begin = end;
    end += size * bytesOf[dtype];
    return { name, dtype, shape, begin, end };
  });
  const header = formatHeader({ entries, metadata });
  if (header.length - lengthBytes > mostHeaderBytes) {
    throw new ValueError(
      `${context}: the header would take ${header.length - lengthBytes} bytes, but the format allows ${mostHeaderBytes}`,
    );
  }
  return { header, tensors: named.map(({ tensor }) => tensor) };
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
        return fitting('load', source.name, header.entries.map(described), wanted);
      });
    });
  }
  const options = readLoadOptions('load', into);
  const { tensors, skipped } = source.read((open) => readSafetensors(source.name, open, options));
  report('load', source.name, skipped, options.onSkipped);
  return tensors;
}

/** Reads tensors from an `OpenFile`, as `load` does. `file` is the name of the file in error messages. */
export function readSafetensors(file: string, open: OpenFile, options: LoadOptions = {}): Found {
  const { header, dataStart } = readHeader(file, open);
  const names = header.entries.map(({ name }) => name);
  const selection = new Selection(file, options, names);
  const tensors: (readonly [string, Tensor])[] = [];
  for (const entry of header.entries) {
    const { name, type } = entry;
    if (!selection.has(name)) continue;
    const reason = unreadable(entry);
    if (type === undefined || reason !== undefined) {
      // A tensor of an unknown dtype is not skipped, because the file may be damaged. Users can read the other tensors
      // with the option `only`.
      const left = isKnown(entry) && selection.skip(name, reason as string);
      if (left) continue;
      throw selection.refusal(name, reason as string);
    }
    const dtype = selection.dtypeOf(name) ?? type.dtype;
    tensors.push([name, readTensor(file, open, dataStart, { ...entry, type }, dtype)]);
  }
  return { tensors: Object.fromEntries(tensors), skipped: selection.skipped };
}

/**
 * Reads tensors into variables.
 * @param choose returns the variables to write to, by the names of their tensors in the file. All these tensors must be
 *   readable. If `choose` or the reading of a tensor throws, no variable is written.
 */
export function restoreTensors(
  file: string,
  open: OpenFile,
  choose: (header: Header) => ReadonlyMap<string, Variable>,
): Record<string, Tensor> {
  let wanted!: ReadonlyMap<string, Variable>;
  const tensors = readChosen(file, open, (header) => {
    wanted = choose(header);
    return new Set(wanted.keys());
  });
  for (const [name, tensor] of tensors) wanted.get(name)?.set(tensor);
  return Object.fromEntries(tensors);
}

/**
 * Reads tensors, in the dtypes of `described`.
 * @param choose returns the names of the tensors to read. All of them must be readable
 */
export function readChosen(
  file: string,
  open: OpenFile,
  choose: (header: Header) => ReadonlySet<string>,
): Map<string, Tensor> {
  const { header, dataStart } = readHeader(file, open);
  const chosen = choose(header);
  return new Map(
    header.entries
      .filter((entry): entry is ReadableEntry => entry.type !== undefined && chosen.has(entry.name))
      .map((entry) => {
        return [entry.name, readTensor(file, open, dataStart, entry, entry.type.dtype)] as const;
      }),
  );
}

type ReadableEntry = Entry & { readonly type: ElementType };

function readTensor(
  file: string,
  open: OpenFile,
  dataStart: number,
  { name, type, shape, begin }: ReadableEntry,
  dtype: DType,
): Tensor {
  const what = `${file}: tensor '${name}'`;
  const data = allocate(dtype, shape, `${what}:`);
  readElements(what, open, dataStart + begin, type, dtype, data);
  return new Tensor(data, shape, dtype);
}

/** Returns the description of a tensor in a file, for `fitting` and for error messages. */
export function described(entry: Entry): Described {
  const { name, code, type, shape } = entry;
  const reason = unreadable(entry);
  if (type === undefined || reason !== undefined) {
    return { name, shape, dtype: undefined, description: `${code}: ${reason}` };
  }
  return { name, shape, dtype: type.dtype, description: describeType(type) };
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

function readHeader(file: string, open: OpenFile): { header: Header; dataStart: number } {
  if (open.size < lengthBytes) {
    throw new FormatError(
      `${file}: truncated: expected the ${lengthBytes} bytes of a header's length at byte 0, but the file ends after ${open.size}`,
    );
  }
  const lengthField = bytesAt(open, 0, lengthBytes);
  const length = new DataView(lengthField.buffer).getBigUint64(0, true);
  if (length > BigInt(mostHeaderBytes)) {
    throw new FormatError(
      `${file}: not a safetensors file: the header's length at byte 0 is ${length}, but the format allows ${mostHeaderBytes}`,
    );
  }
  const dataStart = lengthBytes + Number(length);
  if (dataStart > open.size) {
    throw new FormatError(
      `${file}: truncated: expected a header of ${length} bytes at byte ${lengthBytes}, but the file ends after ${open.size}`,
    );
  }
  const json = bytesAt(open, lengthBytes, Number(length));
  return { header: parseHeader(file, json, open.size - dataStart), dataStart };
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
