/** Tests the exact bytes that saveNpy writes, and the errors of loadNpy for .npy files that are written by hand. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdLeaves, releaseLeaves } from '../../src/graph/in-flight.js';
import { FormatError, loadNpy, parameter, saveNpy, tensor } from '../../src/index.js';
import { errorOf } from '../support.js';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-npy-'));
  file = join(folder, 'x.npy');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Parts {
  readonly magic?: string;
  readonly version?: string;
  readonly length?: number;
  readonly data?: Uint8Array;
}

/** Writes a .npy file with this header and data. It follows the description of the format, without code of forebay. */
function write(
  header: string,
  { magic = '\x93NUMPY', version = '\x01\x00', length, data }: Parts = {},
) {
  const bytes = Buffer.alloc(version[0] === '\x01' ? 2 : 4);
  bytes.writeUIntLE(length ?? header.length, 0, bytes.length);
  const begin = Buffer.from(magic + version, 'latin1');
  writeFileSync(
    file,
    Buffer.concat([begin, bytes, Buffer.from(header, 'latin1'), data ?? Buffer.of()]),
  );
}

const header = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;

function refusal(): string {
  const error = errorOf(() => loadNpy(file));
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message.startsWith(`${file}: `)).toBe(true);
  return error.message.slice(file.length + 2);
}

