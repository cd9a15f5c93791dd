import { describe, expect, it } from 'vitest';
import { inOrder, Shuffle } from '../../src/train/order.js';

const sorted = (order: Int32Array) => Int32Array.from(order).sort();

describe('Shuffle', () => {
  it.each([0, 1, 2, 96, 2 ** 15, 100_000])('gives each of %i examples once', async (count) => {
    const order = await new Shuffle(count, 3).order(0);
    expect(sorted(order)).toEqual(inOrder(count));
  });

  it('depends on the seed and the epoch only', async () => {
    const shuffle = new Shuffle(50, 3);
    const [first, second] = [await shuffle.order(0), await shuffle.order(1)];
    expect(second).not.toEqual(first);
    expect(await new Shuffle(50, 4).order(0)).not.toEqual(first);
    expect(await shuffle.order(0)).toEqual(first);
    expect(await new Shuffle(50, 3).order(1)).toEqual(second);
  });

  it('gives all 24 orders of four examples equally often', async () => {
    const shuffle = new Shuffle(4, 9);
    const seen = new Map<string, number>();
    for (let epoch = 0; epoch < 4800; epoch++) {
      const order = (await shuffle.order(epoch)).join();
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(24);
    // Each order is expected 200 times. Chi squared with 23 degrees of freedom is below 49.7 in 999 of 1000 cases.
    const chiSquared = [...seen.values()].reduce((sum, n) => sum + (n - 200) ** 2 / 200, 0);
    expect(chiSquared).toBeLessThan(49.7);
  });

  it('mixes examples across the blocks in which large sets are drawn', async () => {
    const [count, half] = [2 ** 16, 2 ** 15];
    const order = await new Shuffle(count, 5).order(0);
    const stayed = order.filter((row, position) => row < half === position < half).length;
    // Half of the rows are expected to stay in their half, with a standard deviation of 128.
    expect(Math.abs(stayed - half)).toBeLessThan(5 * 128);
  });
});
