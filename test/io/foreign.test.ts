/**
 * Tests files that PyTorch and NumPy wrote (by the script foreign.py). forebay either reads the tensors of an element
 * type, or skips them and names them.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type DType,
  DTypeError,
  FormatError,
  load,
  loadCsv,
  loadMetadata,
  loadNpy,
  loadNpz,
  parameter,
  type Skipped,
  state,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const made = (name: string) => fileURLToPath(new URL(`foreign/${name}`, import.meta.url));
const [batchNorm, types, arrays] = ['batch-norm.safetensors', 'types.safetensors', 'types.npz'].map(
  made,
) as [string, string, string];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-foreign-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a safetensors file with these members in its header and `dataBytes` zero bytes of data. Returns its path. */
function written(members: string, dataBytes: number): string {
  const json = Buffer.from(`{${members}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = join(folder, 'it');
  writeFileSync(file, Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
  return file;
}

const f32 = (others = '') => `"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]${others}}`;

describe('the state of a BatchNorm layer of PyTorch', () => {
  it('is read completely, with the int64 count as int32', () => {
    const loaded = load(batchNorm);
    expect(Object.keys(loaded).sort()).toEqual([
      'bias',
      'num_batches_tracked',
      'running_mean',
      'running_var',
      'weight',
    ]);
    expect(loaded.num_batches_tracked).toEqual(tensor(1, { dtype: 'int32' }));
    expect(loaded.weight).toEqual(tensor([1, 1]));
    expect(loadMetadata(batchNorm)).toEqual({ by: 'torch' });
  });

  it('is read in part, and into parameters', () => {
    expect(load(batchNorm, { only: ['weight'] })).toEqual({ weight: tensor([1, 1]) });
    expect(Object.keys(load(batchNorm, { only: /^running_/g })).sort()).toEqual([
      'running_mean',
      'running_var',
    ]);
    const [scale, count] = [
      parameter('weight', [0, 0]),
      state('num_batches_tracked', tensor(0, { dtype: 'int32' })),
    ];
    load(batchNorm, [scale, count]);
    expect([scale.value.toArray(), count.value.item()]).toEqual([[1, 1], 1]);
  });
});

describe('an element type of safetensors', () => {
  const special: Record<string, number> = {
    nan: NaN,
    inf: Infinity,
    '-inf': -Infinity,
    '-0.0': -0,
  };
  const expected = Object.entries(
    JSON.parse(readFileSync(made('types.json'), 'utf8')) as Record<string, (number | string)[]>,
  ).map(([name, values]) => {
    const numbers = values.map((value) => (typeof value === 'string' ? special[value] : value));
    return [name, numbers as number[]] as const;
  });

  it.each(expected.filter(([name]) => name !== 'large'))(
    '%s gives the values that PyTorch reads',
    (name, values) => {
      const own: Record<string, DType> = { F64: 'float64', BOOL: 'bool', U8: 'uint8' };
      const dtype = own[name] ?? (/F/.test(name) ? 'float32' : 'int32');
      const read = load(types, { only: [name] })[name] as Tensor;
      expect([read.dtype, [...read.data]]).toEqual([dtype, values]);
      const wide = load(types, { only: [name], dtype: 'float64' })[name] as Tensor;
      expect([wide.dtype, [...wide.data]]).toEqual(['float64', values]);
    },
  );

  it('that forebay does not have is skipped by name, and refused if it is requested', async () => {
    const others = { dtype: { large: 'float64' } } as const;
    const skipped: (readonly Skipped[])[] = [];
    const loaded = load(types, { ...others, onSkipped: (those) => void skipped.push(those) });
    expect(Object.keys(loaded)).toHaveLength(expected.length);
    expect(skipped).toEqual([
      [{ name: 'C64', reason: 'its elements are C64, which forebay does not read' }],
    ]);
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    expect(Object.keys(load(types, others))).toEqual(Object.keys(loaded));
    expect(warn.mock.calls).toEqual([
      [
        `load: ${types}: skipped 'C64' (its elements are C64, which forebay does not read); select the other tensors with the option only, or set onSkipped`,
        { type: 'ForebayWarning', code: 'FOREBAY_SKIPPED' },
      ],
    ]);
    warn.mockRestore();
    expect(errorOf(() => load(types, { only: ['F32', 'C64'] })).message).toBe(
      `${types}: tensor 'C64' cannot be read: its elements are C64, which forebay does not read; the option only reads the other tensors`,
    );
    const error = errorOf(() => load(types, [parameter('C64', [0])]));
    expect(error).toBeInstanceOf(DTypeError);
    expect(error.message).toContain("[parameter 'C64'] is float32 [1], but the file has C64");
  });

  it('may exceed the range of int32: that is refused by name, and read as float64 on request', () => {
    const error = errorOf(() => load(types, { only: ['large'] }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(
      /: tensor 'large': the int64 at byte \d+ is 9007199254740992, but the limit of int32 is 2147483647; dtype: 'float64' reads integers up to 2\^53$/,
    );
    expect(load(types, { only: ['large'], dtype: 'float64' }).large?.toArray()).toEqual([
      1,
      2 ** 53,
    ]);
    expect(errorOf(() => load(types)).message).toContain("tensor 'large'");
  });

  it('is converted to the requested dtype if its numbers fit', () => {
    const [dtype, only] = ['int32', ['F32']] as const;
    expect(load(types, { only: ['BOOL'], dtype: 'float32' }).BOOL).toEqual(tensor([1, 0, 1]));
    expect(load(types, { only: ['I32'], dtype: { I32: 'float64' } }).I32?.dtype).toBe('float64');
    expect(errorOf(() => load(types, { only, dtype })).message).toMatch(
      /tensor 'F32': the float32 at byte \d+ is 0\.1\d*, which does not fit in int32$/,
    );
    expect(errorOf(() => load(types, { only: ['I32'], dtype: 'float32' })).message).toMatch(
      /tensor 'I32': the int32 at byte \d+ is 2147483647, which does not fit in float32$/,
    );
    expect(errorOf(() => load(types, { only: ['F64'], dtype: 'float32' })).message).toMatch(
      /tensor 'F64': the float64 at byte \d+ is 1e\+300, which does not fit in float32$/,
    );
  });

  it('that is unknown is refused only if its tensor is requested', () => {
    const newer = `"n":{"dtype":"F5","shape":[3],"data_offsets":[4,6]}`;
    const file = written(`${f32()},${newer}`, 6);
    expect(Object.keys(load(file, { only: ['a'] }))).toEqual(['a']);
    expect(loadMetadata(file)).toEqual({});
    const message = `${file}: tensor 'n' cannot be read: its dtype is "F5", which is not known; the option only reads the other tensors`;
    expect(errorOf(() => load(file)).message).toBe(message);
    expect(errorOf(() => load(file, { only: ['n'] })).message).toBe(message);
  });

  it('in a tensor of more axes than forebay has is skipped', () => {
    const deep = `"d":{"dtype":"I8","shape":[${new Array(33).fill(1)}],"data_offsets":[4,5]}`;
    const skipped: Skipped[] = [];
    load(written(`${f32()},${deep}`, 5), { onSkipped: (those) => void skipped.push(...those) });
    expect(skipped).toEqual([{ name: 'd', reason: 'it has 33 axes, but forebay has at most 32' }]);
  });
});

describe('a header that the reference implementation', () => {
  it.each<[string, string]>([
    ['null as metadata', `"__metadata__": null ,${f32()}`],
    ['an empty object as metadata', `"__metadata__":{},${f32()}`],
    ['an unknown key', f32(',"strides":[1, -2.5e3, {"x": [true, false, null, "]}"]}]')],
    ['values nested 120 deep', f32(`,"x":${'['.repeat(120)}${']'.repeat(120)}`)],
  ])('accepts is accepted: %s', (_, members) => {
    const file = written(members, 4);
    expect(load(file)).toEqual({ a: tensor([0]) });
    expect(loadMetadata(file)).toEqual({});
  });

  it.each<[string, string, string]>([
    ['a number as metadata', `"__metadata__":3,${f32()}`, 'expected \'{\', but found "3"'],
    [
      'null as a value of the metadata',
      `"__metadata__":{"a":null},${f32()}`,
      'expected \'"\', but found "n"',
    ],
  ])('refuses is refused: %s', (_, members, message) => {
    expect(errorOf(() => load(written(members, 4))).message).toContain(message);
  });
});

describe('an archive of NumPy', () => {
  it('gives the requested arrays, whatever else it holds', () => {
    expect(loadNpz(arrays, { only: ['steps', 'weight'] })).toEqual({
      weight: tensor([[0.5, -1]]),
      steps: tensor(7, { dtype: 'int32' }),
    });
    const weight = parameter('weight', [[0, 0]]);
    expect(Object.keys(loadNpz(arrays, [weight]))).toEqual(['weight']);
    expect(weight.value.toArray()).toEqual([[0.5, -1]]);
  });

  it('is read without the arrays of unsupported types, which are reported by name', () => {
    const skipped: Skipped[] = [];
    const loaded = loadNpz(arrays, {
      dtype: { large: 'float64' },
      onSkipped: (those) => void skipped.push(...those),
    });
    expect(Object.keys(loaded)).toEqual(['weight', 'steps', 'large']);
    expect(loaded.large?.toArray()).toEqual([1, 2 ** 53]);
    expect(skipped.map(({ name }) => name)).toEqual([
      'complex',
      'objects',
      'text',
      'fields',
      'deep',
    ]);
    expect(skipped[1]?.reason).toContain('the elements are Python objects, pickled');
    expect(skipped[4]?.reason).toBe('the shape has 40 axes, but forebay has 32');
    expect(errorOf(() => loadNpz(arrays, { only: ['text'] })).message).toContain(
      'text.npy: at byte 20: dtype "<U1": the elements are text, not numbers',
    );
    expect(errorOf(() => loadNpz(arrays)).message).toMatch(
      /large\.npy: the int64 at byte \d+ is 9007199254740992, but the limit of int32 is/,
    );
  });
});

describe('options of loading', () => {
  it.each<[string, object, string]>([
    ['a misspelled name', { onyl: ['a'] }, "load: there is no option 'onyl'; did you mean 'only'?"],
    ['the name that other libraries use', { keys: ['a'] }, "did you mean 'only'?"],
    [
      'a name that is not in a list',
      { only: 'a' },
      'load: only must be a list of the names of tensors, or a regular',
    ],
    ['names that are not strings', { only: [3] }, 'load: only must be a list'],
    ['a dtype', { dtype: 'int64' }, "load: dtype must be one of 'float32'"],
    ['a callback', { onSkipped: 3 }, 'load: onSkipped must be a function'],
    [
      'a number',
      3 as never,
      'expected a list of parameters and states, or a record of them by name',
    ],
  ])('refuse %s', (_, options, message) => {
    const error = errorOf(() => load(batchNorm, options as never));
    expect(['ValueError', 'DTypeError']).toContain(error.name);
    expect(error.message).toContain(message);
  });

  it('refuse names that the file does not have, and list those that it has', () => {
    expect(errorOf(() => load(batchNorm, { only: ['scale'] })).message).toMatch(
      /: there is no tensor 'scale' \(there are: '/,
    );
    expect(errorOf(() => load(batchNorm, { only: /^x/ })).message).toContain(
      'no tensor has a name that matches /^x/ (there are: ',
    );
    expect(errorOf(() => load(batchNorm, { dtype: { scale: 'float64' } })).message).toContain(
      "a dtype is given for 'scale', but no tensor of that name is read",
    );
  });

  it('let through an error that a callback throws', () => {
    const mine = new Error('mine');
    const onSkipped = () => {
      throw mine;
    };
    expect(() => load(types, { only: /64$/, onSkipped })).toThrow(mine);
  });

  it('include a dtype for loadNpy', () => {
    const file = join(folder, 'x.npy');
    const header = "{'descr': '<i8', 'fortran_order': True, 'shape': (1, 2), }".padEnd(117);
    const data = Buffer.alloc(16);
    data.writeBigInt64LE(-(2n ** 40n));
    data.writeBigInt64LE(5n, 8);
    writeFileSync(
      file,
      Buffer.concat([
        Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'),
        Buffer.from(`${header}\n`),
        data,
      ]),
    );
    expect(loadNpy(file, { dtype: 'float64' })).toEqual(
      new Tensor(new Float64Array([-(2 ** 40), 5]), [1, 2]),
    );
    expect(errorOf(() => loadNpy(file)).message).toContain('limit of int32 is -2147483648');
    expect(errorOf(() => loadNpy(file, { type: 'float64' } as never))).toBeInstanceOf(ValueError);
  });
});

describe('a table of numpy.savetxt', () => {
  const rows = [
    [1, 3],
    [2.5, -4],
  ];
  const columns = (file: string, options = {}) =>
    Object.entries(loadCsv(made(file), options)).map(([name, { data }]) => [name, [...data]]);

  it('without a header loses no row', () => {
    expect(columns('savetxt.txt', { separator: ' ' })).toEqual([
      ['0', rows[0]],
      ['1', rows[1]],
    ]);
  });

  it.each(['savetxt-header.txt', 'savetxt-comma.csv'])(
    'has the names of its header: %s',
    (file) => {
      const separator = file.endsWith('csv') ? ',' : ' ';
      for (const options of [{ separator }, { separator, header: true }]) {
        expect(columns(file, options)).toEqual([
          ['a', rows[0]],
          ['b', rows[1]],
        ]);
      }
    },
  );

  it('may have one column, with a name or without', () => {
    expect(columns('savetxt-column.txt')).toEqual([['a', [1, 3]]]);
  });
});
