/** Writes a zip archive, with zip64 records if a size, an offset or a count needs them. */

import { crc32, deflateRawSync } from 'node:zlib';
import {
  extra64,
  FieldWriter,
  flags,
  type Method,
  methods,
  none16,
  none32,
  records,
} from './zip-records.js';

/** A member to pack. Its content is the concatenation of `parts`. */
export interface Unpacked {
  readonly name: string;
  readonly parts: readonly Uint8Array[];
}

interface Written {
  readonly name: Uint8Array;
  readonly method: Method;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly start: number;
}

export interface ZipOptions {
  readonly compress?: boolean;
  /** The smallest size or offset for which zip64 records are used. Tests set it below the limit of the format. */
  readonly wideFrom?: number;
}

const pieceBytes = 2 ** 20;
const version = { plain: 20, wide: 45 };
// The date of all members: the earliest date of the format. It is constant so that equal tensors give equal archives.
const firstDay = 0x21;

/** Yields the bytes of the archive, piece by piece. */
export function* zip(
  members: Iterable<Unpacked>,
  { compress = false, wideFrom = none32 }: ZipOptions = {},
): Generator<Uint8Array> {
  let at = 0;
  const written: Written[] = [];
  for (const { name, parts } of members) {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const packed = compress ? [deflateRawSync(Buffer.concat(parts))] : parts;
    const member = {
      name: new TextEncoder().encode(name),
      method: compress ? methods.deflated : methods.stored,
      crc: checksum(parts),
      packed: packed.reduce((sum, part) => sum + part.length, 0),
      size,
      start: at,
    };
    written.push(member);
    for (const part of [local(member, wideFrom), ...packed]) {
      yield part;
      at += part.length;
    }
  }
  const entries = written.map((member) => central(member, wideFrom));
  yield* entries;
  const bytes = entries.reduce((sum, entry) => sum + entry.length, 0);
  yield* end({ count: written.length, begin: at, bytes }, wideFrom);
}

function checksum(parts: readonly Uint8Array[]): number {
  let crc = 0;
  for (const part of parts) {
    for (let start = 0; start < part.length; start += pieceBytes) {
      // Copy the bytes, because the values of leaves are in shared memory, which some Node functions do not accept.
      crc = crc32(part.slice(start, start + pieceBytes), crc);
    }
  }
  return crc;
}

function local(member: Written, wideFrom: number): Uint8Array {
  const { name, method, crc, packed, size } = member;
  const wide = Math.max(packed, size) >= wideFrom;
  const extra = wide ? wideField([size, packed]) : new FieldWriter(0);
  const fields = new FieldWriter(records.local.bytes)
    .u32(records.local.signature)
    .u16(wide ? version.wide : version.plain)
    .u16(flags.utf8)
    .u16(method)
    .u16(0)
    .u16(firstDay)
    .u32(crc)
    .u32(wide ? none32 : packed)
    .u32(wide ? none32 : size)
    .u16(name.length)
    .u16(extra.bytes.length);
  return Buffer.concat([fields.bytes, name, extra.bytes]);
}

function central(
  { name, method, crc, packed, size, start }: Written,
  wideFrom: number,
): Uint8Array {
  const values = [size, packed, start].filter((value) => value >= wideFrom);
  const narrow = (value: number) => (value >= wideFrom ? none32 : value);
  const extra = values.length > 0 ? wideField(values) : new FieldWriter(0);
  const needed = values.length > 0 ? version.wide : version.plain;
  const fields = new FieldWriter(records.central.bytes)
    .u32(records.central.signature)
    .u16(needed)
    .u16(needed)
    .u16(flags.utf8)
    .u16(method)
    .u16(0)
    .u16(firstDay)
    .u32(crc)
    .u32(narrow(packed))
    .u32(narrow(size))
    .u16(name.length)
    .u16(extra.bytes.length)
    .u16(0)
    .u16(0)
    .u16(0)
    .u32(0)
    .u32(narrow(start));
  return Buffer.concat([fields.bytes, name, extra.bytes]);
}

function* end(
  { count, begin, bytes }: { count: number; begin: number; bytes: number },
  wideFrom: number,
): Generator<Uint8Array> {
  const wide = count >= Math.min(none16, wideFrom) || begin >= wideFrom || bytes >= wideFrom;
  if (wide) {
    yield new FieldWriter(records.end64.bytes)
      .u32(records.end64.signature)
      .u64(records.end64.bytes - 12)
      .u16(version.wide)
      .u16(version.wide)
      .u32(0)
      .u32(0)
      .u64(count)
      .u64(count)
      .u64(bytes)
      .u64(begin).bytes;
    yield new FieldWriter(records.locator64.bytes)
      .u32(records.locator64.signature)
      .u32(0)
      .u64(begin + bytes)
      .u32(1).bytes;
  }
  yield new FieldWriter(records.end.bytes)
    .u32(records.end.signature)
    .u16(0)
    .u16(0)
    .u16(wide ? none16 : count)
    .u16(wide ? none16 : count)
    .u32(wide ? none32 : bytes)
    .u32(wide ? none32 : begin)
    .u16(0).bytes;
}

function wideField(values: readonly number[]): FieldWriter {
  const field = new FieldWriter(4 + 8 * values.length).u16(extra64).u16(8 * values.length);
  return values.reduce((fields, value) => fields.u64(value), field);
}
