import { describe, expect, it } from 'vitest';
import {
  backward,
  evaluate,
  input,
  mul,
  type Node,
  parameter,
  randomNormal,
  randomTruncatedNormal,
  randomUniform,
  sub,
  sum,
} from '../../src/index.js';

const n = 100_000;
const numbers = (node: Node, run = 0) => [...evaluate(node, {}, { run }).data];
const draws = { randomNormal, randomUniform, randomTruncatedNormal };
const moment = (values: readonly number[], k: number) =>
  values.reduce((total, x) => total + x ** k, 0) / values.length;

describe.each(Object.entries(draws))('%s', (_name, draw) => {
  it.each(['float32', 'float64'] as const)(
    'gives the same draw in any graph for the same seed, shape and run, in %s',
    (dtype) => {
      const make = () => draw([7, 3], { seed: 42, dtype });
      const first = numbers(make(), 3);
      expect(numbers(make(), 3)).toEqual(first);
      const [twice] = evaluate([sub(make(), make())], {}, { run: 3 });
      expect([...(twice?.data ?? [])]).toEqual(new Array(21).fill(0));
      // A number depends on the row-major index of its element, and not on the shape.
      expect(numbers(draw([21], { seed: 42, dtype }), 3)).toEqual(first);
    },
  );

  it('gives another draw for another seed or run; all of their bits count', () => {
    const seen = new Set<string>();
    const variants = [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52, 2 ** 53 - 1];
    for (const seed of variants) seen.add(numbers(draw([4], { seed }), 0).join());
    for (const run of variants.slice(1)) seen.add(numbers(draw([4], { seed: 0 }), run).join());
    expect(seen.size).toBe(2 * variants.length - 1);
  });

  it('starts with the same numbers, however long the shape is', () => {
    const long = numbers(draw([1000], { seed: 5 }));
    for (const length of [1, 2, 3, 5, 7, 999]) {
      expect(numbers(draw([length], { seed: 5 }))).toEqual(long.slice(0, length));
    }
    expect(numbers(draw([0], { seed: 5 }))).toEqual([]);
  });

  it('does not give a shifted copy of the same stream in the next run', () => {
    const [a, b] = [numbers(draw([4000], { seed: 5 }), 0), numbers(draw([4000], { seed: 5 }), 1)];
    const known = new Set(a);
    // In float32, a few numbers of the two draws are equal by chance.
    expect(b.filter((value) => known.has(value)).length).toBeLessThan(20);
  });

  it('takes its size from the binding of the run', () => {
    const x = input('x', ['batch', 2]);
    const noise = draw(['batch', 2], { seed: 9 });
    const whole = numbers(draw([3, 2], { seed: 9 }));
    for (const batch of [1, 3]) {
      const { noise: drawn } = evaluate({ noise, x }, { x: new Array(batch).fill([0, 0]) });
      expect([drawn.shape, [...drawn.data]]).toEqual([[batch, 2], whole.slice(0, 2 * batch)]);
    }
  });

  it('has no gradient, and does not block that of the other operand', () => {
    const w = parameter('w', [1, 2, 3]);
    const noise = draw([3], { seed: 9 });
    const gradients = backward(sum(mul(noise, w)));
    expect(evaluate(gradients.of(w), {}, { run: 4 })).toEqual(evaluate(noise, {}, { run: 4 }));
  });
});

describe('distributions', () => {
  // Each bound is five standard errors of n draws. A correct generator exceeds a bound once in two million times. The
  // seeds are fixed, so the tests always give the same result.
  const near = (value: number, wanted: number, deviation: number) =>
    expect(Math.abs(value - wanted)).toBeLessThan((5 * deviation) / Math.sqrt(n));

  it.each(['float32', 'float64'] as const)(
    'normal %s has mean 0, variance 1, no skew, kurtosis 3',
    (dtype) => {
      for (const [seed, run] of [
        [1, 0],
        [1, 7],
        [2, 0],
      ] as const) {
        const x = numbers(randomNormal([n], { seed, dtype }), run);
        near(moment(x, 1), 0, 1);
        near(moment(x, 2), 1, Math.sqrt(2));
        near(moment(x, 3), 0, Math.sqrt(15));
        near(moment(x, 4), 3, Math.sqrt(96));
        near(x.filter((v) => Math.abs(v) < 1).length / n, 0.682689, 0.4655);
        expect(x.every(Number.isFinite)).toBe(true);
        near(x.slice(1).reduce((total, v, i) => total + v * (x[i] as number), 0) / n, 0, 1);
      }
    },
  );

  it.each(['float32', 'float64'] as const)('uniform %s fills [0, 1), never 1', (dtype) => {
    const x = numbers(randomUniform([n], { seed: 3, dtype }));
    expect(Math.min(...x)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...x)).toBeLessThan(1);
    near(moment(x, 1), 1 / 2, Math.sqrt(1 / 12));
    near(moment(x, 2), 1 / 3, Math.sqrt(1 / 5 - 1 / 9));
    const bins = new Array(10).fill(0);
    for (const value of x) bins[Math.floor(10 * value)]++;
    for (const bin of bins) near(bin / n, 0.1, 0.3);
  });

  it('truncated normal stays within two standard deviations, and has the variance that follows', () => {
    const x = numbers(randomTruncatedNormal([n], { seed: 3, dtype: 'float64' }));
    expect(Math.max(...x.map(Math.abs))).toBeLessThanOrEqual(2);
    expect(Math.max(...x.map(Math.abs))).toBeGreaterThan(1.99);
    near(moment(x, 1), 0, 0.88);
    // With pdf and cdf of the normal distribution, the variance is 1 - 2 * 2 * pdf(2) / (1 - 2 * cdf(-2)) = 0.773741…
    near(moment(x, 2), 0.7737413, 0.82);
  });

  it('are drawn in float32 by default', () => {
    const single = randomUniform([3], { seed: 3 });
    expect(single.dtype).toBe('float32');
    expect(numbers(single)).toEqual(numbers(single).map(Math.fround));
  });
});
