/**
 * Tests that damaged and invalid safetensors files are refused with a clear error, before memory is allocated for them.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, load, loadMetadata, parameter, save, tensor } from '../../src/index.js';
import { errorOf } from '../support.js';

let folder = '';
let file = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-damaged-'));
  file = join(folder, 'it');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Writes a file with a header and `dataBytes` zero bytes of data. `length` is the header length that the file states.
 */
function write(header: string | Uint8Array, dataBytes = 0, length?: bigint): void {
  const json = Buffer.from(header);
  const bytes = Buffer.alloc(8 + json.length + dataBytes);
  bytes.writeBigUInt64LE(length ?? BigInt(json.length));
  json.copy(bytes, 8);
  writeFileSync(file, bytes);
}

function refusal(): string {
  const error = errorOf(() => load(file));
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message.startsWith(`${file}: `)).toBe(true);
  return error.message.slice(file.length + 2);
}

const entry = (shape: string, offsets: string, dtype = '"F32"') =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;

describe('a header', () => {
  it('that is valid is read, in any order and with any white space', () => {
    write(
      ` {"b" : ${entry('[1]', '[ 4 , 8 ]')},\n "a":{"data_offsets":[0,4],"shape":[],"dtype":"I32"} }\t `,
      8,
    );
    expect(Object.keys(load(file))).toEqual(['a', 'b']);
    write(`{"__metadata__":{},"\\u0061":${entry('[0]', '[0,0]')}}`);
    expect(load(file).a?.shape).toEqual([0]);
  });

  it.each<[string, string, string, number?]>([
    ['is empty', '', "at byte 8: expected '{', but found the end of the header"],
    ['is not an object', '[]', 'at byte 8: expected \'{\', but found "["'],
    ['starts with a byte order mark', '\ufeff{}', "at byte 8: expected '{'"],
    ['does not end', '{', "at byte 9: expected '\"', but found the end of the header"],
    ['has text after its end', '{} {}', 'at byte 11: expected the end, but found "{"'],
    ['has a trailing comma', `{"a":${entry('[0]', '[0,0]')},}`, 'expected \'"\', but found "}"'],
    ['lacks a colon', '{"a" {}}', 'at byte 13: expected \':\', but found "{"'],
    ['has a string without an end', '{"a', 'at byte 9: this string does not end'],
    ['has a string that ends in an escape', '{"a\\', 'at byte 9: this string does not end'],
    ['has a bad escape', '{"\\x":{}}', 'at byte 9: expected a JSON string'],
    ['has a line break in a string', '{"a\nb":{}}', 'at byte 9: expected a JSON string'],
    [
      'has half a surrogate pair',
      '{"\\ud800":{}}',
      'at byte 9: this string has an unpaired surrogate',
    ],
    [
      'names a tensor twice',
      `{"é":${entry('[0]', '[0,0]')},"\\u00e9":${entry('[0]', '[0,0]')}}`,
      'at byte 63: the key "é" appears twice',
    ],
    [
      'gives metadata twice',
      '{"__metadata__":{},"__metadata__":{}}',
      'the key "__metadata__" appears twice',
    ],
    ['repeats a key of metadata', '{"__metadata__":{"a":"","a":""}}', 'the key "a" appears twice'],
    [
      'has metadata that are not strings',
      '{"__metadata__":{"a":1}}',
      'at byte 29: expected \'"\', but found "1"',
    ],
    ['gives a shape twice', '{"a":{"shape":[],"shape":[]}}', 'the key "shape" appears twice'],
    [
      'has no dtype',
      '{"a":{"shape":[],"data_offsets":[0,4]}}',
      'at byte 9: tensor "a" has no dtype',
      4,
    ],
    ['has no shape', '{"a":{"dtype":"F32","data_offsets":[0,4]}}', 'tensor "a" has no shape', 4],
    ['has no offsets', '{"a":{"dtype":"F32","shape":[]}}', 'tensor "a" has no data_offsets', 4],
    [
      'has a dtype of another size',
      `{"a":${entry('[3]', '[0,4]', '"BF16"')}}`,
      'tensor "a", BF16 [3], takes 6 bytes, but its data_offsets are [0, 4]',
      4,
    ],
    [
      'has a value that does not end',
      '{"a":{"dtype":"F32","strides":[1,{"x":[]}',
      "expected ',' or ']', but found the end of the header",
    ],
    [
      'has a key whose value is not JSON',
      '{"a":{"dtype":"F32","strides":nul}}',
      'at byte 38: expected a JSON value, but found "n"',
    ],
    [
      'has a key whose value is a sign without a number',
      '{"a":{"strides":-}}',
      'at byte 24: expected a JSON value, but found "-"',
    ],
    [
      'has a key that nests deeper than the stack',
      `{"a":{"x":${'['.repeat(100_000)}`,
      'expected at most 127 levels of nesting, but there are more',
    ],
    [
      'has a dtype of another kind',
      `{"a":${entry('[1]', '[0,4]', '7')}}`,
      'expected \'"\', but found "7"',
      4,
    ],
    [
      'has a dtype that is not known',
      `{"a":${entry('[1]', '[0,4]', '"constructor"')}}`,
      `tensor 'a' cannot be read: its dtype is "constructor", which is not known`,
      4,
    ],
    [
      'has a negative size',
      `{"a":${entry('[-1]', '[0,4]')}}`,
      'expected a whole number from 0 to 2^53 - 1, but found "-"',
      4,
    ],
    [
      'has a size with a fraction',
      `{"a":${entry('[1.0]', '[0,4]')}}`,
      "expected ',' or ']', but found \".\"",
      4,
    ],
    ['has a size with a leading zero', `{"a":${entry('[01]', '[0,4]')}}`, 'but found 01', 4],
    [
      'has a size past 2^53',
      `{"a":${entry('[9007199254740992]', '[0,4]')}}`,
      'but found 9007199254740992',
      4,
    ],
    [
      'has sizes whose product overflows',
      `{"a":${entry('[4294967296,4294967296]', '[0,0]')}}`,
      'takes 73786976294838206464 bytes, but its data_offsets are [0, 0]',
    ],
    [
      'has sizes whose product overflows to 0',
      `{"a":${entry(`[${new Array(8).fill(2 ** 32)}]`, '[0,0]')}}`,
      'bytes, but its data_offsets are [0, 0]',
    ],
    [
      'has sizes that overflow, and an empty axis',
      `{"a":${entry(`[${new Array(30).fill(2 ** 52)},0]`, '[0,0]')}}`,
      'larger than any memory',
    ],
    [
      'has three offsets',
      `{"a":${entry('[1]', '[0,4,8]')}}`,
      'expected the begin and end of tensor "a", but found [0, 4, 8]',
      4,
    ],
    ['has offsets that run backwards', `{"a":${entry('[1]', '[8,4]')}}`, 'but found [8, 4]', 8],
    [
      'has offsets of another length',
      `{"a":${entry('[1]', '[0,8]')}}`,
      'takes 4 bytes, but its data_offsets are [0, 8]',
      8,
    ],
    [
      'points past the end',
      `{"a":${entry('[2]', '[0,8]')}}`,
      'tensor "a" is at bytes 0 to 8 of the data, but there are 4: truncated?',
      4,
    ],
    [
      'has an overlap',
      `{"a":${entry('[1]', '[0,4]')},"b":${entry('[1]', '[0,4]')}}`,
      'tensor "b" is at bytes 0 to 4 of the data, but tensor "a" ends at 4: they overlap',
      4,
    ],
    [
      'has a gap',
      `{"a":${entry('[1]', '[4,8]')}}`,
      'tensor "a" is at bytes 4 to 8 of the data, but the header ends at 0: there is a gap',
      8,
    ],
    [
      'does not cover all of the data',
      `{"a":${entry('[1]', '[0,4]')}}`,
      'expected the end of the file after 4 bytes of data, but 3 more follow',
      7,
    ],
  ])('that %s is refused', (_, header, message, dataBytes = 0) => {
    write(header, dataBytes);
    expect(refusal()).toContain(message);
  });

  it('that is not UTF-8 is refused; the error names the first wrong byte', () => {
    write(Buffer.concat([Buffer.from('{"é'), Buffer.from([0xc3, 0x28]), Buffer.from('":{}}')]));
    expect(refusal()).toBe('at byte 12: the header is not UTF-8');
    // The byte 0xef is the first byte of U+FFFD, the character by which a lenient decoder replaces an incomplete one.
    write(Buffer.concat([Buffer.from('{}'), Buffer.from([0xef])]));
    expect(refusal()).toBe('at byte 11: the header is not UTF-8');
  });

  it('may be as long as the file, and no longer than the format allows', () => {
    write('{}', 0, 3n);
    expect(refusal()).toBe(
      'truncated: expected a header of 3 bytes at byte 8, but the file ends after 10',
    );
    write('{}', 0, 100_000_001n);
    expect(refusal()).toContain(
      "not a safetensors file: the header's length at byte 0 is 100000001",
    );
    write('{}', 0, 2n ** 64n - 1n);
    expect(refusal()).toContain('is 18446744073709551615, but the format allows 100000000');
    write('{}', 0, 90_000_000n);
    truncateSync(file, 90_000_008);
    // This header is very long, and has only zeros after its first bytes. The reader reads it, but needs no further
    // time or memory to refuse it.
    expect(refusal()).toContain('at byte 10: expected the end, but found');
  });
});

