import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DTypeError,
  type Nested,
  ShapeError,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

describe('tensor()', () => {
  it('wraps a typed array without copying, and takes its dtype', () => {
    for (const [data, dtype] of [
      [Float32Array.of(1, 2, 3, 4, 5, 6), 'float32'],
      [Float64Array.of(1, 2, 3, 4, 5, 6), 'float64'],
      [Int32Array.of(1, 2, 3, 4, 5, 6), 'int32'],
    ] as const) {
      const made = tensor(data, { shape: [2, 3] });
      expect(made.data).toBe(data);
      expect(made.dtype).toBe(dtype);
      data[4] = 9;
      expect(made.toArray()).toEqual([
        [1, 2, 3],
        [4, 9, 6],
      ]);
    }
  });

  it('wraps shared memory too', () => {
    const data = new Float64Array(new SharedArrayBuffer(16));
    expect(tensor(data).data.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('makes float32 from numbers by default, in row-major order', () => {
    const made = tensor([
      [0.1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect([made.dtype, made.shape, made.size]).toEqual(['float32', [3, 2], 6]);
    expect([...made.data]).toEqual([Math.fround(0.1), 2, 3, 4, 5, 6]);
    expect(tensor(0.1, { dtype: 'float64' }).item()).toBe(0.1);
    expect(tensor(7).shape).toEqual([]);
    expect(tensor([1, 2, 3, 4], { shape: [2, 2] }).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('keeps empty axes', () => {
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor([[], []]).toArray()).toEqual([[], []]);
    expect(Tensor.zeros([0, 3]).toArray()).toEqual([]);
  });

  it('returns the nested arrays that it was given, for any shape', () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 });
    fc.assert(
      fc.property(shapes, fc.infiniteStream(fc.double()), (shape, draws) => {
        const build = (axis: number): Nested =>
          axis === shape.length
            ? (draws.next().value as number)
            : Array.from({ length: shape[axis] as number }, () => build(axis + 1));
        const nested = build(0);
        const made = tensor(nested, { dtype: 'float64' });
        // Nested arrays do not show the sizes of the axes after an empty axis, so the tensor does not have these axes.
        const seen = shape.includes(0) ? shape.slice(0, shape.indexOf(0) + 1) : shape;
        expect(made.shape).toEqual(seen);
        expect(made.toArray()).toEqual(nested);
      }),
    );
  });

  it.each<[string, () => unknown, typeof ShapeError | typeof ValueError, RegExp]>([
    [
      'ragged rows',
      () => tensor([[1, 2], [3]]),
      ShapeError,
      /ragged.*element \[1\] must be an array of 2, but is an array of 1/,
    ],
    [
      'a number among rows',
      () => tensor([[1], 2]),
      ShapeError,
      /element \[1\] must be an array of 1, but is number 2/,
    ],
    [
      'a row among numbers',
      () => tensor([1, [2]]),
      ShapeError,
      /element \[1\] must be a number, but is an array of 1/,
    ],
    [
      'a string',
      () => tensor([1, 'x' as never]),
      ValueError,
      /element \[1\] must be a number, but is the string "x"/,
    ],
    [
      'a hole',
      () => tensor(new Array(2)),
      ValueError,
      /element \[0\] must be a number, but is undefined/,
    ],
    ['a bigint', () => tensor(1n as never), ValueError, /bigint 1n/],
    ['undefined', () => tensor(undefined as never), ValueError, /undefined/],
    [
      '64-bit integers',
      () => tensor(new BigInt64Array(2) as never),
      ValueError,
      /an object of type BigInt64Array/,
    ],
    [
      'a shape of another size',
      () => tensor([1, 2, 3], { shape: [2, 2] }),
      ShapeError,
      /holds 4 elements, but the data has 3/,
    ],
    [
      'a negative dimension',
      () => Tensor.zeros([-1]),
      ShapeError,
      /non-negative integers, but received number -1/,
    ],
    ['a fractional dimension', () => Tensor.zeros([1.5]), ShapeError, /number 1\.5/],
    [
      '33 axes',
      () => Tensor.zeros(new Array(33).fill(1)),
      ShapeError,
      /at most 32 axes, but received 33/,
    ],
    [
      'more memory than is available',
      () => Tensor.zeros([2 ** 40]),
      ValueError,
      /cannot allocate 4398046511104 bytes for float32 \[1099511627776\]/,
    ],
    [
      'a size that is not an exact integer',
      () => Tensor.zeros([2 ** 30, 2 ** 30]),
      ValueError,
      /too large/,
    ],
  ])('refuses %s', (_what, run, error, message) => {
    expect(errorOf(run)).toBeInstanceOf(error);
    expect(errorOf(run).message).toMatch(message);
  });

  it('refuses an array that contains itself, instead of an endless loop', () => {
    const endless: unknown[] = [];
    endless.push(endless);
    expect(errorOf(() => tensor(endless as never))).toBeInstanceOf(ShapeError);
  });

  it('refuses a dtype that differs from the array, and an unknown dtype', () => {
    const contradiction = errorOf(() => tensor(Float32Array.of(1), { dtype: 'float64' }));
    expect(contradiction).toBeInstanceOf(DTypeError);
    expect(contradiction.message).toMatch(/holds float32, but the option dtype is float64/);
    expect(errorOf(() => tensor(1, { dtype: 'toString' as never }))).toBeInstanceOf(DTypeError);
  });

  it('refuses a number that int32 cannot represent', () => {
    for (const value of [0.5, 2 ** 31, NaN, Infinity, -(2 ** 31) - 1]) {
      const error = errorOf(() => tensor([1, value], { dtype: 'int32' }));
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toContain(`${value} is not a 32-bit integer`);
      expect(errorOf(() => Tensor.full([2], value, { dtype: 'int32' }))).toBeInstanceOf(ValueError);
    }
    expect(tensor([2 ** 31 - 1, -(2 ** 31), -0], { dtype: 'int32' }).toArray()).toEqual([
      2147483647, -2147483648, 0,
    ]);
  });
});

describe('Tensor', () => {
  it('refuses data that is not a typed array of a supported dtype', () => {
    for (const data of [[1, 2], new Uint16Array(2), undefined]) {
      const error = errorOf(() => new Tensor(data as never));
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toMatch(
        /expected a Float32Array, a Float64Array, an Int32Array or a Uint8Array/,
      );
    }
  });

  it('has a shape that the caller cannot change', () => {
    const shape = [2];
    const made = new Tensor(Float32Array.of(1, 2), shape);
    shape[0] = 3;
    expect(made.shape).toEqual([2]);
    expect(() => (made.shape as number[]).push(1)).toThrow(TypeError);
  });

  it('returns its item if it has one element, and throws otherwise', () => {
    expect(tensor([[5]]).item()).toBe(5);
    const error = errorOf(() => tensor([1, 2]).item());
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(/one element, but this one has shape \[2\]/);
  });

  it('can be filled with ones or another number', () => {
    expect(Tensor.ones([2], { dtype: 'int32' })).toEqual(tensor(Int32Array.of(1, 1)));
    expect(Tensor.full([1, 2], 0.1, { dtype: 'float64' }).toArray()).toEqual([[0.1, 0.1]]);
    expect(errorOf(() => Tensor.full([1], '1' as never))).toBeInstanceOf(ValueError);
  });

  it('prints a small tensor completely and a large one shortened', () => {
    expect(
      inspect(
        tensor([
          [1, 2],
          [3, 4],
        ]),
      ),
    ).toBe('Tensor float32 [2, 2] [ [ 1, 2 ], [ 3, 4 ] ]');
    expect(`${tensor(1.5, { dtype: 'float64' })}`).toBe('Tensor float64 [] 1.5');
    const large = inspect(Tensor.zeros([1001, 1000]));
    expect(large).toMatch(/^Tensor float32 \[1001, 1000\] \[.*…/s);
    expect(large.length).toBeLessThan(200);
  });
});
