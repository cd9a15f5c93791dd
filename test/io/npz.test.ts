/** Tests that invalid .npz archives are refused with a clear error, before memory is allocated for them. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FormatError, loadNpz, parameter, saveNpz, Tensor, tensor } from '../../src/index.js';
import { zip } from '../../src/io/zip.js';
import { errorOf } from '../support.js';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-npz-'));
  file = join(folder, 'x.npz');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function refusal(bytes: Uint8Array): string {
  writeFileSync(file, bytes);
  const error = errorOf(() => loadNpz(file));
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message.startsWith(`${file}: `)).toBe(true);
  return error.message.slice(file.length + 2);
}

/** Returns the bytes of an archive of two vectors, and the offsets of its records. */
function archive(compress = false) {
  saveNpz(file, { a: tensor([1, 2]), b: tensor([3, 4]) }, { compress });
  const bytes = readFileSync(file);
  const at = (signature: string, from = 0) => bytes.indexOf(Buffer.from(signature, 'latin1'), from);
  const central = at('PK\x01\x02');
  return {
    bytes,
    locals: [0, at('PK\x03\x04', 1)],
    centrals: [central, at('PK\x01\x02', central + 1)],
    end: at('PK\x05\x06'),
  };
}

describe('saveNpz', () => {
  it('writes tensors that loadNpz reads, in the given order', () => {
    const w = parameter('w', [[1, 2]]);
    for (const compress of [false, true]) {
      saveNpz(
        file,
        { w, 'a/b': tensor(7), __proto__x: Tensor.zeros([0, 3]), '': tensor([5]) },
        { compress },
      );
      const loaded = loadNpz(file);
      expect(Object.entries(loaded).map(([name, value]) => [name, value.toArray()])).toEqual([
        ['w', [[1, 2]]],
        ['a/b', 7],
        ['__proto__x', []],
        ['', [5]],
      ]);
    }
    saveNpz(file, [w]);
    expect(Object.keys(loadNpz(file))).toEqual(['w']);
    saveNpz(file, []);
    expect(loadNpz(file)).toEqual({});
  });

  it('writes the same bytes for the same tensors, and fewer if they are compressed', () => {
    saveNpz(file, { x: Tensor.zeros([10_000]) });
    const once = readFileSync(file);
    saveNpz(file, { x: Tensor.zeros([10_000]) });
    expect(readFileSync(file)).toEqual(once);
    saveNpz(file, { x: Tensor.zeros([10_000]) }, { compress: true });
    expect(readFileSync(file).length).toBeLessThan(1000);
  });

  it('refuses invalid names and options', () => {
    expect(errorOf(() => saveNpz(file, { '\ud800': tensor(1) })).name).toBe('ValueError');
    expect(errorOf(() => saveNpz(file, { ['x'.repeat(65_532)]: tensor(1) })).name).toBe(
      'ValueError',
    );
    expect(errorOf(() => saveNpz(file, [parameter('a', 1), parameter('a', 1)])).name).toBe(
      'GraphError',
    );
    expect(errorOf(() => saveNpz(file, [], { compress: 9 as never })).message).toContain(
      'compress',
    );
  });
});

