/** Tests the option `dtype` of `save`. The numbers of the folder pytorch were rounded by PyTorch (see pytorch.py). */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Dense,
  DTypeError,
  type FloatTypes,
  load,
  restore,
  type SaveOptions,
  save,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const golden = fileURLToPath(new URL('pytorch/narrow.safetensors', import.meta.url));

let folder = '';
let file = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-narrow-'));
  file = join(folder, 'narrow.safetensors');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Part {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly hex: string;
}

/** Reads a file without code of forebay. Returns the type, the shape and the bytes of each tensor. */
function partsOf(path: string): Record<string, Part> {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: _, ...header } = JSON.parse(bytes.toString('utf8', 8, start));
  return Object.fromEntries(
    Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(header).map(
      ([name, { dtype, shape, data_offsets }]) => {
        const [begin, end] = data_offsets;
        const hex = bytes.subarray(start + begin, start + end).toString('hex');
        return [name, { dtype, shape, hex }];
      },
    ),
  );
}

/** Writes numbers in 16 bits, and returns these bits. */
function bitsOf(numbers: readonly number[], dtype: FloatTypes): number[] {
  save(file, { x: tensor(new Float64Array(numbers)) }, { dtype });
  const { hex } = partsOf(file).x as Part;
  const bytes = Buffer.from(hex, 'hex');
  return numbers.map((_, index) => bytes.readUInt16LE(2 * index));
}

describe('save in 16 bits', () => {
  it.each([
    ['float16', 'source', 'F16'],
    ['bfloat16', 'source', 'BF16'],
    ['bfloat16', 'large', 'large.BF16'],
  ] as const)('writes the bytes of PyTorch as %s: %s', (dtype, from, name) => {
    const { [from]: source } = load(golden);
    save(file, { source: source as Tensor }, { dtype });
    expect(partsOf(file).source).toEqual(partsOf(golden)[name]);
  });

  it('rounds float64 once, and not by way of float32', () => {
    // A little above the tie between 1 and the next float16. In float32 it would be the tie.
    const above = 1 + 2 ** -11 + 2 ** -40;
    expect(bitsOf([above, 1 + 2 ** -11, -above], 'float16')).toEqual([0x3c01, 0x3c00, 0xbc01]);
    const wide = 1 + 2 ** -8 + 2 ** -40;
    expect(bitsOf([wide, 1 + 2 ** -8], 'bfloat16')).toEqual([0x3f81, 0x3f80]);
  });

  it('keeps NaN, infinities and signed zeros', () => {
    const special = [NaN, Infinity, -Infinity, 0, -0, 1e-300, -1e-300];
    expect(bitsOf(special, 'float16')).toEqual([0x7e00, 0x7c00, 0xfc00, 0, 0x8000, 0, 0x8000]);
    expect(bitsOf(special, 'bfloat16')).toEqual([0x7fc0, 0x7f80, 0xff80, 0, 0x8000, 0, 0x8000]);
  });

  it.each([
    ['float16', 65504, 65520, '65504'],
    ['bfloat16', 3.3895313892515355e38, 3.3962e38, '3.3895313892515355e+38'],
    ['float32', 3.4028234663852886e38, -3.4028236e38, '3.4028234663852886e+38'],
  ] as const)(
    'refuses a number that is too large for %s, and changes no file',
    (dtype, most, more, text) => {
      writeFileSync(file, 'old');
      const values = { a: tensor([1]), 'net.w': tensor([most, more], { dtype: 'float64' }) };
      const error = errorOf(() => save(file, values, { dtype }));
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toBe(
        `save: tensor 'net.w': element 1 is ${more}, but the largest ${dtype} is ${text}`,
      );
      expect(readFileSync(file, 'utf8')).toBe('old');
      save(file, { w: tensor([most], { dtype: 'float64' }) }, { dtype });
      expect(load(file).w?.item()).toBe(most);
    },
  );

  it('writes integers and bools as they are', () => {
    const others = {
      steps: tensor([70_000], { dtype: 'int32' }),
      mask: tensor([true]),
      bytes: tensor(new Uint8Array([7])),
    };
    save(file, { w: tensor([1]), ...others }, { dtype: 'float16' });
    const types = Object.entries(partsOf(file)).map(([name, { dtype }]) => [name, dtype]);
    expect(types).toEqual([
      ['steps', 'I32'],
      ['w', 'F16'],
      ['mask', 'BOOL'],
      ['bytes', 'U8'],
    ]);
  });

  it('writes each tensor in its type of a record', () => {
    const values = { a: tensor([0.1]), b: tensor([0.1]), c: tensor([0.5], { dtype: 'float64' }) };
    save(file, values, { dtype: { a: 'bfloat16', c: 'float32' } });
    const { a, b, c } = partsOf(file) as Record<'a' | 'b' | 'c', Part>;
    expect([a.dtype, b.dtype, c.dtype]).toEqual(['BF16', 'F32', 'F32']);
    save(file, values, { dtype: 'float64' });
    expect(load(file).a?.item()).toBe(Math.fround(0.1));
  });

  it('writes tensors that are larger than a piece, and empty ones', () => {
    const data = Float32Array.from({ length: 600_001 }, (_, index) => index % 2048);
    save(file, { data: tensor(data), none: Tensor.zeros([2, 0]) }, { dtype: 'float16' });
    const loaded = load(file);
    expect(Buffer.compare(Buffer.from((loaded.data as Tensor).data), Buffer.from(data))).toBe(0);
    expect(loaded.none?.shape).toEqual([2, 0]);
  });

  it('writes what restore reads into a module of float32', () => {
    const [net, other] = ['net', 'other'].map((name) => new Dense(name, { inputs: 2, units: 2 }));
    net?.weight.set(Float32Array.of(1, -0.5, 3, 65504));
    save(file, net as Dense, { dtype: 'float16' });
    restore(file, other as Dense);
    expect(other?.weight.value.toArray()).toEqual(net?.weight.value.toArray());
  });

  it.each<[string, SaveOptions, unknown, string]>([
    [
      'a dtype that is none',
      { dtype: 'half' as never },
      DTypeError,
      "one of 'float16', 'bfloat16'",
    ],
    ['int32', { dtype: 'int32' as never }, DTypeError, "dtype must be one of 'float16'"],
    ['a record of others', { dtype: { w: 'F16' } as never }, DTypeError, 'dtype must be one of'],
    [
      'a dtype of a tensor that is not there',
      { dtype: { v: 'float16' } },
      DTypeError,
      "save: the option dtype has 'v', but no tensor of that name is written",
    ],
    [
      'a dtype of integers',
      { dtype: { n: 'float16' } },
      DTypeError,
      "save: the option dtype is float16 for 'n', but its elements are int32",
    ],
    [
      'a name of another library',
      { precision: 'half' } as never,
      ValueError,
      "there is no option 'precision'; did you mean 'dtype'?",
    ],
  ])('refuses %s', (_what, options, Kind, message) => {
    const values = { w: tensor([1]), n: tensor([1], { dtype: 'int32' }) };
    const error = errorOf(() => save(file, values, options));
    expect(error).toBeInstanceOf(Kind);
    expect(error.message).toContain(message);
  });
});
