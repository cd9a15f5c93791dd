import { describe, expect, it } from 'vitest';
import { type BucketSizes, bucketsOf, chosenSizes } from '../../src/train/buckets.js';
import { errorOf } from '../support.js';

/** The padded steps of all examples, if each is padded to the first of these sizes that holds it. */
function padded(lengths: readonly number[], sizes: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + (sizes.find((size) => size >= length) ?? NaN), 0);
}

/** Returns all ascending lists of at most `most` of the sizes, of which the last is the largest size. */
function lists(sizes: readonly number[], most: number): number[][] {
  const last = sizes.at(-1) as number;
  return Array.from({ length: 2 ** (sizes.length - 1) }, (_, bits) => {
    return [...sizes.slice(0, -1).filter((_, index) => bits & (1 << index)), last];
  }).filter((list) => list.length <= most);
}

describe('the sizes that are chosen', () => {
  it.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 5],
    [7, 1],
  ])('are at most %i for at least %i examples each, with the least padding', (most, least) => {
    const lengths = [1, 1, 1, 2, 9, 9, 12, 12, 12, 12, 13, 30, 31, 31, 40, 41, 41, 41, 7, 3];
    const sizes = chosenSizes(Int32Array.from(lengths), most, least);
    const distinct = [...new Set(lengths)].sort((a, b) => a - b);
    const enough = lists(distinct, most).filter((list) =>
      list.every((size, index) => {
        const above = index === 0 ? -1 : (list[index - 1] as number);
        return lengths.filter((length) => length > above && length <= size).length >= least;
      }),
    );
    expect(enough).toContainEqual(sizes);
    expect(padded(lengths, sizes)).toBe(Math.min(...enough.map((list) => padded(lengths, list))));
  });

  it('are all sizes, if these are few', () => {
    expect(chosenSizes(Int32Array.of(5, 3, 5, 9), 7, 1)).toEqual([3, 5, 9]);
  });

  it('are one size, if there are few examples', () => {
    expect(chosenSizes(Int32Array.of(5, 3, 5, 9), 7, 8)).toEqual([9]);
  });

  it('are at least 1', () => {
    expect(chosenSizes(Int32Array.of(0, 0, 0), 7, 1)).toEqual([1]);
    expect(chosenSizes(Int32Array.of(0, 4), 7, 1)).toEqual([1, 4]);
  });

  it('hold all of many lengths, of which the longest is not exceeded', () => {
    const lengths = Int32Array.from({ length: 5000 }, (_, index) => index + 7);
    const began = performance.now();
    const sizes = chosenSizes(lengths, 7, 32);
    expect(performance.now() - began).toBeLessThan(200);
    expect(sizes).toHaveLength(7);
    expect(sizes.at(-1)).toBe(5006);
    // Seven equal parts of the lengths pad each example by half of 5000 / 7 steps on average.
    const waste = padded([...lengths], sizes) / lengths.reduce((a, b) => a + b);
    expect(waste).toBeLessThan(1.15);
  });
});

const ragged = (record: Record<string, readonly number[]>) =>
  new Map(Object.entries(record).map(([name, list]) => [name, Int32Array.from(list)]));
const assigned = (record: Record<string, readonly number[]>, given?: BucketSizes) => {
  const rows = Object.values(record)[0]?.length ?? 3;
  const fixed = new Map([['n', 2]]);
  const { bindings, of, next } = bucketsOf('fit', rows, ragged(record), fixed, 1, given);
  return { bindings: bindings.map((sizes) => Object.fromEntries(sizes)), of: of && [...of], next };
};

describe('buckets', () => {
  it('hold the examples that the size before does not hold', () => {
    expect(assigned({ steps: [4, 5, 0, 9, 8] }, [4, 6, 8, 9])).toEqual({
      bindings: [
        { n: 2, steps: 4 },
        { n: 2, steps: 6 },
        { n: 2, steps: 8 },
        { n: 2, steps: 9 },
      ],
      of: [0, 1, 0, 3, 2],
      next: [1, 2, 3, -1],
    });
  });

  it('that no example needs do not exist', () => {
    const { bindings, of } = assigned({ steps: [9, 2] }, [4, 6, 12]);
    expect(bindings.map(({ steps }) => steps)).toEqual([4, 12]);
    expect(of).toEqual([1, 0]);
    expect(assigned({ steps: [3, 2] }, { steps: [4, 6] })).toEqual({
      bindings: [{ n: 2, steps: 4 }],
      of: undefined,
      next: [-1],
    });
  });

  it('of two dimensions are followed by one that is larger in both', () => {
    const { bindings, of, next } = assigned(
      { a: [5, 2, 2, 4], b: [1, 7, 2, 1] },
      { a: [2, 5], b: [2, 7] },
    );
    expect(bindings).toEqual([
      { n: 2, a: 2, b: 2 },
      { n: 2, a: 2, b: 7 },
      { n: 2, a: 5, b: 2 },
      { n: 2, a: 5, b: 7 },
    ]);
    expect(of).toEqual([2, 1, 0, 2]);
    expect(next).toEqual([1, 3, 3, -1]);
  });

  it('of two dimensions are at most four by default', () => {
    const lengths = Array.from({ length: 40 }, (_, index) => index);
    const { bindings } = assigned({ a: lengths, b: [...lengths].reverse() });
    expect(bindings.length).toBeLessThanOrEqual(4);
    expect(bindings.at(-1)).toEqual({ n: 2, a: 39, b: 39 });
  });

  it.each<[string, Record<string, number[]>, unknown, string, string]>([
    ['of nothing', {}, [3], 'ValueError', 'no list of examples with a named dimension'],
    ['that are no list', { s: [3] }, 3, 'ValueError', 'but received number 3'],
    ['without a size', { s: [3] }, [], 'ValueError', "buckets of 's': expected at least one size"],
    ['with a size of 0', { s: [3] }, [0, 3], 'ValueError', 'but number 0 is number 0'],
    ['with a fraction', { s: [3] }, [2.5, 3], 'ValueError', 'but number 0 is number 2.5'],
    ['that fall', { s: [3] }, [4, 3], 'ValueError', 'ascending order, but number 1 is number 3'],
    [
      'that are too small',
      { s: [3, 9] },
      [4],
      'ShapeError',
      "largest size is 4, but 's' is 9 in example 1",
    ],
    [
      'of an unknown dimension',
      { s: [3] },
      { t: [4] },
      'ValueError',
      "'t' is not a dimension in which examples differ (these are 's')",
    ],
    [
      'that are one list for two',
      { s: [3], t: [4] },
      [4],
      'ValueError',
      'expected { s: […], t: […] }, but received a list',
    ],
    [
      'of no list',
      { s: [3] },
      { s: 4 },
      'ValueError',
      'expected a list of sizes, but received number 4',
    ],
  ])('%s are refused', (_, record, given, kind, message) => {
    const error = errorOf(() => assigned(record, given as BucketSizes));
    expect([error.name, error.message]).toEqual([kind, expect.stringContaining(message)]);
    expect(error.message).toMatch(/^fit: /);
  });
});
