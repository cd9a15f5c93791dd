/**
 * Reads the directory of a zip archive: its members and their locations
 * (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.3). The reader is part of forebay,
 * because the core has no dependencies. It is strict: the entry of a member in the directory and the local record
 * before its bytes must agree, members must not overlap, and all values are checked against the length of the file.
 */

import { FormatError } from '../errors.js';
import { bytesAt } from './bytes.js';
import type { OpenFile } from './files.js';
import { isWellFormed } from './json.js';
import { mostExpansion } from './unpack.js';
import {
  extra64,
  FieldReader,
  flags,
  type Method,
  methods,
  none16,
  none32,
  records,
} from './zip-records.js';

export interface Member {
  readonly name: string;
  readonly method: Method;
  readonly crc: number;
  /** The bytes of the member, stored or deflated, are from `begin` (included) to `end` (excluded) in the file. */
  readonly begin: number;
  readonly end: number;
  /** The unpacked size in bytes. */
  readonly size: number;
}

const longestComment = 0xffff;

/**
 * Returns the members of an archive. Reads the directory, and the local record before each member.
 * @throws FormatError, naming file and byte, if a record is not valid or not supported
 */
export function readDirectory(file: string, open: OpenFile): Member[] {
  const { count, begin, end } = findDirectory(file, open);
  const directory = new FieldReader(file, bytesAt(open, begin, end - begin), begin);
  const entries: Entry[] = [];
  const names = new Set<string>();
  for (let index = 0; index < count; index++) {
    const at = directory.position;
    const entry = readEntry(directory);
    if (names.has(entry.name)) {
      throw directory.mistake(`the member ${JSON.stringify(entry.name)} appears twice`, at);
    }
    names.add(entry.name);
    entries.push(entry);
  }
  if (directory.left > 0) {
    throw directory.mistake(`expected the end of the directory after ${count} members`);
  }
  return locateAll(file, open, entries, begin);
}

interface Directory {
  readonly count: number;
  readonly begin: number;
  readonly end: number;
  /** The byte at which the end record begins. */
  readonly said: number;
  /**
   * An archive may be split into several files. These are the numbers of the files that hold the end and the beginning
   * of the directory; all are 0 if there is only one file.
   */
  readonly disks: readonly number[];
  /** The number of entries in the last file. It is `count` if there is only one file. */
  readonly inLast: number;
}

function findDirectory(file: string, open: OpenFile): Directory {
  const { end } = records;
  const tailStart = Math.max(0, open.size - end.bytes - longestComment);
  const tail = bytesAt(open, tailStart, open.size - tailStart);
  const view = new DataView(tail.buffer);
  let at = tail.length - end.bytes;
  const isEnd = () =>
    view.getUint32(at, true) === end.signature &&
    view.getUint16(at + 20, true) === tail.length - at - end.bytes;
  while (at >= 0 && !isEnd()) at--;
  if (at < 0) {
    throw new FormatError(
      `${file}: not a zip archive, or truncated: there is no record of a directory's end in its last ${tail.length} bytes`,
    );
  }
  const fields = new FieldReader(file, tail.subarray(at, at + end.bytes), tailStart + at);
  fields.skip(4);
  const disks = [fields.u16(), fields.u16()];
  const [inLast, count] = [fields.u16(), fields.u16()];
  const [bytes, begin] = [fields.u32(), fields.u32()];
  const said = tailStart + at;
  const wide = count === none16 || inLast === none16 || bytes === none32 || begin === none32;
  return checkDirectory(
    file,
    wide ? readEnd64(file, open, said) : { count, begin, end: begin + bytes, said, disks, inLast },
  );
}

