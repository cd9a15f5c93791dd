import { describe, expect, it } from 'vitest';
import { median, quantile, ratios, spreadOf } from '../../bench/src/statistics.js';

describe('the statistics of rounds', () => {
  it('give the middle value as the median, or the mean of the two middle values', () => {
    expect(median([9, 1, 100])).toBe(9);
    expect(median([4, 100, 1, 3])).toBe(3.5);
    expect(median([7])).toBe(7);
  });

  it('interpolate quantiles, and do not change their argument', () => {
    const values = [40, 10, 30, 20, 50];
    expect([0, 0.25, 0.5, 0.6, 1].map((share) => quantile(values, share))).toEqual([
      10, 20, 30, 34, 50,
    ]);
    expect(values).toEqual([40, 10, 30, 20, 50]);
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });

  it('do not change the median or the quartiles for one slow round', () => {
    expect(spreadOf([10, 11, 12, 13, 9000])).toEqual({ median: 12, low: 11, high: 13, rounds: 5 });
  });

  it('divide only neighbouring slices, so that a slow moment cancels', () => {
    const pairs = [
      { peer: 20, forebay: 10 },
      { peer: 80, forebay: 40 },
      { peer: 30, forebay: 10 },
    ];
    expect(ratios(pairs)).toEqual([2, 2, 3]);
    expect(ratios([])).toEqual([]);
  });
});
