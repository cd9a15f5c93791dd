import { describe, expect, it } from 'vitest';
import { bucketsOf } from '../../src/train/buckets.js';
import { bucketAt, Minibatches, type Plan, sameBucket } from '../../src/train/minibatches.js';
import { inOrder, Shuffle } from '../../src/train/order.js';

const bucketed = (lengths: readonly number[], bounds: readonly number[]) => {
  const ragged = new Map([['steps', Int32Array.from(lengths)]]);
  return bucketsOf('fit', lengths.length, ragged, new Map(), 1, bounds);
};

/** Returns the minibatches of a plan, each with its padded length and its examples. */
const batches = ({ order, buckets }: Plan, size: number, bounds: readonly number[]) =>
  Array.from({ length: Math.ceil(order.length / size) }, (_, batch) => ({
    steps: bounds[buckets?.[batch] ?? 0],
    examples: [...order.subarray(batch * size, (batch + 1) * size)],
  }));

describe('the minibatches of an epoch', () => {
  it('without shuffling are in order, the shorter bucket first, and what remains goes to the next bucket', async () => {
    //               0  1  2  3  4  5  6  7  8  9  10
    const lengths = [9, 2, 5, 1, 2, 6, 8, 2, 0, 5, 2];
    const plan = await new Minibatches(11, 3, bucketed(lengths, [2, 6, 9])).plan();
    expect(batches(plan, 3, [2, 6, 9])).toEqual([
      { steps: 2, examples: [1, 3, 4] },
      { steps: 2, examples: [7, 8, 10] },
      { steps: 6, examples: [2, 5, 9] },
      { steps: 9, examples: [0, 6] },
    ]);
    const four = await new Minibatches(11, 4, bucketed(lengths, [2, 6, 9])).plan();
    expect(batches(four, 4, [2, 6, 9])).toEqual([
      { steps: 2, examples: [1, 3, 4, 7] },
      { steps: 6, examples: [8, 10, 2, 5] },
      { steps: 9, examples: [9, 0, 6] },
    ]);
  });

  it('with a seed have each example once, in a minibatch that holds it, and mixed lengths', async () => {
    const lengths = Array.from({ length: 1003 }, (_, index) => (index * 37) % 50);
    const bounds = [10, 20, 35, 49];
    const minibatches = new Minibatches(1003, 8, bucketed(lengths, bounds), 5);
    const [first, second] = [await minibatches.plan(0), await minibatches.plan(1)];
    for (const plan of [first, second]) {
      expect([...plan.order].sort((a, b) => a - b)).toEqual([...inOrder(1003)]);
      const all = batches(plan, 8, bounds);
      for (const { steps, examples } of all) {
        for (const example of examples) {
          expect(lengths[example]).toBeLessThanOrEqual(steps as number);
        }
      }
      // At most 7 examples remain in each bucket, so nearly all are in the bucket of their own length.
      const own = all.flatMap(({ steps, examples }) =>
        examples.filter(
          (one) => bounds.find((bound) => bound >= (lengths[one] as number)) === steps,
        ),
      );
      expect(own.length).toBeGreaterThanOrEqual(1003 - 3 * 7 * 2);
      expect(all.at(-1)).toMatchObject({ steps: 49, examples: { length: 1003 % 8 } });
      // Neighbours would nearly always be equal if the minibatches were not shuffled.
      const changes = all.filter(
        ({ steps }, index) => index > 0 && steps !== all[index - 1]?.steps,
      );
      expect(changes.length).toBeGreaterThan(50);
    }
    expect([...first.order]).not.toEqual([...second.order]);
    const again = new Minibatches(1003, 8, bucketed(lengths, bounds), 5);
    expect((await again.plan(1)).order).toEqual(second.order);
    expect((await again.plan(1)).buckets).toEqual(second.buckets);
    const other = new Minibatches(1003, 8, bucketed(lengths, bounds), 6);
    expect((await other.plan(1)).order).not.toEqual(second.order);
  });

  it('of one bucket are those of the shuffled examples', async () => {
    const one = new Minibatches(40, 6, bucketed(new Array(40).fill(3), [3]), 5);
    const plan = await one.plan(2);
    expect(plan.buckets).toBeUndefined();
    expect(plan.order).toEqual(await new Shuffle(40, 5).order(2));
  });

  it('of fewer examples than batchSize are one minibatch', async () => {
    const plan = await new Minibatches(3, 8, bucketed([1, 9, 4], [2, 4, 9]), 1).plan(0);
    expect(batches(plan, 8, [2, 4, 9])).toEqual([
      { steps: 9, examples: expect.arrayContaining([0, 1, 2]) },
    ]);
  });

  it('may be so large that nearly all examples remain in each bucket', async () => {
    const lengths = Array.from({ length: 500_000 }, (_, index) => index % 3);
    const plan = await new Minibatches(500_000, 400_000, bucketed(lengths, [1, 2])).plan();
    expect([...(plan.buckets ?? [])]).toEqual([1, 1]);
    expect(new Set(plan.order).size).toBe(500_000);
  });

  it('of one bucket that are adjacent can run in one call', () => {
    const plan = { order: inOrder(10), buckets: Int32Array.of(0, 0, 1, 0, 0) };
    expect([0, 2, 4, 6].map((start) => sameBucket(plan, start, 2, 9))).toEqual([2, 1, 1, 2]);
    expect(sameBucket(plan, 0, 2, 1)).toBe(1);
    expect([0, 4, 8].map((start) => bucketAt(plan, start, 2))).toEqual([0, 1, 0]);
    expect(sameBucket({ order: inOrder(10), buckets: undefined }, 4, 2, 3)).toBe(3);
  });

  it('are shuffled independently of the examples', async () => {
    const [examples, others] = [new Shuffle(50, 3), new Shuffle(50, 3, 1)];
    expect(await examples.order(0)).not.toEqual(await others.order(0));
  });
});