describe('loadNpz(file, parameters)', () => {
  it('writes all of the parameters, or none', () => {
    saveNpz(file, { a: tensor([1, 2]), b: tensor([3, 4]) });
    const [a, c] = [parameter('a', [8, 9]), parameter('c', [8, 9])];
    expect(Object.keys(loadNpz(file, { a, b: c }))).toEqual(['a', 'b']);
    expect([a.value.toArray(), c.value.toArray()]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    a.set([8, 9]);
    const wide = parameter('b', [[1, 2]]);
    for (const [wrong, message] of [
      [c, "there is no tensor 'c'"],
      [wide, 'is float32 [1, 2], but the file has [2]'],
    ] as const) {
      const error = errorOf(() => loadNpz(file, [a, wrong]));
      expect(error.message).toContain(message);
    }
    expect(a.value.toArray()).toEqual([8, 9]);
  });
});

describe('loadNpz refuses', () => {
  it('a file that is cut off at any byte', () => {
    for (const compress of [false, true]) {
      const { bytes } = archive(compress);
      for (let length = 0; length < bytes.length; length++) refusal(bytes.subarray(0, length));
    }
  });

  type Archive = ReturnType<typeof archive>;
  const set = (offset: (a: Archive) => number, value: number, width: number) => (a: Archive) =>
    a.bytes.writeUIntLE(value, offset(a), width);
  const central = (field: number) => (a: Archive) => (a.centrals[1] as number) + field;
  const local = (field: number) => (a: Archive) => (a.locals[1] as number) + field;
  const end = (field: number) => (a: Archive) => a.end + field;
  it.each<[string, (a: Archive) => unknown, RegExp]>([
    ['an encrypted member', set(central(8), 1, 2), /member "b.npy" is encrypted/],
    ['another method', set(central(10), 12, 2), /packed by method 12, but only 0 \(stored\) and 8/],
    ['another checksum', set(central(16), 1, 4), /disagree on its checksum/],
    [
      'a damaged element',
      (a) => a.bytes.writeUInt8(9, (a.centrals[0] as number) - 1),
      /the checksum of member "b.npy" at byte \d+ is \d+, but the directory says/,
    ],
    [
      'sizes that differ',
      set(central(24), 5, 4),
      /is stored, but has 136 bytes packed and 5 unpacked/,
    ],
    [
      'another name',
      set(local(30), 0x63, 1),
      /the record of member "b.npy" and the directory disagree on its name/,
    ],
    [
      'the same name',
      (a) => a.bytes.fill('a', central(46)(a), central(47)(a)),
      /the member "a.npy" appears twice/,
    ],
    ['another method in the record', set(local(8), 8, 2), /disagree on its method/],
    ['another size in the record', set(local(22), 8, 4), /disagree on its size/],
    [
      'a name that is not UTF-8',
      set(central(46), 0xff, 1),
      /the name of this member is neither ASCII nor UTF-8/,
    ],
    [
      'a member that is not a .npy file',
      (a) => [central(48)(a), local(32)(a)].map((at) => a.bytes.writeUInt8(0x78, at)),
      /expected only .npy files as members, but the one at byte \d+ is "b.xpy"/,
    ],
    [
      'a member beyond the end',
      set(central(42), 0xfffffff0, 4),
      /member "b.npy" begins at byte 4294967280, but the directory begins at byte/,
    ],
    ['two members at the same offset', (a) => set(central(42), 0, 4)(a), /they overlap/],
    [
      'another signature',
      set(local(0), 0, 4),
      /expected the record of member "b.npy" \(0x04034b50\), but found 0x00000000/,
    ],
    ['several disks', set(end(4), 1, 2), /the archive is split into several files/],
    [
      'a number of members that the directory cannot hold',
      (a) => [8, 10].map((field) => set(end(field), 999, 2)(a)),
      /the directory is too short for 999 members/,
    ],
    [
      'a number of members that is too small',
      (a) => [8, 10].map((field) => set(end(field), 1, 2)(a)),
      /expected the end of the directory after 1 members/,
    ],
    [
      'a directory elsewhere',
      set(end(16), 1, 4),
      /the directory is stated to be at bytes 1 to \d+, but must end here/,
    ],
    [
      'a missing zip64 record',
      set(end(16), 0xffffffff, 4),
      /expected a zip64 locator \(0x07064b50\), but found/,
    ],
    [
      'a missing zip64 size',
      set(central(24), 0xffffffff, 4),
      /expected a zip64 field with a size or an offset, but there is none/,
    ],
    ['a missing comment', set(end(20), 1, 2), /there is no record of a directory's end/],
  ])('%s', (_, damage, message) => {
    const made = archive();
    damage(made);
    expect(refusal(made.bytes)).toMatch(message);
  });

  it('an archive with other bytes before it', () => {
    expect(refusal(Buffer.concat([Buffer.alloc(3), archive().bytes]))).toMatch(/must end here/);
  });

  it.each<[string, number, RegExp]>([
    ['more than it says', 135, /expected 135 bytes, as the directory says, but there are more/],
    ['less than it says', 137, /expected 137 bytes, as the directory says, but there are 136/],
    [
      'more than deflate can produce',
      2 ** 31,
      /is stated to unpack from \d+ bytes to 2147483648, more than deflate can produce/,
    ],
  ])('a member that unpacks to %s', (_, size, message) => {
    const { bytes, centrals, locals } = archive(true);
    bytes.writeUInt32LE(size, (centrals[1] as number) + 24);
    bytes.writeUInt32LE(size, (locals[1] as number) + 22);
    expect(refusal(bytes)).toMatch(message);
  });

  it('a deflate stream that is damaged, or that ends before its packed bytes', () => {
    const { bytes, locals } = archive(true);
    bytes.fill(0xff, (locals[1] as number) + 35, (locals[1] as number) + 40);
    expect(refusal(bytes)).toMatch(/member "b.npy" at byte \d+: not a valid deflate stream/);
    const longer = Buffer.concat([deflateRawSync(Buffer.from('x')), Buffer.alloc(5)]);
    const made = [...zip([{ name: 'x.npy', parts: [longer] }])];
    const whole = Buffer.concat(made);
    for (const [signature, method, packed] of [
      ['PK\x01\x02', 10, 24],
      ['PK\x03\x04', 8, 22],
    ] as const) {
      const at = whole.indexOf(Buffer.from(signature, 'latin1'));
      whole.writeUInt16LE(8, at + method);
      whole.writeUInt32LE(1, at + packed);
    }
    expect(refusal(whole)).toMatch(/expected \d+ packed bytes, but the stream ends after \d+/);
  });

  it('a zip bomb without using much memory: a large member of zeros with a small stated size', () => {
    const bomb = [...zip([{ name: 'x.npy', parts: [new Uint8Array(64e6)] }], { compress: true })];
    const bytes = Buffer.concat(bomb);
    const centralAt = bytes.indexOf(Buffer.from('PK\x01\x02', 'latin1'));
    for (const at of [22, centralAt + 24]) bytes.writeUInt32LE(1000, at);
    const before = process.memoryUsage().arrayBuffers;
    expect(refusal(bytes)).toMatch(
      /expected 1000 bytes, as the directory says, but there are more/,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16e6);
  });

  it('members that share their packed bytes', () => {
    const { bytes, centrals, end: endAt } = archive(true);
    const entry = bytes.subarray(centrals[0], centrals[1]);
    const entries = Array.from({ length: 100 }, (_, index) => {
      const copy = Buffer.from(entry);
      copy.write(String.fromCharCode(0x21 + index), 46, 'latin1');
      return copy;
    }).filter((copy) => copy[46] !== 0x61 && (copy[46] as number) < 0x7f);
    const record = Buffer.from(bytes.subarray(endAt));
    const size = entries.length * entry.length;
    for (const field of [8, 10]) record.writeUInt16LE(entries.length, field);
    record.writeUInt32LE(size, 12);
    const nested = [bytes.subarray(0, centrals[0]), ...entries, record];
    expect(refusal(Buffer.concat(nested))).toMatch(/they overlap/);
  });

  it('a member with invalid content, and names the member', () => {
    const made = [...zip([{ name: 'x.npy', parts: [Buffer.from('pickle')] }])];
    expect(refusal(Buffer.concat(made))).toMatch(/^x.npy: not a .npy file/);
  });

  it('an archive with one changed byte, unless the tensors are still the same', () => {
    for (const compress of [false, true]) {
      const { bytes } = archive(compress);
      let refused = 0;
      for (let at = 0; at < bytes.length; at++) {
        const other = Buffer.from(bytes);
        other[at] = (other[at] as number) ^ 0x41;
        writeFileSync(file, other);
        try {
          const loaded = Object.values(loadNpz(file)).map((value) => value.toArray());
          expect(loaded).toEqual([
            [1, 2],
            [3, 4],
          ]);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          refused++;
        }
      }
      // Not every change is refused, because dates, versions and attributes are not checked.
      expect(refused).toBeGreaterThan(0.7 * bytes.length);
    }
  });
});
