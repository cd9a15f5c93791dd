/** Unpacks the members of a zip archive, and checks them. No member is unpacked beyond its size in the directory. */

import { constants } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { FormatError } from '../errors.js';
import { bytesAt, inMemory, partOf } from './bytes.js';
import type { OpenFile } from './files.js';
import { unpack } from './unpack.js';
import type { Member } from './zip-directory.js';
import { methods } from './zip-records.js';

const pieceBytes = 2 ** 20;

/**
 * Returns the content of a member. A stored member is read directly from the file; any other is unpacked in memory.
 * @throws FormatError, naming the file, if the size or checksum of the content differs from the directory
 */
export function openMember(file: string, open: OpenFile, member: Member): OpenFile {
  const { begin, end, size, method } = member;
  const packed = partOf(open, begin, end);
  const content =
    method === methods.stored ? packed : inMemory(file, inflate(file, packed, member));
  let crc = 0;
  for (let at = 0; at < size; at += pieceBytes) {
    crc = crc32(bytesAt(content, at, Math.min(pieceBytes, size - at)), crc);
  }
  if (crc === member.crc) return content;
  throw new FormatError(
    `${file}: the checksum of member ${JSON.stringify(member.name)} at byte ${begin} is ${crc}, but the directory says ${member.crc}`,
  );
}

function inflate(file: string, packed: OpenFile, { name, begin, size }: Member): Uint8Array {
  const mistake = (what: string, cause?: unknown) =>
    new FormatError(`${file}: member ${JSON.stringify(name)} at byte ${begin}: ${what}`, { cause });
  if (size > constants.MAX_LENGTH) {
    throw mistake(`it unpacks to ${size} bytes, more than one buffer can hold`);
  }
  const refuse = (more: boolean, cause: Error) =>
    more
      ? mistake(`expected ${size} bytes, as the directory says, but there are more`, cause)
      : mistake(`not a valid deflate stream: ${cause.message}`, cause);
  // zlib allocates its output in chunks of this size. A chunk for a small member is not larger than needed.
  const chunkSize = Math.min(Math.max(size, 64), pieceBytes);
  const input = bytesAt(packed, 0, packed.size);
  const { bytes, consumed } = unpack('raw', input, size, refuse, { chunkSize });
  if (bytes.length !== size) {
    throw mistake(`expected ${size} bytes, as the directory says, but there are ${bytes.length}`);
  }
  if (consumed !== packed.size) {
    throw mistake(`expected ${packed.size} packed bytes, but the stream ends after ${consumed}`);
  }
  return bytes;
}
