/** Tests that forebay loads all forms of files that NumPy writes, and that NumPy reads the files that forebay saves. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  FormatError,
  loadNpy,
  loadNpz,
  saveNpy,
  saveNpz,
  Tensor,
  tensor,
} from '../../src/index.js';
import { writeAtomically } from '../../src/io/files.js';
import { zip } from '../../src/io/zip.js';
import { errorOf } from '../support.js';

const script = fileURLToPath(new URL('numpy_interchange.py', import.meta.url));
const python = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import numpy']).status === 0,
);
if (python === undefined) console.log('NumPy: left out, because no python3 here has numpy');

type Described = [dtype: string, shape: number[], hex: string];
const codes = {
  float32: '<f4',
  float64: '<f8',
  int32: '<i4',
  bool: '|b1',
  uint8: '|u1',
} as const;
const described = ({ dtype, shape, data }: Tensor): Described => [
  codes[dtype],
  [...shape],
  Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).toString('hex'),
];

describe.skipIf(python === undefined)('NumPy', () => {
  const bits = new Float32Array(new Uint32Array([0x7fc12345, 0xffc00001, 0x80000000, 1]).buffer);
  const tensors: Record<string, Tensor> = {
    'lstm.forget.weight': tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]),
    'bits é': tensor(bits),
    count: tensor(new Int32Array([-(2 ** 31), 2 ** 31 - 1])),
    step: tensor(0.1, { dtype: 'float64' }),
    nothing: Tensor.zeros([0, 4]),
    ranks: Tensor.ones(new Array<number>(32).fill(1)),
  };
  let folder = '';
  let answer: { read: Record<string, unknown>; written: Record<string, [number[], unknown[]]> };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'forebay-numpy-'));
    for (const [index, value] of Object.values(tensors).entries()) {
      saveNpy(join(folder, `ours-${index}.npy`), value);
    }
    saveNpz(join(folder, 'ours.npz'), tensors);
    saveNpz(join(folder, 'ours-deflated.npz'), tensors, { compress: true });
    // Writes a small archive in zip64 form, which archives larger than 4 GiB have.
    writeAtomically(
      join(folder, 'ours-zip64.npz'),
      zip([{ name: 'x.npy', parts: [tensorFile()] }], { wideFrom: 0 }),
    );
    const output = execFileSync(python as string, [script, folder], { encoding: 'utf8' });
    answer = JSON.parse(output);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('reads the files that forebay saves, bit for bit', () => {
    const expected = Object.fromEntries(
      Object.entries(tensors).map(([name, value]) => [name, described(value)]),
    );
    expect(answer.read['ours.npz']).toEqual(expected);
    expect(answer.read['ours-deflated.npz']).toEqual(expected);
    expect(answer.read['ours-zip64.npz']).toEqual({ x: ['<f4', [2], '0000803f00000040'] });
    for (const [index, value] of Object.values(tensors).entries()) {
      expect(answer.read[`ours-${index}.npy`]).toEqual(described(value));
    }
  });

  it('writes files that forebay loads: every type, byte order, memory order and version', () => {
    const dtypes = { f2: 'float32', half: 'float32', f4: 'float32', bits: 'float32' } as const;
    const wide = ['f8', 'scalar'];
    const bytes: Record<string, string> = { u1: 'uint8', b1: 'bool' };
    const files = Object.entries(answer.written);
    expect(files.length).toBe(16 * 2 * 2 * 3);
    for (const [name, [shape, values]] of files) {
      const loaded = loadNpy(join(folder, name));
      const kind = name.split('-')[0] as string;
      const floating = kind === 'empty' ? 'float32' : dtypes[kind as keyof typeof dtypes];
      expect(loaded.dtype, name).toBe(
        floating ?? bytes[kind] ?? (wide.includes(kind) ? 'float64' : 'int32'),
      );
      expect(loaded.shape, name).toEqual(shape);
      const asText = (value: number) =>
        Number.isFinite(value)
          ? value
          : `${value}`.replace('NaN', 'nan').replace('Infinity', 'inf');
      expect(Array.from(loaded.data, asText), name).toEqual(values);
    }
  });

  it.each(['stored', 'deflated', 'piped'])('writes %s archives that forebay loads', (how) => {
    const loaded = loadNpz(join(folder, `${how}.npz`));
    expect(Object.keys(loaded)).toEqual(['one', 'two/é']);
    expect(loaded.one).toMatchObject({ dtype: 'int32', shape: [3] });
    expect(loaded.one?.toArray()).toEqual([0, 1, 2]);
    expect(loaded['two/é']).toMatchObject({ dtype: 'float32', shape: [50, 50] });
  });

  it('and forebay read the same values from the archives that forebay saves', () => {
    for (const name of ['ours.npz', 'ours-deflated.npz']) {
      const again = Object.entries(loadNpz(join(folder, name)));
      expect(again.map(([key, value]) => [key, described(value)])).toEqual(
        Object.entries(tensors).map(([key, value]) => [key, described(value)]),
      );
    }
  });

  it.each([
    ['objects', /dtype "\|O": the elements are Python objects, pickled/],
    ['complex', /dtype "<c16": the elements are complex numbers/],
    ['text', /dtype "<U1": the elements are text/],
    ['bytes', /dtype "\|S1": the elements are byte strings/],
    ['dates', /dtype "<M8\[D\]": the elements are dates/],
    ['fields', /the elements are structures/],
    ['wide', /dtype "<f16": the elements are floating-point numbers wider than float64/],
    ['large', /the int64 at byte 136 is 2147483648, but the limit of int32 is 2147483647/],
  ])('writes %s, which forebay refuses with the reason', (name, message) => {
    const error = errorOf(() => loadNpy(join(folder, `${name}.npy`)));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(message);
  });
});

/** Returns a .npy file of [1, 2] in float32. It follows the description of the format, without code of forebay. */
function tensorFile(): Uint8Array {
  const text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".padEnd(117);
  const file = Buffer.alloc(128 + 8);
  file.write(`\x93NUMPY\x01\x00\x76\x00${text}\n`, 'latin1');
  file.writeFloatLE(1, 128);
  file.writeFloatLE(2, 132);
  return file;
}
