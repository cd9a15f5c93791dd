/**
 * The header of a safetensors file: a JSON object that says of every tensor its dtype, its shape and
 * where among the data it lies, and of the file some metadata. Nothing it says is believed before it
 * agrees with the file's length.
 *
 *     u64 length of the JSON | the JSON, padded with spaces | the tensors, little-endian
 */

import { FormatError } from '../errors.js';
import { bytesOf, type DType } from '../tensor/dtype.js';
import { formatShape, maxRank } from '../tensor/shape.js';
import { elementsOf } from './bytes.js';
import { isWellFormed, JsonMistake, JsonReader } from './json.js';

/** Strings by names of choice, kept in the file beside the tensors. */
export type Metadata = Readonly<Record<string, string>>;

/** One tensor; its bytes are those from `begin` to before `end`, counted from the end of the header. */
export interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** In the order of their data. */
  readonly entries: readonly Entry[];
  readonly metadata: Metadata;
}

/** The key that no tensor can have. */
export const metadataKey = '__metadata__';
/** As long as a header may be: the format's own limit. */
export const mostHeaderBytes = 100_000_000;
/** The bytes before the JSON. */
export const lengthBytes = 8;

const codes: Readonly<Record<DType, string>> = { float32: 'F32', float64: 'F64', int32: 'I32' };
const dtypes = new Map(Object.entries(codes).map(([dtype, code]) => [code, dtype as DType]));
const known = [...dtypes.keys()].join(', ');

/** The beginning of a file, up to the data, which then lie at a multiple of 8 bytes. */
export function formatHeader({ entries, metadata }: Header): Uint8Array {
  const tensors = entries.map(({ name, dtype, shape, begin, end }) => {
    return [name, { dtype: codes[dtype], shape, data_offsets: [begin, end] }] as const;
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
 * Reads the JSON.
 * @param dataBytes how many bytes follow it
 * @throws FormatError, naming file and byte, for what is no header, for two tensors of one name, for
 *   tensors that overlap, leave a hole or lie outside the data, and for a dtype that forebay lacks
 */
export function parseHeader(file: string, json: Uint8Array, dataBytes: number): Header {
  const text = decode(file, json);
  try {
    const header = readHeader(text);
    checkPlaces(file, header.entries, dataBytes);
    return header;
  } catch (cause) {
    if (!(cause instanceof JsonMistake)) throw cause;
    const before = Buffer.byteLength(text.slice(0, cause.position));
    throw new FormatError(`${file}: at byte ${lengthBytes + before}: ${cause.message}`, { cause });
  }
}

function decode(file: string, json: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
  } catch (cause) {
    // The decoder does not say where: the first byte that would not be written again.
    const again = Buffer.from(new TextDecoder('utf-8', { ignoreBOM: true }).decode(json));
    const at = json.findIndex((byte, index) => byte !== again[index]);
    throw new FormatError(`${file}: at byte ${lengthBytes + at}: the header is not UTF-8`, {
      cause,
    });
  }
}

function readHeader(text: string): Header {
  const reader = new JsonReader(text);
  const entries: Entry[] = [];
  const metadata: [string, string][] = [];
  reader.object((name, position) => {
    if (name === metadataKey) {
      reader.object((key) => metadata.push([key, reader.string()]));
    } else {
      entries.push(readEntry(reader, name, position));
    }
  });
  reader.end();
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  return { entries, metadata: Object.fromEntries(metadata) };
}

function readEntry(reader: JsonReader, name: string, position: number): Entry {
  const tensor = `tensor ${JSON.stringify(name)}`;
  let [dtype, shape, offsets]: [DType?, number[]?, number[]?] = [];
  reader.object((key, keyPosition) => {
    if (key === 'dtype') dtype = readDType(reader, tensor);
    else if (key === 'shape') shape = readShape(reader, tensor);
    else if (key === 'data_offsets') offsets = readOffsets(reader, tensor);
    else reader.fail(`${tensor} has an unknown key ${JSON.stringify(key)}`, keyPosition);
  });
  if (dtype === undefined) return reader.fail(`${tensor} has no dtype`, position);
  if (shape === undefined) return reader.fail(`${tensor} has no shape`, position);
  if (offsets === undefined) return reader.fail(`${tensor} has no data_offsets`, position);
  const [begin, end] = offsets as [number, number];
  // BigInt: 32 sizes of 53 bits overflow any number before a comparison could refuse them.
  const bytes = (shape as number[]).reduce((n, size) => n * BigInt(size), BigInt(bytesOf[dtype]));
  if (BigInt(end) - BigInt(begin) !== bytes) {
    reader.fail(
      `${tensor}, ${dtype} ${formatShape(shape)}, takes ${bytes} bytes, but its data_offsets are [${begin}, ${end}]`,
      position,
    );
  }
  if (elementsOf(shape, dtype) === undefined) {
    // No element, for an axis is empty; but strides that no number holds.
    reader.fail(`${tensor} has shape ${formatShape(shape)}, larger than any memory`, position);
  }
  return { name, dtype, shape, begin, end };
}

function readDType(reader: JsonReader, tensor: string): DType {
  const { position } = reader;
  const code = reader.string();
  const dtype = dtypes.get(code);
  if (dtype !== undefined) return dtype;
  return reader.fail(
    `${tensor} has dtype ${JSON.stringify(code)}, but forebay has ${known}`,
    position,
  );
}

function readShape(reader: JsonReader, tensor: string): number[] {
  const { position } = reader;
  const shape = reader.sizes();
  if (shape.length <= maxRank) return shape;
  return reader.fail(`${tensor} has ${shape.length} axes, but forebay has ${maxRank}`, position);
}

function readOffsets(reader: JsonReader, tensor: string): number[] {
  const { position } = reader;
  const offsets = reader.sizes();
  const [begin = 0, end = 0] = offsets;
  if (offsets.length === 2 && begin <= end) return offsets;
  return reader.fail(
    `expected where ${tensor} begins and ends, but found [${offsets.slice(0, 9).join(', ')}]`,
    position,
  );
}

/** The tensors in turn must fill the data to the byte. */
function checkPlaces(file: string, entries: readonly Entry[], dataBytes: number): void {
  let [filled, last] = [0, 'the header'];
  for (const { name, begin, end } of entries) {
    const tensor = `tensor ${JSON.stringify(name)}`;
    const where = `${file}: ${tensor} lies at bytes ${begin} to ${end} of the data`;
    if (end > dataBytes) throw new FormatError(`${where}, but there are ${dataBytes}: truncated?`);
    if (begin < filled)
      throw new FormatError(`${where}, but ${last} ends at ${filled}: they overlap`);
    if (begin > filled) throw new FormatError(`${where}, but ${last} ends at ${filled}: a hole`);
    [filled, last] = [end, tensor];
  }
  if (filled < dataBytes) {
    throw new FormatError(
      `${file}: expected the end of the file after ${filled} bytes of data, but ${dataBytes - filled} more came`,
    );
  }
}

/** Names and metadata are written as UTF-8, which cannot hold every JavaScript string. */
export function isWritable(text: unknown): text is string {
  return typeof text === 'string' && isWellFormed(text);
}
