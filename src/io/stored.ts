/** The tensors of safetensors files that are open: where each is, and how it is read. */

import { FormatError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { allocate, Tensor } from '../tensor/tensor.js';
import { bytesAt } from './bytes.js';
import { describeType, type ElementType, readElements } from './elements.js';
import type { OpenFile } from './files.js';
import type { Described } from './fitting.js';
import {
  type Entry,
  type Header,
  isKnown,
  lengthBytes,
  mostHeaderBytes,
  parseHeader,
  unreadable,
} from './header.js';
import type { Found, Selection } from './selection.js';

/** A tensor of a file that is open. */
export interface Stored {
  /** The name of the file in error messages. */
  readonly file: string;
  readonly open: OpenFile;
  /** The position in the file of what is at byte 0 of the data. */
  readonly dataStart: number;
  readonly entry: Entry;
}

/**
 * Reads the header of a safetensors file.
 * @throws FormatError if it is not valid
 */
export function readHeader(file: string, open: OpenFile): { header: Header; dataStart: number } {
  if (open.size < lengthBytes) {
    throw new FormatError(
      `${file}: truncated: expected the ${lengthBytes} bytes of a header's length at byte 0, but the file ends after ${open.size}`,
    );
  }
  const lengthField = bytesAt(open, 0, lengthBytes);
  const length = new DataView(lengthField.buffer).getBigUint64(0, true);
  if (length > BigInt(mostHeaderBytes)) {
    const hint = file.endsWith('.index.json') ? '; loadSharded reads an index' : '';
    throw new FormatError(
      `${file}: not a safetensors file: the header's length at byte 0 is ${length}, but the format allows ${mostHeaderBytes}${hint}`,
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
 * Returns the tensors of a safetensors file.
 * @throws FormatError if its header is not valid
 */
export function storedIn(file: string, open: OpenFile): Stored[] {
  const { header, dataStart } = readHeader(file, open);
  return header.entries.map((entry) => ({ file, open, dataStart, entry }));
}

/**
 * Reads the tensors that are selected. `Selection` was made of their names.
 * @throws FormatError if one cannot be read and may not be skipped
 */
export function readSelected(stored: readonly Stored[], selection: Selection): Found {
  const tensors: (readonly [string, Tensor])[] = [];
  for (const one of stored) {
    const { entry } = one;
    const { name } = entry;
    if (!selection.has(name)) continue;
    const reason = unreadable(entry);
    if (reason === undefined) {
      tensors.push([name, readStored(one, selection.dtypeOf(name))]);
      continue;
    }
    // A tensor of an unknown dtype is not skipped, because the file may be damaged. Users can read the other tensors
    // with the option `only`.
    if (!isKnown(entry) || !selection.skip(name, reason)) throw selection.refusal(name, reason);
  }
  return { tensors: Object.fromEntries(tensors), skipped: selection.skipped };
}

/**
 * Reads a tensor, which must be readable.
 * @param dtype the dtype of the result; by default the one to which the elements of its type are converted
 * @throws FormatError if an element does not fit the dtype; ValueError if there is not enough memory
 */
export function readStored({ file, open, dataStart, entry }: Stored, dtype?: DType): Tensor {
  const type = entry.type as ElementType;
  const own = dtype ?? type.dtype;
  const what = `${file}: tensor '${entry.name}'`;
  const data = allocate(own, entry.shape, `${what}:`);
  readElements(what, open, dataStart + entry.begin, type, own, data);
  return new Tensor(data, entry.shape, own);
}

/**
 * Returns the description of a tensor in a file, for `fitting` and for error messages.
 * @param dtype the dtype in which it is read; by default the one to which the elements of its type are converted
 */
export function described(entry: Entry, dtype?: DType): Described {
  const { name, code, type, shape } = entry;
  const reason = unreadable(entry);
  if (type === undefined || reason !== undefined) {
    return { name, shape, dtype: undefined, description: `${code}: ${reason}` };
  }
  const own = dtype ?? type.dtype;
  return { name, shape, dtype: own, description: describeType(type, own) };
}