function readEnd64(file: string, open: OpenFile, endStart: number): Directory {
  const { end64, locator64 } = records;
  const locatorStart = endStart - locator64.bytes;
  if (locatorStart < 0) {
    throw new FormatError(
      `${file}: expected a zip64 locator before the record at byte ${endStart}, but the file is too short`,
    );
  }
  const locator = new FieldReader(file, bytesAt(open, locatorStart, locator64.bytes), locatorStart);
  locator.signature(locator64.signature, 'a zip64 locator');
  const disk = locator.u32();
  const start = locator.u64();
  if (start + end64.bytes > locatorStart) {
    throw locator.mistake(
      `the zip64 record of the directory's end is at byte ${start}, but must end before byte ${locatorStart}`,
    );
  }
  const fields = new FieldReader(file, bytesAt(open, start, end64.bytes), start);
  fields.signature(end64.signature, "a zip64 record of the directory's end");
  fields.skip(12);
  const disks = [disk, fields.u32(), fields.u32()];
  const [inLast, count] = [fields.u64(), fields.u64()];
  const [bytes, begin] = [fields.u64(), fields.u64()];
  return { count, begin, end: begin + bytes, said: start, disks, inLast };
}

function checkDirectory(file: string, directory: Directory): Directory {
  const { count, begin, end, said, disks, inLast } = directory;
  const at = `${file}: at byte ${said}:`;
  if (disks.some((disk) => disk !== 0) || inLast !== count) {
    throw new FormatError(`${at} the archive is split into several files, which is not supported`);
  }
  if (end !== said) {
    throw new FormatError(
      `${at} the directory is stated to be at bytes ${begin} to ${end}, but must end here`,
    );
  }
  if (count * records.central.bytes > end - begin) {
    throw new FormatError(`${at} the directory is too short for ${count} members`);
  }
  return directory;
}

/** The entry of a member in the directory. */
interface Entry {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly method: Method;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly start: number;
}

function readEntry(directory: FieldReader): Entry {
  const at = directory.position;
  directory.signature(records.central.signature, 'an entry of the directory');
  directory.skip(4);
  const flag = directory.u16();
  const method = directory.u16();
  directory.skip(4);
  const crc = directory.u32();
  const sizes = [directory.u32(), directory.u32()] as const;
  const [nameLength, extraLength, commentLength] = [
    directory.u16(),
    directory.u16(),
    directory.u16(),
  ];
  const disk = directory.u16();
  directory.skip(6);
  const start = directory.u32();
  const nameBytes = directory.bytes(nameLength);
  const name = decodeName(directory, nameBytes, flag, at);
  const wide = readExtra64(directory.part(extraLength), [sizes[1], sizes[0], start]);
  directory.skip(commentLength);
  const member = `member ${JSON.stringify(name)}`;
  if (flag & (flags.encrypted | flags.patched | flags.masked)) {
    throw directory.mistake(`${member} is encrypted or a patch, which is not supported`, at);
  }
  if (method !== methods.stored && method !== methods.deflated) {
    throw directory.mistake(
      `${member} is packed by method ${method}, but only 0 (stored) and 8 (deflated) are supported`,
      at,
    );
  }
  if (disk !== 0)
    throw directory.mistake(`${member} is in another file, which is not supported`, at);
  const [size, packed, begin] = wide;
  checkSizes(directory, member, { method, packed, size }, at);
  return { name, nameBytes, method, crc, packed, size, start: begin };
}

function checkSizes(
  directory: FieldReader,
  member: string,
  { method, packed, size }: Pick<Entry, 'method' | 'packed' | 'size'>,
  at: number,
): void {
  const stored = method === methods.stored;
  if (stored && packed !== size) {
    throw directory.mistake(
      `${member} is stored, but has ${packed} bytes packed and ${size} unpacked`,
      at,
    );
  }
  if (size > packed * mostExpansion) {
    throw directory.mistake(
      `${member} is stated to unpack from ${packed} bytes to ${size}, more than deflate can produce`,
      at,
    );
  }
}