describe('saveNpy', () => {
  it('writes version 1.0, with the elements at a multiple of 64', () => {
    saveNpy(file, tensor(new Int32Array([1, -2])));
    const bytes = readFileSync(file);
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00');
    expect(bytes.readUInt16LE(8)).toBe(118);
    expect(bytes.subarray(10, 128).toString()).toBe(
      `${"{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }".padEnd(117)}\n`,
    );
    expect(bytes.subarray(128).toString('hex')).toBe('01000000feffffff');
  });

  it('accepts a parameter or anything that `tensor` accepts, and nothing else', () => {
    const [w, wide] = [parameter('w', [[1, 2]]), new Float64Array([4])];
    for (const [value, dtype, nested] of [
      [3, 'float32', 3],
      [[[1, 2]], 'float32', [[1, 2]]],
      [wide, 'float64', [4]],
      [w, 'float32', [[1, 2]]],
    ] as const) {
      saveNpy(file, value);
      expect(loadNpy(file).dtype).toBe(dtype);
      expect(loadNpy(file).toArray()).toEqual(nested);
    }
    const before = readFileSync(file);
    for (const value of [undefined, 'x', {}]) {
      expect(errorOf(() => saveNpy(file, value as never)).message).toContain(
        'saveNpy: expected a tensor, a parameter or a state',
      );
    }
    expect(errorOf(() => saveNpy('', 1)).message).toContain('expected the path of a file');
    expect(errorOf(() => loadNpy('')).message).toContain('expected the path of a file');
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['x.npy']);
  });

  it('does not save a parameter that a run is writing', () => {
    const w = parameter('w', [1]);
    holdLeaves([w], [w]);
    expect(errorOf(() => saveNpy(file, w)).name).toBe('StateError');
    releaseLeaves([w], [w]);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('loadNpy', () => {
  it('reads a valid header in another form', () => {
    const data = Buffer.of(0, 0, 0, 7, 0, 0, 0, 9);
    write(`{"shape" :(2L , 1L),'fortran_order':True , "descr":">i4"}   `, { data });
    expect(loadNpy(file)).toMatchObject({ dtype: 'int32', shape: [2, 1] });
    expect(loadNpy(file).toArray()).toEqual([[7], [9]]);
    write(header("'|b1'", '()'), { data: Buffer.of(1), version: '\x03\x00' });
    expect(loadNpy(file).item()).toBe(1);
  });

  it('reads more elements than it converts at a time', () => {
    const values = Float32Array.from({ length: 300_000 }, (_, index) => index % 251);
    const data = Uint8Array.from(values);
    write(header("'|u1'", '(600, 500)'), { data });
    expect(loadNpy(file).data).toEqual(data);
    expect(loadNpy(file, { dtype: 'int32' }).data).toEqual(Int32Array.from(values));
    write(header("'|u1'", '(600, 500)', 'True'), { data });
    const { data: read, shape } = loadNpy(file);
    expect(shape).toEqual([600, 500]);
    for (const [row, column] of [
      [0, 0],
      [599, 499],
      [1, 0],
      [0, 1],
      [317, 211],
    ] as const) {
      expect(read[row * 500 + column]).toBe(values[column * 600 + row]);
    }
  });

  it.each<[string, string, string, Parts?]>([
    ['no header', '', "at byte 10: expected '{', but found the end of the header"],
    ['no dictionary', '[]', 'at byte 10: expected \'{\', but found "["'],
    ['a dictionary without end', "{'descr': '<f4'", "expected ',' or '}', but found the end"],
    ['text after it', `${header("'<f4'", '(0,)')}x`, 'expected the end, but found "x"'],
    ['an unknown key', "{'strides': 1}", 'at byte 11: unknown key "strides"'],
    ['one key twice', "{'shape': (), 'shape': ()}", 'at byte 24: the key "shape" appears twice'],
    ['no dtype', "{'shape': (), 'fortran_order': True}", 'the header at byte 10 has no descr'],
    ['no order', "{'shape': (), 'descr': '<f4'}", 'has no fortran_order'],
    ['no shape', "{'descr': '<f4', 'fortran_order': True}", 'has no shape'],
    ['a number as the order', header("'<f4'", '()', '1'), 'expected True or False, but found "1"'],
    ['a call as the shape', header("'<f4'", 'open(1)'), 'expected \'(\', but found "o"'],
    [
      'a negative size',
      header("'<f4'", '(-1,)'),
      'expected a whole number from 0 to 2^53 - 1, but found "-"',
    ],
    ['a size past 2^53', header("'<f4'", '(9007199254740992,)'), 'found 9007199254740992'],
    ['a size with a leading zero', header("'<f4'", '(01,)'), 'expected a whole number'],
    ['a number instead of a tuple', header("'<f4'", '(3)'), "expected ',' in a tuple of one"],
    [
      '33 axes',
      header("'<f4'", `(${'1,'.repeat(33)})`),
      'the shape has 33 axes, but forebay has 32',
    ],
    [
      'an overflow',
      header("'<f4'", '(4294967296, 4294967296)'),
      'more elements than any memory holds',
    ],
    [
      'an overflow times 0',
      header("'<f4'", `(${'4294967296,'.repeat(8)} 0)`),
      'than any memory holds',
    ],
    [
      'a dtype with an unknown byte order',
      header("'^f4'", '()'),
      'dtype "^f4": expected one of f4, f8',
    ],
    ['a dtype of an unknown width', header("'<i3'", '()'), 'dtype "<i3": expected one of'],
    [
      'a dtype named like a property of Object.prototype',
      header("'constructor'", '()'),
      'dtype "constructor": expected one of',
    ],
    [
      'objects',
      header("'|O'", '(1,)'),
      'Python objects, pickled',
      { data: Buffer.from('\x80\x04N.') },
    ],
    ['fields', header("[('a', '<f4')]", '(1,)'), 'at byte 20: the elements are structures'],
    ['a string with an escape', header("'\\x3c'", '()'), 'expected a string'],
    [
      'too few elements',
      header("'<f4'", '(2,)'),
      'truncated: expected 8 bytes of elements (float32, shape [2])',
      { data: Buffer.alloc(7) },
    ],
    [
      'too many elements',
      header("'<f4'", '(2,)'),
      '2 more bytes follow',
      { data: Buffer.alloc(10) },
    ],
    [
      'a bool of 2',
      header("'|b1'", '(2,)'),
      'expected a bool, 0 or 1, at byte ',
      { data: Buffer.of(1, 2) },
    ],
    ['another magic number', '', 'byte 0 is 0x50', { magic: 'PK\x03\x04AB' }],
    [
      'another version',
      '',
      'expected version 1.0, 2.0 or 3.0 at byte 6, but received 4.0',
      { version: '\x04\x00' },
    ],
    [
      'a header beyond the end',
      '{}',
      'truncated: expected a header of 200 bytes at byte 10',
      { length: 200 },
    ],
    [
      'a huge header',
      '{}',
      "the header's length at byte 8 is 4000000000, but the limit is 10000",
      { length: 4e9, version: '\x02\x00' },
    ],
  ])('refuses %s', (_, text, message, parts = {}) => {
    write(text, parts);
    expect(refusal()).toContain(message);
  });

  it('refuses an element that does not fit in int32, and names its byte', () => {
    const data = Buffer.alloc(16);
    data.writeBigInt64LE(-(2n ** 31n), 0);
    data.writeBigInt64LE(-(2n ** 31n) - 1n, 8);
    write(header("'<i8'", '(2,)'), { data });
    const at = readFileSync(file).length - 8;
    expect(refusal()).toBe(
      `the int64 at byte ${at} is -2147483649, but the limit of int32 is -2147483648; dtype: 'float64' reads integers up to 2^53`,
    );
  });

  it('refuses a file that is cut off at any byte', () => {
    saveNpy(file, [1, 2, 3]);
    const bytes = readFileSync(file);
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(file, bytes.subarray(0, length));
      expect(refusal()).toMatch(/^truncated: expected /);
    }
  });
});
