/**
 * Messages of Protocol Buffers, described by tables: the fields of each message, with their numbers and kinds. Bytes are
 * decoded to plain objects, and encoded from them.
 *
 * Input is not trusted. A length that the bytes do not allow is an error, byte strings and packed numbers are views of the
 * input, and the depth of messages and the number of parts are limited.
 */

import { FormatError } from '../errors.js';
import { BinaryReader, BinaryWriter, WireType } from './wire.js';

/** The kinds of fields that are not messages, with their types in TypeScript. */
interface Scalars {
  /** A signed 64-bit integer, as a bigint. */
  int64: bigint;
  /** A signed 32-bit integer, or the number of an enumeration. */
  int32: number;
  float: number;
  string: string;
  /** A view of the input; a copy if there are only a few bytes, so that they do not keep the input in memory. */
  bytes: Uint8Array;
}

/** A field that may occur once: a number, or text. Repeated numbers are packed if `packed` is true. */
interface Field {
  readonly number: number;
  readonly kind: keyof Scalars | 'packed' | (() => Fields);
  readonly repeated: boolean;
}

/** The fields of a message, by their names. */
export type Fields = Readonly<Record<string, Field>>;

/** A field with one value. */
export function one(number: number, kind: keyof Scalars | (() => Fields)): Field {
  return { number, kind, repeated: false };
}

/** A field with any number of values. */
export function many(number: number, kind: keyof Scalars | (() => Fields)): Field {
  return { number, kind, repeated: true };
}

/**
 * A field with any number of packed numbers, which are kept as the bytes of the file. A tensor may have millions of them.
 */
export function packed(number: number): Field {
  return { number, kind: 'packed', repeated: true };
}

/** The deepest message in a message. The reader of Google has the same limit. */
const deepest = 100;
/**
 * The largest number of messages, and of numbers and texts that may be repeated, in a file. Each takes a few bytes in the
 * file, but up to a hundred in memory.
 */
const mostParts = 2_000_000;

type Decoded = Record<string, unknown>;

/**
 * Decodes a message: an object with the values of its fields. A field that the message lacks is undefined, and an empty
 * list if it may be repeated. Unknown fields are skipped.
 * @param file the name of the file in error messages
 * @param what what the message is, as in 'an ONNX model'
 * @throws FormatError, naming the file and the byte, if the bytes are not such a message
 */
export function decode<T>(file: string, what: string, fields: Fields, bytes: Uint8Array): T {
  let parts = 0;
  const message = (table: Fields, view: Uint8Array, depth: number): Decoded => {
    const reader = new BinaryReader(view);
    const at = () => view.byteOffset - bytes.byteOffset + reader.pos;
    const fail = (why: string, cause?: unknown): never => {
      throw new FormatError(`${file}: at byte ${at()}: this is not ${what}: ${why}`, { cause });
    };
    if (depth > deepest) fail(`messages are nested more than ${deepest} deep`);
    const count = (more: number) => {
      parts += more;
      if (parts > mostParts) fail(`it has more than ${mostParts} messages and numbers`);
    };
    count(1);
    const { byNumber, empty } = prepared(table);
    const found = empty();
    try {
      while (reader.pos < reader.len) {
        const [number, wire] = reader.tag();
        const known = byNumber.get(number);
        if (known === undefined) {
          reader.skip(wire, number);
          continue;
        }
        const [name, field] = known;
        const values = found[name];
        if (field.kind === 'packed') {
          count(1);
          (values as Uint8Array[]).push(packedBytes(reader, view, wire, number));
        } else if (typeof field.kind === 'function') {
          if (wire !== WireType.LengthDelimited) fail(`field ${number} is not a message`);
          const below = message(field.kind(), reader.bytes(), depth + 1);
          if (field.repeated) (values as unknown[]).push(below);
          else found[name] = below;
        } else if (field.repeated) {
          scalars(reader, field.kind, wire, values as unknown[], count);
        } else {
          found[name] = scalar(reader, field.kind, wire);
        }
      }
    } catch (cause) {
      if (cause instanceof FormatError) throw cause;
      fail((cause as Error).message, cause);
    }
    return found;
  };
  return message(fields, bytes, 0) as T;
}

