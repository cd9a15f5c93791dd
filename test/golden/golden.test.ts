import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/index.js';
import { expectGolden, type GoldenTensor } from './golden.js';

// Tests expectGolden, which every golden test uses, with values that are slightly wrong.
describe('the comparison with golden values', () => {
  const golden: GoldenTensor = { shape: [5], data: [0.3, -1700, 'NaN', 'Infinity', '-Infinity'] };
  const right = [0.3, -1700, Number.NaN, Infinity, -Infinity];
  const compare = (values: readonly number[], shape = [values.length]) =>
    expectGolden(new Tensor(Float64Array.from(values), shape), golden, 'x');

  it('accepts equal values and rounding', () => {
    compare(right);
    compare([0.3 + 9e-11, -1700 * (1 + 9e-11), Number.NaN, Infinity, -Infinity]);
  });

  it.each([
    ['an error of 2e-10 below 1', right.with(0, 0.3 + 2e-10)],
    ['a relative error of 2e-10 above 1', right.with(1, -1700 * (1 + 2e-10))],
    ['a number instead of NaN', right.with(2, 0)],
    ['NaN instead of a number', right.with(0, Number.NaN)],
    ['a number instead of an infinity', right.with(3, Number.MAX_VALUE)],
    ['an infinity of the wrong sign', right.with(4, Infinity)],
    ['an infinity instead of a number', right.with(1, -Infinity)],
    ['a missing element', right.slice(1)],
  ])('refuses %s', (_title, wrong) => {
    expect(() => compare(wrong)).toThrow(/x/);
  });

  it('refuses another shape and another dtype', () => {
    expect(() => compare(right, [5, 1])).toThrow(/x: shape/);
    const rounded = new Tensor(Float32Array.from(right));
    expect(() => expectGolden(rounded, golden, 'x')).toThrow(/x: dtype/);
  });
});
