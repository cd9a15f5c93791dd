import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IdxOptions, readIdx } from '../../src/data/idx.js';
import { FormatError } from '../../src/errors.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-idx-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Returns the bytes of an IDX file. It follows the description of the format, and does not use the code under test. */
function idx(shape: readonly number[], values: readonly number[], type = 8): Uint8Array {
  const sizes = shape.flatMap((size) => [size >>> 24, size >>> 16, size >>> 8, size]);
  return Uint8Array.from([0, 0, type, shape.length, ...sizes, ...values]);
}

function read(bytes: Uint8Array, options: IdxOptions = {}): ReturnType<typeof readIdx> {
  const file = join(folder, 'subject');
  writeFileSync(file, bytes);
  return readIdx(file, options);
}

function refusal(bytes: Uint8Array, options: IdxOptions = {}): string {
  try {
    read(bytes, options);
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    const { message } = error as FormatError;
    expect(message.startsWith(`${join(folder, 'subject')}: `)).toBe(true);
    return message.slice(join(folder, 'subject').length + 2);
  }
  throw new Error('the file was read, but had to be refused');
}

const values = Array.from({ length: 24 }, (_, index) => (index * 37) % 256);
const small = idx([4, 3, 2], values);

describe.each([
  ['plain', (bytes: Uint8Array) => bytes],
  ['gzipped', (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes))],
])('a %s IDX file', (_, packed) => {
  it('gives its shape and its bytes', () => {
    const array = read(packed(small));
    expect(array.shape).toEqual([4, 3, 2]);
    expect([...array.data]).toEqual(values);
    expect(array.count).toBe(4);
  });

  it('is read up to the limit, and reports how many entries it has', () => {
    const array = read(packed(small), { limit: 2 });
    expect(array.shape).toEqual([2, 3, 2]);
    expect([...array.data]).toEqual(values.slice(0, 12));
    expect(array.count).toBe(4);
    expect(read(packed(small), { limit: 9 }).shape).toEqual([4, 3, 2]);
  });

  it('may be empty', () => {
    expect(read(packed(idx([0, 28, 28], [])))).toMatchObject({ shape: [0, 28, 28], count: 0 });
    expect(read(packed(idx([5, 0], []))).data).toHaveLength(0);
  });

  it('is refused if it ends early, at any byte', () => {
    const whole = packed(small);
    for (let length = 0; length < whole.length; length++) refusal(whole.subarray(0, length));
  });

  it('is refused if it was cut before it was packed, at any byte', () => {
    for (let length = 0; length < small.length; length++) {
      expect(refusal(packed(small.subarray(0, length)))).toMatch(/^truncated: expected /);
    }
  });

  it('is refused if more bytes follow', () => {
    expect(refusal(packed(Uint8Array.from([...small, 0])))).toMatch(
      /^expected the (end of the file at|unpacked data to end at) byte 40, .*but more bytes follow$/,
    );
    expect(refusal(Uint8Array.from([...packed(small), 0, 0, 0]))).toMatch(/more bytes follow/);
  });

  it('is refused for a wrong magic number, element type or rank, and the error names it', () => {
    expect(refusal(packed(Uint8Array.from([1, ...small.slice(1)])))).toBe(
      'not an IDX file: expected the magic number 00 00 08 nn at byte 0, but received 01 00 08 03',
    );
    expect(refusal(packed(Uint8Array.from([0, 7, ...small.slice(2)])), { rank: 3 })).toContain(
      '00 00 08 03 at byte 0, but received 00 07 08 03',
    );
    expect(refusal(packed(idx([1], [0, 0, 0, 0], 13)))).toBe(
      'expected element type 08 (unsigned byte) at byte 2, but received 0d (float)',
    );
    expect(refusal(packed(small), { rank: 1 })).toBe(
      'expected 1 dimensions at byte 3, but received 3',
    );
    expect(refusal(packed(idx([], [1])))).toBe(
      'expected at least 1 dimensions at byte 3, but received 0',
    );
  });

  it('cannot make the reader allocate more than the file holds', () => {
    const before = process.memoryUsage().arrayBuffers;
    expect(refusal(packed(idx([60000, 28, 28], [1, 2, 3])))).toMatch(/^truncated/);
    expect(refusal(packed(idx([0xffffffff, 0xffffffff, 2], [])))).toMatch(/multiply to/);
    expect(refusal(packed(idx(new Array<number>(255).fill(0xffffffff), [])))).toMatch(
      /multiply to/,
    );
    expect(refusal(packed(idx([0xffffffff, 1024], [])))).toMatch(/^truncated/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16e6);
  });

  it('is read or refused if any byte is changed to any value', () => {
    const whole = packed(small);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (position, value) => {
        const changed = Uint8Array.from(whole);
        changed[position] = value;
        try {
          expect(read(changed).data.length).toBeLessThanOrEqual(whole.length + small.length);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { seed: 1, numRuns: 400 },
    );
  });
});

describe('a file that is not IDX', () => {
  it('is refused, whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 40 }), (bytes) => {
        fc.pre(!(bytes[0] === 0 && bytes[1] === 0));
        refusal(bytes);
        refusal(Uint8Array.from([0x1f, 0x8b, ...bytes]));
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it('is refused if it is missing or a folder', () => {
    expect(() => readIdx(join(folder, 'none'))).toThrow(
      new FormatError(`${join(folder, 'none')}: expected a file, but there is no such file`),
    );
    expect(() => readIdx(folder)).toThrow(/expected a file, but it is not a regular file/);
  });

  it('is not unpacked beyond the size in its header, so a gzip bomb takes little memory', () => {
    const bomb = gzipSync(Buffer.concat([idx([16], []), new Uint8Array(64e6)]));
    const before = process.memoryUsage().arrayBuffers;
    expect(refusal(bomb)).toMatch(/to end at byte 24, as its header says, but more bytes follow/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16e6);
  });
});
