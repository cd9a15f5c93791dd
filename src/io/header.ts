/**
 * Reads and writes the header of a safetensors file: a JSON object with the dtype, shape and data offsets of every
 * tensor, and the metadata of the file. Every value of a header is checked against the length of the file before it is
 * used.
 *
 *     u64 length of the JSON | the JSON, padded with spaces | the tensors, little-endian
 */

import { FormatError } from '../errors.js';
import { formatShape, maxRank } from '../tensor/shape.js';
import { elementsOf } from './bytes.js';
import { type ElementType, safetensorsType, unreadBits } from './elements.js';
import { isWellFormed, type JsonReader, readJson } from './json.js';

/** Strings of the user, by name. The file stores them with the tensors. */
export type Metadata = Readonly<Record<string, string>>;

/** One tensor. Its bytes are from `begin` (included) to `end` (excluded), counted from the end of the header. */
export interface Entry {
  readonly name: string;
  /** The dtype code in the file, such as 'BF16'. */
  readonly code: string;
  /** The element type of this code; undefined if forebay does not read it. */
  readonly type: ElementType | undefined;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** The tensors, in the order of their data in the file. */
  readonly entries: readonly Entry[];
  readonly metadata: Metadata;
}

/** A tensor to write. */
export type NewEntry = Pick<Entry, 'name' | 'code' | 'shape' | 'begin' | 'end'>;

/**
 * Returns whether the dtype code of a tensor is one of the codes of the format. If not, the file is damaged, or its
 * format is newer than this reader.
 */
export function isKnown({ code, type }: Entry): boolean {
  return type !== undefined || unreadBits.has(code);
}

/** Returns the reason why forebay cannot read a tensor of a file; undefined if it can read the tensor. */
export function unreadable(entry: Entry): string | undefined {
  const { code, type, shape } = entry;
  if (!isKnown(entry)) return `its dtype is ${JSON.stringify(code)}, which is not known`;
  if (type === undefined) return `its elements are ${code}, which forebay does not read`;
  if (shape.length <= maxRank) return undefined;
  return `it has ${shape.length} axes, but forebay has at most ${maxRank}`;
}

/** The key of the metadata in the JSON object. No tensor can have this name. */
export const metadataKey = '__metadata__';
/** The longest header that the format allows, in bytes. */
export const mostHeaderBytes = 100_000_000;
/** The number of bytes before the JSON. They contain its length. */
export const lengthBytes = 8;

/** Returns the bytes of a file before its data: the JSON and its length. Their number is a multiple of 8. */
export function formatHeader({
  entries,
  metadata,
}: {
  readonly entries: readonly NewEntry[];
  readonly metadata: Metadata;
}): Uint8Array {
  const tensors = entries.map(({ name, code, shape, begin, end }) => {
    return [name, { dtype: code, shape, data_offsets: [begin, end] }] as const;
  });
  const all = [...(Object.keys(metadata).length > 0 ? [[metadataKey, metadata] as const] : [])];
  const json = JSON.stringify(Object.fromEntries<unknown>([...all, ...tensors]));
  const text = new TextEncoder().encode(json);
  const length = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(lengthBytes + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, lengthBytes);
  return bytes;
}

/**
 * Reads the JSON of a header. Like the reference implementation, accepts null as empty metadata, and ignores unknown
 * keys of a tensor. The entries include tensors whose type forebay does not read.
 * @param dataBytes the number of bytes after the JSON
 * @throws FormatError, naming file and byte, if the header is not valid, if two tensors have the same name, or if
 *   tensors overlap, leave a gap or exceed the data
 */
export function parseHeader(file: string, json: Uint8Array, dataBytes: number): Header {
  const header = readJson(file, 'the header', json, lengthBytes, readHeader);
  checkRanges(file, header.entries, dataBytes);
  return header;
}

