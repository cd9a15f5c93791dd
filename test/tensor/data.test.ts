/** Tests tensors made from data other than nested numbers: bytes, lists of typed arrays, JSON, and clones. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cast,
  compile,
  constant,
  evaluate,
  input,
  loadNpy,
  mul,
  type PlainTensor,
  parameter,
  predict,
  saveNpy,
  state,
  Tensor,
  type TensorLike,
  tensor,
} from '../../src/index.js';
import { errorOf } from '../support.js';

describe('a typed array without a dtype of its own', () => {
  it('is copied, to float32 by default', () => {
    const numbers = new Int16Array([0, 7, 255]);
    const made = tensor(numbers);
    expect(made).toEqual(tensor([0, 7, 255]));
    numbers[0] = 9;
    expect(made.data[0]).toBe(0);
    const bytes = new Uint8Array([9, 7, 255]);
    expect(tensor(bytes, { dtype: 'int32', shape: [3, 1] })).toEqual(
      new Tensor(new Int32Array([9, 7, 255]), [3, 1]),
    );
    expect(tensor(Buffer.from('ab'), { dtype: 'float64' })).toEqual(
      new Tensor(new Float64Array([97, 98])),
    );
  });

  it.each([
    [new Int8Array([-1])],
    [new Uint8ClampedArray([-1])],
    [new Int16Array([-300])],
    [new Uint16Array([60_000])],
    [new Uint32Array([2 ** 31])],
  ])('keeps its numbers: %o', (array) => {
    expect([...tensor(array).data]).toEqual([...array]);
  });

  it('is refused if a number does not fit, if it holds bigints, or if its memory was transferred away', () => {
    expect(errorOf(() => tensor(new Uint32Array([2 ** 31]), { dtype: 'int32' })).message).toBe(
      'tensor: 2147483648 is not a 32-bit integer, but the dtype is int32',
    );
    expect(errorOf(() => tensor(new BigInt64Array(1) as never)).message).toContain(
      'a typed array of numbers or an object { dtype, shape, data }, but received an object of type BigInt64Array',
    );
    const gone = new Uint16Array(2);
    structuredClone(gone, { transfer: [gone.buffer] });
    expect(errorOf(() => tensor(gone)).message).toBe(
      'tensor: the memory of the value has been transferred away',
    );
  });
});

describe('lists of typed arrays', () => {
  it('give rows, by default of the dtype of the first array', () => {
    const rows = [new Float32Array([1, 2]), new Float32Array([3, 4])];
    expect(tensor(rows)).toEqual(
      tensor([
        [1, 2],
        [3, 4],
      ]),
    );
    expect(tensor([[rows[0] as Float32Array], [rows[1] as Float32Array]]).shape).toEqual([2, 1, 2]);
    expect(tensor([new Float64Array([0.1])])).toEqual(new Tensor(new Float64Array([0.1]), [1, 1]));
    expect(tensor([new Int32Array([5])]).dtype).toBe('int32');
    expect(tensor([new Float64Array([1])], { dtype: 'int32' }).dtype).toBe('int32');
    expect(tensor([new Uint8Array([1, 2]), [3, 4]]).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it.each<[string, TensorLike, string]>([
    [
      'of unequal lengths',
      [new Float32Array(2), new Float32Array(3)],
      'element [1] must be an array of 2',
    ],
    [
      'mixed with numbers',
      [new Float32Array(2), 3],
      'element [1] must be an array of 2, but is number 3',
    ],
    [
      'in place of a number',
      [[1], [new Float32Array(1)]] as never,
      'element [1, 0] must be a number',
    ],
    [
      'deeper than the first',
      [new Float32Array(1), [[1]]] as never,
      'element [1, 0] must be a number',
    ],
  ])('are refused %s', (_, data, message) => {
    const error = errorOf(() => tensor(data as never));
    expect([error.name, error.message]).toEqual(['ShapeError', expect.stringContaining(message)]);
  });
});

describe('a tensor', () => {
  it('is equal after JSON, with any numbers', () => {
    const numbers = fc.array(fc.double(), { maxLength: 20 });
    fc.assert(
      fc.property(numbers, fc.constantFrom(Float32Array, Float64Array), (values, Kind) => {
        const before = new Tensor(new Kind(values), [1, values.length]);
        expect(tensor(JSON.parse(JSON.stringify(before)) as PlainTensor)).toEqual(before);
      }),
      { seed: 3, numRuns: 300 },
    );
    const odd = tensor([NaN, Infinity, -Infinity, -0, 0.1]);
    expect(JSON.stringify(odd)).toBe(
      '{"dtype":"float32","shape":[5],"data":["NaN","Infinity","-Infinity","-0",0.10000000149011612]}',
    );
    const back = tensor(JSON.parse(JSON.stringify({ odd })).odd);
    expect(back).toEqual(odd);
    expect(Object.is(back.data[3], -0)).toBe(true);
    const whole = tensor([[1, -(2 ** 31)]], { dtype: 'int32' });
    expect(tensor(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
    expect(tensor(JSON.parse(JSON.stringify(tensor(2))))).toEqual(tensor(2));
  });

  it('is equal after structuredClone and after a message, also the value of a parameter', () => {
    const before = tensor([[1, NaN]], { dtype: 'float64' });
    const clone = structuredClone(before) as PlainTensor;
    expect(tensor(clone)).toEqual(before);
    expect(tensor(clone).data).toBe(clone.data);
    const { port1, port2 } = new MessageChannel();
    port1.postMessage({ before, w: parameter('w', [1, 2]).value });
    const { message } = receiveMessageOnPort(port2) as { message: Record<string, PlainTensor> };
    expect(tensor(message.before as PlainTensor)).toEqual(before);
    expect(tensor(message.w as PlainTensor).toArray()).toEqual([1, 2]);
    port1.close();
  });

  it.each<[string, object, string, string]>([
    ['another dtype', { dtype: 'int64' }, 'DTypeError', 'expected a dtype of float32'],
    [
      'data of another dtype',
      { data: new Float64Array(2) },
      'DTypeError',
      'but its data has float64 elements',
    ],
    ['another size', { shape: [3] }, 'ShapeError', 'holds 3 elements, but the data has 2'],
    [
      'another size of an array',
      { shape: [3], data: new Float32Array(2) },
      'ShapeError',
      '3 elements',
    ],
    ['an invalid shape', { shape: [-1] }, 'ShapeError', 'non-negative integers'],
    [
      'an element that is not a number',
      { data: [1, null] },
      'ValueError',
      'element 1 of the data must be a number, but is null',
    ],
    [
      'another string',
      { data: ['nan', 1] },
      'ValueError',
      'element 0 of the data must be a number',
    ],
    [
      'data in an object',
      { data: { 0: 1, 1: 2 } },
      'ValueError',
      'a typed array or a list of numbers',
    ],
    [
      'a fraction for int32',
      { dtype: 'int32', data: [1, 0.5] },
      'ValueError',
      '0.5 is not a 32-bit integer',
    ],
  ])('as a plain object is refused with %s', (_, change, kind, message) => {
    const plain = { dtype: 'float32', shape: [2], data: [1, 2], ...change } as never;
    const error = errorOf(() => tensor(plain));
    expect([error.name, error.message]).toEqual([kind, expect.stringContaining(message)]);
  });

  it('is not converted to another dtype', () => {
    const plain: PlainTensor = { dtype: 'float32', shape: [2], data: [1, 2] };
    expect(errorOf(() => tensor(plain, { dtype: 'int32' })).name).toBe('DTypeError');
    expect(tensor(plain, { shape: [2, 1] }).shape).toEqual([2, 1]);
    expect(tensor(tensor([1, 2]), { shape: [1, 2] }).toArray()).toEqual([[1, 2]]);
  });
});

describe('every function that takes a tensor', () => {
  const rows = [new Float32Array([1, 2]), new Float32Array([3, 4])];
  const matrix = tensor([
    [1, 2],
    [3, 4],
  ]);
  const forms: [string, TensorLike][] = [
    ['a list of typed arrays', rows],
    ['a list of Buffers', [Buffer.from([1, 2]), Buffer.from([3, 4])]],
    ['a clone', structuredClone(matrix) as PlainTensor],
    ['JSON', JSON.parse(JSON.stringify(matrix)) as PlainTensor],
  ];

  it.each(forms)('takes %s', async (_, value) => {
    const x = input('x', ['batch', 2]);
    const doubled = mul(x, 2);
    const expected = [
      [2, 4],
      [6, 8],
    ];
    expect(evaluate(doubled, { x: value }).toArray()).toEqual(expected);
    const program = compile({ outputs: { y: doubled } });
    expect(program.run({ x: value }).y.toArray()).toEqual(expected);
    expect((await program.runAsync({ x: value })).y.toArray()).toEqual(expected);
    expect((await predict(program, { x: value })).y.toArray()).toEqual(expected);
    expect(parameter('w', value).value).toEqual(expect.objectContaining({ shape: [2, 2] }));
    expect(state('s', value).value.toArray()).toEqual(matrix.toArray());
    expect(constant(value).value.toArray()).toEqual(matrix.toArray());
    const w = parameter('w', [
      [0, 0],
      [0, 0],
    ]);
    w.set(value);
    expect(w.value.toArray()).toEqual(matrix.toArray());
    const folder = mkdtempSync(join(tmpdir(), 'forebay-data-'));
    try {
      saveNpy(join(folder, 'x.npy'), value);
      expect(loadNpy(join(folder, 'x.npy')).toArray()).toEqual(matrix.toArray());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('takes a Uint8Array and converts it to the dtype of the input or parameter', async () => {
    const bytes = new Uint8Array([1, 255]);
    for (const dtype of ['float32', 'float64', 'int32'] as const) {
      const y = cast(input('x', ['batch'], { dtype }), 'float64');
      expect(evaluate(y, { x: bytes }).toArray(), dtype).toEqual([1, 255]);
      expect((await predict(compile({ outputs: { y } }), { x: bytes })).y.toArray()).toEqual([
        1, 255,
      ]);
    }
    const w = parameter('w', [[0, 0]]);
    w.set(bytes);
    expect(w.value.toArray()).toEqual([[1, 255]]);
  });

  it('refuses a list of typed arrays of another dtype, as it refuses such a typed array', () => {
    const x = input('x', ['batch', 1]);
    const error = errorOf(() => evaluate(x, { x: [new Float64Array(1)] }));
    expect([error.name, error.message]).toEqual([
      'DTypeError',
      expect.stringContaining('but was fed float64'),
    ]);
  });
});