/** The wire types of the kinds. */
const wires: Readonly<Record<keyof Scalars, WireType>> = {
  int64: WireType.Varint,
  int32: WireType.Varint,
  float: WireType.Bit32,
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
};

function scalar(reader: BinaryReader, kind: keyof Scalars, wire: WireType): Scalars[keyof Scalars] {
  if (wire !== wires[kind]) throw new Error(`a ${kind} has wire type ${wire}`);
  switch (kind) {
    case 'int64':
      return BigInt(reader.int64());
    case 'int32':
      return reader.int32();
    case 'float':
      return reader.float();
    case 'string':
      return reader.string();
    default:
      return kept(reader.bytes());
  }
}

/** Byte strings up to this length are copied. */
const shortBytes = 256;

function kept(bytes: Uint8Array): Uint8Array {
  return bytes.length <= shortBytes ? bytes.slice() : bytes;
}

/** Reads one value of a repeated field, or several that are packed. */
function scalars(
  reader: BinaryReader,
  kind: keyof Scalars,
  wire: WireType,
  into: unknown[],
  count: (more: number) => void,
): void {
  if (wire !== WireType.LengthDelimited || wires[kind] === WireType.LengthDelimited) {
    count(1);
    into.push(scalar(reader, kind, wire));
    return;
  }
  const inner = new BinaryReader(reader.bytes());
  while (inner.pos < inner.len) {
    count(1);
    into.push(scalar(inner, kind, wires[kind]));
  }
}

/** Returns the bytes of packed numbers, or those of one number that is not packed. */
function packedBytes(
  reader: BinaryReader,
  view: Uint8Array,
  wire: WireType,
  number: number,
): Uint8Array {
  if (wire === WireType.LengthDelimited) return kept(reader.bytes());
  const start = reader.pos;
  reader.skip(wire, number);
  return kept(view.subarray(start, reader.pos));
}

interface Prepared {
  readonly byNumber: ReadonlyMap<number, readonly [name: string, field: Field]>;
  /** Returns a message without values. */
  readonly empty: () => Decoded;
}

const preparations = new WeakMap<Fields, Prepared>();

function prepared(table: Fields): Prepared {
  const known = preparations.get(table);
  if (known !== undefined) return known;
  const fields = Object.entries(table);
  const byNumber = new Map(fields.map(([name, field]) => [field.number, [name, field] as const]));
  const empty = () =>
    Object.fromEntries(fields.map(([name, { repeated }]) => [name, repeated ? [] : undefined]));
  const made = { byNumber, empty };
  preparations.set(table, made);
  return made;
}

/** Byte strings from this length on are not copied when they are encoded. */
const longBytes = 2 ** 12;

/** Encodes a message. Fields that are undefined or empty lists are left out. */
export function encode(fields: Fields, message: object): Uint8Array {
  const pieces = encodePieces(fields, message);
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
}

/**
 * Encodes a message as pieces, which are written one after another. Long byte strings of the message are pieces
 * themselves, so that the weights of a model are not copied.
 */
export function encodePieces(fields: Fields, message: object): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let writer = new BinaryWriter();
  const append = (bytes: Uint8Array) => {
    if (bytes.length < longBytes) {
      writer.raw(bytes);
      return;
    }
    pieces.push(writer.finish(), bytes);
    writer = new BinaryWriter();
  };
  for (const [name, { number, kind, repeated }] of Object.entries(fields)) {
    const value = (message as Decoded)[name];
    if (value === undefined) continue;
    for (const one of repeated ? (value as unknown[]) : [value]) {
      if (typeof kind === 'function') {
        const inner = encodePieces(kind(), one as object);
        const length = inner.reduce((sum, piece) => sum + piece.length, 0);
        writer.tag(number, WireType.LengthDelimited).uint32(length);
        for (const piece of inner) append(piece);
      } else if (kind === 'packed' || kind === 'bytes') {
        writer.tag(number, WireType.LengthDelimited).uint32((one as Uint8Array).length);
        append(one as Uint8Array);
      } else {
        writer.tag(number, wires[kind]);
        if (kind === 'int64') writer.int64(one as bigint);
        else if (kind === 'int32') writer.int32(one as number);
        else if (kind === 'float') writer.float(one as number);
        else writer.string(one as string);
      }
    }
  }
  pieces.push(writer.finish());
  return pieces.filter(({ length }) => length > 0);
}