function decodeName(directory: FieldReader, bytes: Uint8Array, flag: number, at: number): string {
  const name = Buffer.from(bytes).toString('utf8');
  const same = Buffer.compare(Buffer.from(name), bytes) === 0;
  // Without the flag for UTF-8, the encoding of a name is unknown, but ASCII is the same in all encodings.
  const known = (flag & flags.utf8) !== 0 || bytes.every((byte) => byte < 0x80);
  if (same && known && isWellFormed(name)) return name;
  throw directory.mistake('the name of this member is neither ASCII nor UTF-8', at);
}

type Three = readonly [size: number, packed: number, start: number];

/**
 * Returns the three values. Each value whose 32 bits are all 1 is replaced by the next number of the zip64 extra field,
 * as the format demands.
 */
function readExtra64(extra: FieldReader, values: Three): Three {
  if (!values.includes(none32)) return values;
  while (extra.left >= 4) {
    const id = extra.u16();
    const field = extra.part(extra.u16());
    if (id === extra64)
      return values.map((value) => (value === none32 ? field.u64() : value)) as unknown as Three;
  }
  throw extra.mistake('expected a zip64 field with a size or an offset, but there is none');
}

/** Locates the bytes of all members. They must not overlap, because a small file could then unpack to a huge size. */
function locateAll(
  file: string,
  open: OpenFile,
  entries: readonly Entry[],
  directoryStart: number,
): Member[] {
  const order = [...entries].sort((a, b) => a.start - b.start);
  const next = new Map(order.map((entry, index) => [entry, order[index + 1]]));
  return entries.map((entry) => {
    const after = next.get(entry);
    const limit = Math.min(after?.start ?? directoryStart, directoryStart);
    const what = after === undefined ? 'the directory' : `member ${JSON.stringify(after.name)}`;
    return locate(file, open, entry, limit, `${what} begins at byte ${limit}: they overlap`);
  });
}

/**
 * Locates the bytes of a member by its local record, which must agree with the directory. The bytes must end at `limit`
 * or before; `overlap` is the end of the error message if they do not.
 */
function locate(
  file: string,
  open: OpenFile,
  entry: Entry,
  limit: number,
  overlap: string,
): Member {
  const { name, nameBytes, method, crc, packed, size, start } = entry;
  const member = `member ${JSON.stringify(name)}`;
  const fixed = start + records.local.bytes;
  if (fixed > limit) {
    throw new FormatError(`${file}: ${member} begins at byte ${start}, but ${overlap}`);
  }
  const local = new FieldReader(file, bytesAt(open, start, records.local.bytes), start);
  local.signature(records.local.signature, `the record of ${member}`);
  local.skip(2);
  const flag = local.u16();
  const localMethod = local.u16();
  local.skip(4);
  const [localCrc, localPacked, localSize] = [local.u32(), local.u32(), local.u32()];
  const [nameLength, extraLength] = [local.u16(), local.u16()];
  const begin = fixed + nameLength + extraLength;
  const end = begin + packed;
  // Check this before the next read, so that the reads for all members together are at most as long as the file.
  if (end > limit) {
    throw new FormatError(`${file}: ${member} is at bytes ${begin} to ${end}, but ${overlap}`);
  }
  const rest = new FieldReader(file, bytesAt(open, fixed, nameLength + extraLength), fixed);
  const disagree = (what: string) =>
    local.mistake(`the record of ${member} and the directory disagree on ${what}`, start);
  if (Buffer.compare(rest.bytes(nameLength), nameBytes) !== 0) throw disagree('its name');
  if (localMethod !== method) throw disagree('its method');
  // A program that writes an archive to a pipe writes this record before it has computed the size and the checksum. It
  // sets the flag `sizesFollow`, and only the directory contains the size and the checksum.
  if ((flag & flags.sizesFollow) === 0) {
    const [wideSize, widePacked] = readExtra64(rest, [localSize, localPacked, 0]);
    if (wideSize !== size || widePacked !== packed) throw disagree('its size');
    if (localCrc !== crc) throw disagree('its checksum');
  }
  return { name, method, crc, begin, end, size };
}
