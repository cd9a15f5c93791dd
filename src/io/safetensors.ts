/**
 * Parameters in files: safetensors, as Python's `safetensors` and everything built on it read and
 * write them (https://github.com/huggingface/safetensors, "Format").
 */

import { describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertRecord } from '../arguments/read.js';
import { FormatError, ValueError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import { bytesOf, type DType } from '../tensor/dtype.js';
import { allocate, Tensor } from '../tensor/tensor.js';
import { bytesAt, bytesIn } from './bytes.js';
import { describeType, type ElementType, readElements } from './elements.js';
import { type OpenFile, writeAtomically } from './files.js';
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
import { type Described, fitting } from './restore.js';
import { type Found, type LoadOptions, readLoadOptions, report, Selection } from './selection.js';
import { type FilePath, type FileSource, pathOf, sourceOf } from './sources.js';
import { namedValues, type Restored, restoredIn, type Saved, savedTensors } from './values.js';

const saveOptions = declareOptions('save', {
  /** Your own strings by name, which `loadMetadata` gives back. */
  metadata: optional(checkedLater<Metadata>('a record of strings')),
});

/** What `save` may be told. */
export interface SaveOptions extends OptionsOf<typeof saveOptions> {}

/**
 * Writes values to a safetensors file, whole or not at all: under a temporary name beside it first. When it returns the
 * file is on the disk, except under `node --permission`, which forbids fsync (`forebay doctor` says so).
 * @param file a path or a `file:` URL
 * @param parameters a list of parameters and states, or a record of them (or of tensors) by the
 *   names they are to have in the file
 * @throws ValueError if a value cannot be saved or an option is unknown; GraphError if two parameters have one name;
 *   StateError if a run in flight writes one; FormatError, naming the file, if it cannot be written. After an error the
 *   file is as it was.
 */
export function save(file: FilePath, parameters: Saved, options?: SaveOptions): void {
  const path = pathOf(file, 'save');
  const { metadata = {} } = saveOptions.read(options);
  const { header, tensors } = layOut('save', namedValues('save', parameters), metadata);
  writeAtomically(path, [header, ...tensors.map(bytesIn)]);
}

/** What a file is written of: its beginning, and then these tensors. */
export interface Layout {
  readonly header: Uint8Array;
  readonly tensors: readonly Tensor[];
}

/** @throws ValueError if a value cannot be saved; StateError if a run in flight writes a variable */
export function layOut(
  context: string,
  values: ReadonlyMap<string, Variable | Tensor>,
  givenMetadata: Metadata,
): Layout {
  const metadata = checkMetadata(context, givenMetadata);
  const named = savedTensors(context, values);
  for (const { name } of named) {
    if (isWritable(name) && name !== metadataKey) continue;
    throw new ValueError(`${context}: no tensor of a file can be named ${JSON.stringify(name)}`);
  }
  // Wide elements first: so each tensor lies at a multiple of its elements' size.
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
 * float32, float64 and int32 are read as they are. float16, bfloat16 and the types of 8 bits become float32; bool and
 * all other integers become int32, and an integer that int32 does not hold is refused, by name. Tensors of other types,
 * complex numbers among them, are skipped, and a warning of the process names them, unless `onSkipped` is given. What is
 * not asked for is not read, and may be of any type.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @param into parameters and states to write what was read to: all of them, or, if one does not
 *   fit, none. Other tensors of the file are left out. Or options: which tensors to read, and as which dtypes.
 * @returns the tensors by name
 * @throws FormatError, naming file, place and reason, if the file is missing, damaged or larger or smaller than it
 *   says, if it lacks a tensor that is asked for, or if that cannot be read; ValueError if an option is unknown;
 *   ShapeError or DTypeError if a tensor does not fit; StateError if one of a run in flight would be written
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

/** As `load`, from bytes wherever they are. `file`: how errors name them. */
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
      // What may be damage is not passed over: whoever wants the other tensors asks for them.
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
 * @param choose what to write to, by the names of the file, all of which must be readable; what it throws, and whatever
 *   else is thrown, comes before anything is written
 */
export function restoreTensors(
  file: string,
  open: OpenFile,
  choose: (header: Header) => ReadonlyMap<string, Variable>,
): Record<string, Tensor> {
  const { header, dataStart } = readHeader(file, open);
  const wanted = choose(header);
  const tensors = header.entries
    .filter((entry): entry is ReadableEntry => entry.type !== undefined && wanted.has(entry.name))
    .map((entry) => {
      return [entry.name, readTensor(file, open, dataStart, entry, entry.type.dtype)] as const;
    });
  for (const [name, tensor] of tensors) wanted.get(name)?.set(tensor);
  return Object.fromEntries(tensors);
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
  readElements(what, open, dataStart + begin, type, data);
  return new Tensor(data, shape);
}

/** A tensor of a file, as errors describe it and `fitting` compares it. */
export function described(entry: Entry): Described {
  const { name, code, type, shape } = entry;
  const reason = unreadable(entry);
  if (type === undefined || reason !== undefined) {
    return { name, shape, dtype: undefined, description: `${code}: ${reason}` };
  }
  return { name, shape, dtype: type.dtype, description: describeType(type) };
}

/**
 * The strings that a file was saved with, by name. Reads no tensor: they may be of any types.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @throws FormatError as `load` does
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

/** A copy, as it may be an object that changes. @throws ValueError if it is not a record of strings */
function checkMetadata(context: string, metadata: Metadata): Metadata {
  const expected = `${context}: expected metadata as a record of strings,`;
  const entries = assertRecord(metadata, expected);
  for (const [key, value] of entries) {
    if (!isWritable(key) || !isWritable(value)) {
      throw new ValueError(
        `${context}: metadata are strings, but ${JSON.stringify(key)} is ${describeValue(value)}`,
      );
    }
  }
  return Object.fromEntries(entries);
}
