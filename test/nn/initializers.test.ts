import { describe, expect, it } from 'vitest';
import {
  cast,
  evaluate,
  type Initializer,
  initializers,
  matmul,
  parameter,
  reshape,
  ShapeError,
  setSeed,
  transpose,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const { zeros, constant, normal, truncatedNormal, glorot, he } = initializers;
const { lecunNormal, lecunUniform, kaimingUniform, orthogonal } = initializers;
const shape = [300, 200];
const size = 60_000;
const draw = (init: Initializer, options: object = {}) => [
  ...parameter('w', { shape, init, seed: 11, dtype: 'float64', ...options }).value.data,
];
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const deviation = (values: readonly number[]) => {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - centre) ** 2)));
};
const largest = (values: readonly number[]) => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);

describe('initialisers', () => {
  it('zeros and constant give the same value for every element', () => {
    expect(new Set(draw(zeros()))).toEqual(new Set([0]));
    expect(new Set(draw(constant(0.1)))).toEqual(new Set([0.1]));
  });

  // The standard error of a sample standard deviation is sigma / sqrt(2 n), which is 0.3 % here. The tolerances are 5
  // standard errors.
  it.each<[string, Initializer, number, number]>([
    ['normal', normal(0.3), 0.3, Infinity],
    ['truncatedNormal', truncatedNormal(0.3), 0.3 * 0.8796257, 0.6],
    ['glorot', glorot(), Math.sqrt(2 / 500), Math.sqrt(6 / 500)],
    ['he', he(), Math.sqrt(2 / 300), Infinity],
    ['lecunNormal', lecunNormal(), Math.sqrt(1 / 300), Infinity],
    ['lecunUniform', lecunUniform(), Math.sqrt(1 / 300), Math.sqrt(3 / 300)],
    ['kaimingUniform', kaimingUniform(), Math.sqrt(1 / 900), Math.sqrt(1 / 300)],
  ])(
    '%s has mean 0, the right standard deviation and the right bounds',
    (_name, init, sigma, bound) => {
      const values = draw(init);
      expect(Math.abs(mean(values))).toBeLessThan((5 * sigma) / Math.sqrt(size));
      expect(Math.abs(deviation(values) / sigma - 1)).toBeLessThan(5 / Math.sqrt(2 * size));
      expect(largest(values)).toBeLessThanOrEqual(bound);
      if (bound !== Infinity) expect(largest(values)).toBeGreaterThan(0.995 * bound);
      expect(new Set(values).size).toBeGreaterThan(size - 10);
    },
  );

  // Three standard errors of the largest of some thousand uniform numbers are less than 1 %.
  it.each<[string, number[], number]>([
    ['a matrix [inputs, units]', [60, 50], Math.sqrt(6 / 110)],
    ['a vector', [5000], Math.sqrt(6 / 10_000)],
    ['the weight of conv1d: [filters, channels, length]', [20, 30, 5], Math.sqrt(6 / 250)],
    [
      'the weight of conv2d: [filters, channels, height, width]',
      [20, 30, 5, 3],
      Math.sqrt(6 / 750),
    ],
    ['no inputs', [0, 4], 0],
  ])('glorot takes the fans of %s', (_title, dims, wanted) => {
    const found = largest(draw(glorot(), { shape: dims }));
    expect(Math.abs(found - wanted)).toBeLessThanOrEqual(0.01 * wanted);
  });

  it('kaimingUniform is the default of PyTorch, or that for leakyRelu of another slope', () => {
    const weight = { shape: [40, 8, 3, 5] };
    const near = (found: number, wanted: number) =>
      expect(Math.abs(found / wanted - 1)).toBeLessThan(0.01);
    near(largest(draw(kaimingUniform(), weight)), 1 / Math.sqrt(8 * 15));
    near(largest(draw(kaimingUniform(0), weight)), Math.sqrt(6 / (8 * 15)));
  });

  it.each([[[5, 5]], [[3, 7]], [[7, 3]], [[4, 2, 3, 1]], [[20, 2, 2]], [[1, 6]]])(
    'orthogonal has orthogonal rows or columns of length gain, for shape %o',
    (dims: number[]) => {
      const weight = parameter('w', {
        shape: dims,
        init: orthogonal(3),
        seed: 1,
        dtype: 'float64',
      });
      const rows = dims[0] as number;
      const matrix = reshape(weight, [rows, weight.value.size / rows]);
      const products =
        rows > weight.value.size / rows
          ? matmul(transpose(matrix), matrix)
          : matmul(matrix, transpose(matrix));
      const { data, shape: found } = evaluate(products);
      data.forEach((value, index) => {
        const onDiagonal = index % ((found[0] as number) + 1) === 0;
        expect(value).toBeCloseTo(onDiagonal ? 9 : 0, 12);
      });
    },
  );

  it.each<['float32' | 'float64', number, number[]]>([
    ['float32', 1e-6, [512, 512]],
    ['float64', 1e-12, [512, 512]],
    ['float64', 1e-12, [65, 100]],
    ['float64', 1e-12, [300, 64]],
  ])('orthogonal is exact to the rounding of %s, %d, for shape %o', (dtype, bound, dims) => {
    const drawn = parameter('w', { shape: dims, init: orthogonal(), seed: 1, dtype });
    const weight = cast(drawn, 'float64');
    const [rows, columns] = dims as [number, number];
    const products =
      rows > columns ? matmul(transpose(weight), weight) : matmul(weight, transpose(weight));
    const { data, shape: found } = evaluate(products);
    const errors = [...data].map((value, index) => {
      return Math.abs(value - (index % ((found[0] as number) + 1) === 0 ? 1 : 0));
    });
    expect(errors.reduce((a, b) => Math.max(a, b))).toBeLessThan(bound);
  });

  it('orthogonal draws all orthogonal matrices with equal probability', () => {
    const traces = Array.from({ length: 1000 }, (_, seed) => {
      const [a, , , , b, , , , c] = draw(orthogonal(), { shape: [3, 3], seed }) as number[];
      return (a as number) + (b as number) + (c as number);
    });
    const moment = (power: number) =>
      traces.reduce((total, trace) => total + trace ** power, 0) / traces.length;
    // The moments of the trace are those of a normal number, 0, 1, 0 and 3, up to the third (Diaconis & Evans 2001).
    expect(Math.abs(moment(1))).toBeLessThan(0.1);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.15);
    expect(Math.abs(moment(3))).toBeLessThan(0.3);
  });

  it('orthogonal has elements of both signs, and none is fixed by the algorithm', () => {
    const positive = (index: number) =>
      Array.from({ length: 200 }, (_, seed) => draw(orthogonal(), { shape: [3, 3], seed })).filter(
        (values) => (values[index] as number) > 0,
      ).length;
    // The standard error of a count of 200 fair coins is 7.
    for (let index = 0; index < 9; index++)
      expect(Math.abs(positive(index) - 100)).toBeLessThan(36);
  });

  it('orthogonal accepts a matrix without elements, and refuses a vector', () => {
    expect(draw(orthogonal(), { shape: [0, 3] })).toEqual([]);
    expect(errorOf(() => draw(orthogonal(), { shape: [3] }))).toBeInstanceOf(ShapeError);
    expect(errorOf(() => orthogonal(Infinity)).message).toMatch(/a gain \(a finite number\)/);
    expect(errorOf(() => kaimingUniform(NaN)).message).toMatch(/a slope \(a finite number\)/);
  });

  it.each(
    Object.entries({
      normal: normal(1),
      truncatedNormal: truncatedNormal(1),
      glorot: glorot(),
      he: he(),
      lecunNormal: lecunNormal(),
      lecunUniform: lecunUniform(),
      kaimingUniform: kaimingUniform(),
      orthogonal: orthogonal(),
    }),
  )(
    '%s gives the same values for the same seed, and others for another seed, name or setSeed',
    (_name, init) => {
      const small = (options: object, name = 'w') =>
        [...parameter(name, { shape: [3, 2], init, ...options }).value.data].join();
      expect(small({ seed: 1 })).toBe(small({ seed: 1 }, 'other name'));
      expect(small({ seed: 1 })).not.toBe(small({ seed: 2 }));
      setSeed(1);
      const unseeded = small({});
      expect(small({})).toBe(unseeded);
      expect(small({}, 'v')).not.toBe(unseeded);
      setSeed(2);
      expect(small({})).not.toBe(unseeded);
    },
  );

  it('give float32 by default', () => {
    const { value } = parameter('w', { shape: [2, 2], init: he(), seed: 1 });
    expect([value.dtype, value.data.constructor]).toEqual(['float32', Float32Array]);
  });

  it.each([-1, NaN, Infinity, '1', undefined])(
    'refuse a standard deviation of %o as soon as they are made',
    (std) => {
      for (const make of [normal, truncatedNormal]) {
        const error = errorOf(() => make(std as never));
        expect(error).toBeInstanceOf(ValueError);
        expect(error.message).toMatch(/^initializers\.\w+: expected a standard deviation/);
      }
    },
  );
});
