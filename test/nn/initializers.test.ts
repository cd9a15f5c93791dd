import { describe, expect, it } from 'vitest';
import { type Initializer, initializers, parameter, setSeed, ValueError } from '../../src/index.js';
import { errorOf } from '../support.js';

const { zeros, constant, normal, truncatedNormal, glorot, he } = initializers;
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

  it('glorot takes the fan-in from all axes but the last, and the fan-out from the last axis', () => {
    const bound = (dims: number[]) =>
      largest([
        ...parameter('w', { shape: dims, init: glorot(), seed: 1, dtype: 'float64' }).value.data,
      ]);
    const near = (found: number, wanted: number) =>
      expect(Math.abs(found / wanted - 1)).toBeLessThan(0.01);
    near(bound([20, 30, 50]), Math.sqrt(6 / 650));
    near(bound([5000]), Math.sqrt(6 / 10_000));
    expect(bound([])).toBeLessThanOrEqual(Math.sqrt(3));
    expect(bound([0, 4])).toBe(0);
  });

  it.each(
    Object.entries({
      normal: normal(1),
      truncatedNormal: truncatedNormal(1),
      glorot: glorot(),
      he: he(),
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
