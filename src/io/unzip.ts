/** The members of a zip archive, unpacked: each within the size that its record gives, and checked. */

import { constants } from 'node:buffer';
import { crc32, inflateRawSync } from 'node:zlib';
import { FormatError } from '../errors.js';
import { bytesAt, inMemory, partOf } from './bytes.js';
import type { OpenFile } from './files.js';
import type { Member } from './zip-directory.js';
import { methods } from './zip-records.js';

const pieceBytes = 2 ** 20;

/**
 * A member's bytes: those in the file where it is stored, else in memory.
 * @throws FormatError, naming the file, when they are not what the directory says
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
    throw mistake(`it unpacks to ${size} bytes, more than fit into one piece of memory`);
  }
  let bytes: Uint8Array;
  let consumed: number;
  try {
    // `info` gives the engine too, which knows where the stream ended; the types omit it.
    const { buffer, engine } = inflateRawSync(bytesAt(packed, 0, packed.size), {
      info: true,
      maxOutputLength: Math.max(size, 1),
      chunkSize: Math.min(Math.max(size, 64), pieceBytes),
    }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
    [bytes, consumed] = [buffer, engine.bytesWritten];
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    throw error.code === 'ERR_BUFFER_TOO_LARGE'
      ? mistake(`expected ${size} bytes, as the directory says, but more came`, cause)
      : mistake(`not a sound deflate stream: ${error.message}`, cause);
  }
  if (bytes.length !== size) {
    throw mistake(`expected ${size} bytes, as the directory says, but ${bytes.length} came`);
  }
  if (consumed !== packed.size) {
    throw mistake(`expected ${packed.size} packed bytes, but the stream ends after ${consumed}`);
  }
  return bytes;
}
