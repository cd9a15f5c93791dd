/** Cuts the examples of an epoch into minibatches. */

import type { Buckets } from './buckets.js';
import { inOrder, Shuffle } from './order.js';
import { Turns } from './turns.js';

/** The minibatches of an epoch. All have the same number of examples, except for the last one, which may be smaller. */
export interface Plan {
  /** The indices of the examples, minibatch after minibatch. */
  readonly order: Int32Array;
  /** The bucket of each minibatch; undefined if there is only one bucket. */
  readonly buckets: Int32Array | undefined;
}

/** The number of examples that are assigned at a time, which takes a fraction of a millisecond. */
const unitExamples = 2 ** 15;
/** The number of minibatches that are put in order at a time. */
const unitBatches = 2 ** 10;

export class Minibatches {
  readonly #rows: number;
  readonly #batchSize: number;
  readonly #buckets: Buckets;
  readonly #examples: Shuffle | undefined;
  readonly #batches: Shuffle | undefined;
  /** The plan of every epoch, if the examples are not shuffled. */
  #plan: Plan | undefined;

  /**
   * @param rows the number of examples
   * @param seed the seed of the shuffles; undefined if the examples are not shuffled
   */
  constructor(rows: number, batchSize: number, buckets: Buckets, seed?: number) {
    this.#rows = rows;
    this.#batchSize = batchSize;
    this.#buckets = buckets;
    if (seed === undefined) return;
    this.#examples = new Shuffle(rows, seed);
    this.#batches = new Shuffle(Math.floor(rows / batchSize), seed, 1);
  }

  /**
   * Returns the minibatches of an epoch. With a seed, the examples are shuffled; the minibatches of several buckets are,
   * too, except for the last one if it is smaller. Without a seed, the examples are in order, and those of a smaller bucket
   * come first. The examples that remain when a bucket is cut into minibatches belong to the next larger one.
   */
  async plan(epoch = 0): Promise<Plan> {
    if (this.#plan) return this.#plan;
    const order = (await this.#examples?.order(epoch)) ?? inOrder(this.#rows);
    const plan =
      this.#buckets.of === undefined
        ? { order, buckets: undefined }
        : await this.#cut(order, this.#buckets.of);
    if (this.#examples === undefined) this.#plan = plan;
    if (this.#batches === undefined || plan.buckets === undefined) return plan;
    return this.#reordered(plan.order, plan.buckets, await this.#batches.order(epoch));
  }

  /** Cuts the examples, which are in the given order, into minibatches of one bucket each. */
  async #cut(order: Int32Array, bucketOf: Int32Array): Promise<Plan> {
    const count = this.#buckets.bindings.length;
    const batchSize = this.#batchSize;
    const members = await this.#members(order, bucketOf);
    const cut = new Int32Array(order.length);
    const buckets = new Int32Array(Math.ceil(order.length / batchSize)).fill(count - 1);
    // The examples that remain of smaller buckets.
    const pending: Int32Array[][] = Array.from({ length: count }, () => []);
    let begin = 0;
    for (let bucket = 0; bucket < count; bucket++) {
      let all = begin;
      for (const some of [...(pending[bucket] as Int32Array[]), members[bucket] as Int32Array]) {
        cut.set(some, all);
        all += some.length;
      }
      const end = all - ((all - begin) % batchSize);
      buckets.fill(bucket, begin / batchSize, end / batchSize);
      if (bucket < count - 1) {
        const next = this.#buckets.next[bucket] as number;
        pending[next]?.push(cut.slice(end, all));
      }
      begin = end;
    }
    return { order: cut, buckets };
  }

  /** Returns the examples of each bucket, in the given order. */
  async #members(order: Int32Array, bucketOf: Int32Array): Promise<readonly Int32Array[]> {
    const count = this.#buckets.bindings.length;
    const turns = new Turns();
    const each = async (use: (example: number, bucket: number) => void) => {
      for (let from = 0; from < order.length; from += unitExamples) {
        for (const example of order.subarray(from, from + unitExamples)) {
          use(example, bucketOf[example] as number);
        }
        await turns.pass();
      }
    };
    const sizes = new Int32Array(count);
    await each((_, bucket) => {
      sizes[bucket] = (sizes[bucket] as number) + 1;
    });
    const members = Array.from(sizes, (size) => new Int32Array(size));
    const found = new Int32Array(count);
    await each((example, bucket) => {
      const at = found[bucket] as number;
      (members[bucket] as Int32Array)[at] = example;
      found[bucket] = at + 1;
    });
    return members;
  }

  /** Returns the minibatches in the order `batches`; a last one that is smaller stays the last. */
  async #reordered(order: Int32Array, buckets: Int32Array, batches: Int32Array): Promise<Plan> {
    const size = this.#batchSize;
    const turns = new Turns();
    const shuffled: Plan & { readonly buckets: Int32Array } = {
      order: order.slice(),
      buckets: buckets.slice(),
    };
    for (let batch = 0; batch < batches.length; batch++) {
      const from = batches[batch] as number;
      shuffled.order.set(order.subarray(from * size, (from + 1) * size), batch * size);
      shuffled.buckets[batch] = buckets[from] as number;
      if (batch % unitBatches === 0) await turns.pass();
    }
    return shuffled;
  }
}

/** Returns the bucket of the minibatch that begins at position `start` of the order. */
export function bucketAt({ buckets }: Plan, start: number, batchSize: number): number {
  return buckets?.[start / batchSize] ?? 0;
}

/** Returns how many of at most `most` minibatches, from that at position `start`, belong to the bucket of the first. */
export function sameBucket(
  { buckets }: Plan,
  start: number,
  batchSize: number,
  most: number,
): number {
  if (buckets === undefined) return most;
  const first = start / batchSize;
  let count = 1;
  while (count < most && buckets[first + count] === buckets[first]) count++;
  return count;
}
