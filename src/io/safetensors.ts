/**
 * Parameters in files: safetensors, as Python's `safetensors` and everything built on it read and
 * write them (https://github.com/huggingface/safetensors, "Format").
 */

import { describeValue } from '../arguments/describe.js';
import { DTypeError, FormatError, ShapeError, ValueError } from '../errors.js';
import { Variable } from '../graph/leaf.js';
import { bytesOf } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { allocate, Tensor } from '../tensor/tensor.js';
import { bytesAt, bytesIn } from './bytes.js';
import { assertPath, type OpenFile, withFile, writeAtomically } from './files.js';
import {
  type Entry,
  formatHeader,
  type Header,
  isWritable,
  lengthBytes,
  type Metadata,
  metadataKey,
  mostHeaderBytes,
  parseHeader,
} from './header.js';
import { assertAtRest, namedValues, type Saved, savedTensors } from './values.js';

/** What is restored: parameters and states by their own names, or by other names in the file. */
export type Restored = readonly Variable[] | Readonly<Record<string, Variable>>;

/** What `save` may be told. */
export interface SaveOptions {
  /** Strings of one's own, which `loadMetadata` gives back. */
  readonly metadata?: Metadata | undefined;
}

/**
 * Writes values to a safetensors file, whole or not at all: under a temporary name beside it first.
 * @param parameters a list of parameters and states, or a record of them (or of tensors) by the
 *   names they are to have in the file
 * @throws ValueError for what cannot be saved; GraphError for two parameters of one name; StateError
 *   for one that a run in flight writes; FormatError, naming the file, when it cannot be written. What the file was
 *   before, it is then.
 */
export function save(file: string, parameters: Saved, { metadata = {} }: SaveOptions = {}): void {
  assertPath(file, 'save:');
  const { header, tensors } = layOut('save', namedValues('save', parameters), metadata);
  writeAtomically(file, [header, ...tensors.map(bytesIn)]);
}

/** What a file is written of: its beginning, and then these tensors. */
export interface Layout {
  readonly header: Uint8Array;
  readonly tensors: readonly Tensor[];
}

/** @throws ValueError for what cannot be saved; StateError for a variable that a run in flight writes */
export function layOut(
  context: string,
  values: ReadonlyMap<string, Variable | Tensor>,
  metadata: Metadata,
): Layout {
  checkMetadata(context, metadata);
  const named = savedTensors(context, values);
  for (const { name } of named) {
    if (isWritable(name) && name !== metadataKey) continue;
    throw new ValueError(`${context}: no tensor of a file can be named ${JSON.stringify(name)}`);
  }
  // Wide elements first: so each tensor lies at a multiple of its elements' size.
  named.sort((a, b) => bytesOf[b.tensor.dtype] - bytesOf[a.tensor.dtype]);
  let end = 0;
  const entries = named.map(({ name, tensor: { dtype, shape, size } }): Entry => {
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
 * @param into parameters and states to write what was read to: all of them, or, when one does not
 *   fit, none. Tensors of the file that none of them is named after are left out.
 * @returns the tensors by name
 * @throws FormatError, naming file, place and reason, for a file that is missing, damaged or larger
 *   or smaller than it says, that holds a dtype that forebay lacks, or that lacks one of `into`;
 *   ShapeError or DTypeError for one that does not fit; StateError for one of a run in flight
 */
export function load(file: string, into?: Restored): Record<string, Tensor> {
  assertPath(file, 'load:');
  return withFile(file, (open) => readSafetensors(file, open, into));
}

/** As `load`, from bytes wherever they are. `file`: how errors name them. */
export function readSafetensors(
  file: string,
  open: OpenFile,
  into?: Restored,
): Record<string, Tensor> {
  return readTensors(file, open, (header) => {
    return into === undefined
      ? undefined
      : fitting('load', file, header, namedValues('load', into));
  });
}

/**
 * The same for those that look at the header first.
 * @param choose what to write to, by the names of the file, or nothing to read all of it; what it throws,
 *   and whatever else is thrown, comes before anything is written
 */
export function readTensors(
  file: string,
  open: OpenFile,
  choose: (header: Header) => ReadonlyMap<string, Variable> | undefined,
): Record<string, Tensor> {
  const { header, dataStart } = readHeader(file, open);
  const wanted = choose(header);
  const tensors = header.entries
    .filter(({ name }) => wanted?.has(name) ?? true)
    .map((entry) => {
      const data = allocate(entry.dtype, entry.shape, `${file}: tensor '${entry.name}':`);
      open.readInto(bytesIn({ data }), dataStart + entry.begin);
      return [entry.name, new Tensor(data, entry.shape)] as const;
    });
  for (const [name, tensor] of tensors) wanted?.get(name)?.set(tensor);
  return Object.fromEntries(tensors);
}

/** The strings that a file was saved with; reads no tensor. @throws FormatError as `load` does */
export function loadMetadata(file: string): Record<string, string> {
  assertPath(file, 'loadMetadata:');
  return withFile(file, (open) => ({ ...readHeader(file, open).header.metadata }));
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

/** @throws ValueError, FormatError, DTypeError, ShapeError or StateError, as `load` does; returns `wanted` */
export function fitting(
  context: string,
  file: string,
  { entries }: { readonly entries: readonly Pick<Entry, 'name' | 'dtype' | 'shape'>[] },
  wanted: ReadonlyMap<string, Variable>,
): ReadonlyMap<string, Variable> {
  const found = new Map(entries.map((entry) => [entry.name, entry]));
  for (const [name, variable] of wanted) {
    if (!(variable instanceof Variable)) {
      throw new ValueError(
        `${context}: expected a parameter or a state for '${name}', but received ${describeValue(variable)}`,
      );
    }
    assertAtRest(context, variable);
    const entry = found.get(name);
    if (entry === undefined) {
      const names = entries.slice(0, 20).map((other) => `'${other.name}'`);
      const more = entries.length > 20 ? `, and ${entries.length - 20} more` : '';
      throw new FormatError(
        `${file}: there is no tensor '${name}', for ${variable} (there are: ${names.join(', ') || 'none'}${more})`,
      );
    }
    const expected = `${file}: tensor '${name}': ${variable} is ${variable.dtype} ${formatShape(variable.shape)}`;
    if (entry.dtype !== variable.dtype) {
      throw new DTypeError(`${expected}, but the file has ${entry.dtype}`);
    }
    if (formatShape(entry.shape) !== formatShape(variable.shape)) {
      throw new ShapeError(`${expected}, but the file has ${formatShape(entry.shape)}`);
    }
  }
  return wanted;
}

function checkMetadata(context: string, metadata: Metadata): void {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new ValueError(
      `${context}: expected metadata as a record of strings, but received ${describeValue(metadata)}`,
    );
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (!isWritable(key) || !isWritable(value)) {
      throw new ValueError(
        `${context}: metadata are strings, but ${JSON.stringify(key)} is ${describeValue(value)}`,
      );
    }
  }
}