function readHeader(reader: JsonReader): Header {
  const entries: Entry[] = [];
  const metadata: [string, string][] = [];
  reader.object((name, position) => {
    if (name === metadataKey) {
      if (!reader.null()) reader.object((key) => metadata.push([key, reader.string()]));
    } else {
      entries.push(readEntry(reader, name, position));
    }
  });
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  return { entries, metadata: Object.fromEntries(metadata) };
}

function readEntry(reader: JsonReader, name: string, position: number): Entry {
  const tensor = `tensor ${JSON.stringify(name)}`;
  let [code, shape, offsets]: [string?, number[]?, number[]?] = [];
  reader.object((key) => {
    if (key === 'dtype') code = reader.string();
    else if (key === 'shape') shape = reader.sizes();
    else if (key === 'data_offsets') offsets = readOffsets(reader, tensor);
    else reader.skipValue();
  });
  if (code === undefined) return reader.fail(`${tensor} has no dtype`, position);
  if (shape === undefined) return reader.fail(`${tensor} has no shape`, position);
  if (offsets === undefined) return reader.fail(`${tensor} has no data_offsets`, position);
  const [begin, end] = offsets as [number, number];
  const type = safetensorsType(code);
  const entry = { name, code, type, shape: shape as number[], begin, end };
  checkSize(reader, entry, position);
  return entry;
}

/** Fails if the number of elements does not match the data_offsets of the tensor. */
function checkSize(reader: JsonReader, { name, code, type, shape, begin, end }: Entry, at: number) {
  const tensor = `tensor ${JSON.stringify(name)}`;
  const bits = type === undefined ? unreadBits.get(code) : 8 * type.bytes;
  // This reader does not know the type, so it does not know the size of the elements.
  if (bits === undefined) return;
  // Use BigInt, because a product of several sizes of 53 bits may be too large for an exact number.
  const allBits = shape.reduce((n, size) => n * BigInt(size), BigInt(bits));
  if (8n * (BigInt(end) - BigInt(begin)) !== allBits) {
    reader.fail(
      `${tensor}, ${code} ${formatShape(shape)}, takes ${allBits / 8n} bytes, but its data_offsets are [${begin}, ${end}]`,
      at,
    );
  }
  if (type !== undefined && elementsOf(shape, type.dtype) === undefined) {
    // An axis has size 0, so the tensor has no elements, but its strides are too large for exact numbers.
    reader.fail(`${tensor} has shape ${formatShape(shape)}, larger than any memory`, at);
  }
}

function readOffsets(reader: JsonReader, tensor: string): number[] {
  const { position } = reader;
  const offsets = reader.sizes();
  const [begin = 0, end = 0] = offsets;
  if (offsets.length === 2 && begin <= end) return offsets;
  return reader.fail(
    `expected the begin and end of ${tensor}, but found [${offsets.slice(0, 9).join(', ')}]`,
    position,
  );
}

/** Checks that the tensors fill the data without overlaps and gaps. @throws FormatError if they do not */
function checkRanges(file: string, entries: readonly Entry[], dataBytes: number): void {
  let [filled, last] = [0, 'the header'];
  for (const { name, begin, end } of entries) {
    const tensor = `tensor ${JSON.stringify(name)}`;
    const where = `${file}: ${tensor} is at bytes ${begin} to ${end} of the data`;
    if (end > dataBytes) throw new FormatError(`${where}, but there are ${dataBytes}: truncated?`);
    if (begin < filled)
      throw new FormatError(`${where}, but ${last} ends at ${filled}: they overlap`);
    if (begin > filled)
      throw new FormatError(`${where}, but ${last} ends at ${filled}: there is a gap`);
    [filled, last] = [end, tensor];
  }
  if (filled < dataBytes) {
    throw new FormatError(
      `${file}: expected the end of the file after ${filled} bytes of data, but ${dataBytes - filled} more follow`,
    );
  }
}

/** Returns whether a value is a string that UTF-8 can represent, because names and metadata are written as UTF-8. */
export function isWritable(text: unknown): text is string {
  return typeof text === 'string' && isWellFormed(text);
}