describe('a file', () => {
  it('that is too short for the length of a header is refused', () => {
    writeFileSync(file, '1234567');
    expect(refusal()).toBe(
      "truncated: expected the 8 bytes of a header's length at byte 0, but the file ends after 7",
    );
  });

  it('that is missing or a folder is refused', () => {
    const missing = join(folder, 'missing');
    expect(errorOf(() => load(missing)).message).toBe(
      `${missing}: expected a file, but there is no such file`,
    );
    expect(errorOf(() => load(folder)).message).toBe(
      `${folder}: expected a file, but it is not a regular file`,
    );
    expect(errorOf(() => loadMetadata(missing))).toBeInstanceOf(FormatError);
  });

  it.skipIf(process.platform === 'win32')(
    'that is a pipe is refused at once, without waiting for it',
    () => {
      const pipe = join(folder, 'pipe');
      spawnSync('mkfifo', [pipe]);
      expect(errorOf(() => load(pipe)).message).toBe(
        `${pipe}: expected a file, but it is not a regular file`,
      );
    },
  );

  it('that is cut off at any byte is refused, and the parameters keep their values', () => {
    save(file, { a: tensor([1, 2]), b: tensor([[3, 4, 5]]) }, { metadata: { x: 'y' } });
    const bytes = readFileSync(file);
    const a = parameter('a', [8, 9]);
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(file, bytes.subarray(0, length));
      expect(
        errorOf(() => load(file, [a])),
        `${length} bytes`,
      ).toBeInstanceOf(FormatError);
    }
    expect(a.value.toArray()).toEqual([8, 9]);
  });

  it('with damaged bytes is refused with a FormatError, if it is not still valid', () => {
    save(file, { weight: tensor([1, 2]), bias: tensor([[3, 4, 5]]) }, { metadata: { x: 'y' } });
    const bytes = readFileSync(file);
    const header = 8 + Number(bytes.readBigUInt64LE(0));
    let refused = 0;
    const damage = fc.tuple(fc.nat(header - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (places) => {
        const other = Buffer.from(bytes);
        for (const [at, by] of places) other[at] = (other[at] as number) ^ by;
        writeFileSync(file, other);
        try {
          const loaded = Object.values(load(file));
          expect(loaded.reduce((n, { data }) => n + data.byteLength, 0)).toBe(20);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          refused++;
        }
      }),
      { seed: 6, numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });
});
