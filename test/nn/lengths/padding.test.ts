import { describe, expect, it } from 'vitest';
import { nativeInfo, type Tensor } from '../../../src/index.js';
import {
  bytesOf,
  executors,
  type Floating,
  type Form,
  feedsOf,
  kindsAndForms,
  network,
  sizes,
  tensorOf,
} from './support.js';

const steps = 5;
const lengths = [2, 5, 0, 4];
/** Whether products are computed by OpenBLAS, which adds the terms of a sum in another order if there are more of them. */
const callsBlas = nativeInfo().simd.active === 'portable';
const dtypes: readonly Floating[] = ['float32', 'float64'];
const cases = kindsAndForms.flatMap(([kind, form]) =>
  dtypes.map((dtype) => [kind, form, dtype] as const),
);

/** Returns whether an element of [steps, batch, width] belongs to the padding. */
const isPadding = (index: number, width: number) => {
  const row = Math.floor(index / width);
  return Math.floor(row / lengths.length) >= (lengths[row % lengths.length] as number);
};

/** Returns the names of the results that differ in any bit. */
function differing(found: Record<string, Tensor>, expected: Record<string, Tensor>): string[] {
  return Object.keys(expected).filter(
    (key) => !bytesOf(found[key] as Tensor).equals(bytesOf(expected[key] as Tensor)),
  );
}

/** Returns the tensor with more steps, whose elements are `element`. */
const longer = (x: Tensor, dtype: Floating, more: number, element: number) =>
  tensorOf([more, ...x.shape.slice(1)], dtype, (index) => Number(x.data[index] ?? element));

describe('the padding of rows of different lengths', () => {
  it.each(cases)('may hold anything, and changes no bit: %s, %s, %s', (kind, form, dtype) => {
    const feeds = feedsOf(form, dtype, steps, lengths);
    for (const [how, run] of Object.entries(executors(network(kind, form, dtype)))) {
      const expected = run(feeds);
      for (const values of Object.values(expected)) {
        expect(values.data.every(Number.isFinite)).toBe(true);
      }
      for (const junk of [NaN, Infinity, -Infinity, dtype === 'float32' ? 3e38 : 1e308, 1e-45]) {
        const xs = tensorOf(feeds.xs.shape, dtype, (index) =>
          isPadding(index, sizes.inputs) ? junk : Number(feeds.xs.data[index]),
        );
        expect(bytesOf(xs).equals(bytesOf(feeds.xs))).toBe(false);
        expect(differing(run({ ...feeds, xs }), expected), `${how}, ${junk}`).toEqual([]);
        // The test itself: the same number in a step of a row changes its results.
        const inside = tensorOf(feeds.xs.shape, dtype, (index) =>
          index === 0 ? junk : Number(feeds.xs.data[index]),
        );
        expect(differing(run({ ...feeds, xs: inside }), expected)).toContain('hidden');
      }
    }
  });

  it.each(cases)('has hidden states and gradients of 0: %s, %s, %s', (kind, form, dtype) => {
    const feeds = feedsOf(form, dtype, steps, lengths);
    for (const run of Object.values(executors(network(kind, form, dtype)))) {
      const found = run(feeds);
      for (const key of ['hidden', 'gradient of xs']) {
        const { data, shape } = found[key] as Tensor;
        const width = shape[2] as number;
        // No state and no gradient of a step is 0.
        const zeros = [...data].map((value) => Object.is(value, 0));
        expect(zeros, key).toEqual([...data].map((_, index) => isPadding(index, width)));
      }
    }
  });

  it.each(cases)('may have more steps: %s, %s, %s', (kind, form, dtype) => {
    const nodes = network(kind, form, dtype);
    const more = [steps + 1, steps + 2, 40];
    for (const [how, run] of Object.entries(executors(nodes))) {
      expectInert(run, form, dtype, lengths, more, how);
    }
  });

  // The gradients of weights are products with more terms than a block of the product kernel has.
  it.each(cases)('may have more steps than many: %s, %s, %s', (kind, form, dtype) => {
    const { program } = executors(network(kind, form, dtype));
    expectInert(program, form, dtype, [70, 13, 0, 69, 70], [71, 72, 97, 130, 250], 'program');
  });
});

/** Checks that the results of a network have the same bits if its inputs have more steps of padding. */
function expectInert(
  run: ReturnType<typeof executors>['program'],
  form: Form,
  dtype: Floating,
  counts: readonly number[],
  more: readonly number[],
  how: string,
) {
  const feeds = feedsOf(form, dtype, Math.max(...counts), counts);
  const expected = run(feeds);
  for (const count of more) {
    const found = run({
      ...feeds,
      xs: longer(feeds.xs, dtype, count, NaN),
      hiddenCotangent: longer(feeds.hiddenCotangent, dtype, count, NaN),
    });
    for (const [key, { data }] of Object.entries(expected)) {
      const { data: extra } = found[key] as Tensor;
      const [own, rest] = [extra.slice(0, data.length), extra.slice(data.length)];
      expect(
        [...rest].every((value) => Object.is(value, 0)),
        key,
      ).toBe(true);
      if (how === 'program' && callsBlas) {
        const rounding = dtype === 'float32' ? 1e-5 : 1e-13;
        const off = [...own].map((value, i) => Math.abs(Number(value) - Number(data[i])));
        const largest = Math.max(...[...data].map((value) => Math.abs(Number(value))));
        expect(Math.max(...off), `${key}, ${how}`).toBeLessThanOrEqual(rounding * largest);
      } else {
        expect(own, `${key}, ${how}, ${count} steps`).toEqual(data);
      }
    }
  }
}
