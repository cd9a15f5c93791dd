/**
 * Tests how `fit` groups training steps into slices, each of which is one call of the program. The tests use a
 * simulated program, which records its calls.
 */

import { describe, expect, it } from 'vitest';
import type { Stepper, StepRequest } from '../../src/compile/stepper.js';
import { add, input, state, Tensor, type Updates } from '../../src/index.js';
import * as train from '../../src/train/fit.js';

interface Call {
  readonly steps: number;
  readonly rows: number;
  readonly first: number;
  readonly shared: boolean;
}

/** Returns updates that train nothing. They are needed, because `fit` refuses a program without updates. */
const still = (): Updates => {
  const count = state('count', 0);
  return [[count, add(count, 1)]];
};

/** A simulated program that takes `milliseconds` for each step. Its output is the first element of each minibatch. */
class Fake implements Stepper {
  readonly updates = still();
  runs = 0;
  readonly trains = false;
  readonly calls: Call[] = [];
  readonly x = input('x', ['batch', 4]);
  readonly inputs = new Map([['x', this.x]]);
  readonly outputs = new Map([['first', input('first', [])]]);
  readonly metrics = new Set<string>();
  active = 0;

  constructor(
    readonly milliseconds: number,
    readonly failAt = Infinity,
  ) {}

  async runSteps({ steps, bindings, feeds, outputs, signal }: StepRequest): Promise<void> {
    expect(++this.active, 'only one slice runs at a time').toBe(1);
    const feed = feeds.get('x') as Float32Array;
    const rows = bindings.get('batch') as number;
    expect(feed).toHaveLength(steps * rows * 4);
    const shared = feed.buffer instanceof SharedArrayBuffer;
    this.calls.push({ steps, rows, first: feed[0] as number, shared });
    const seen = Buffer.from(feed.buffer as ArrayBuffer, feed.byteOffset, feed.byteLength);
    const before = Buffer.from(seen);
    await new Promise((done) => setTimeout(done, steps * this.milliseconds));
    expect(before.equals(seen), 'the feed does not change while the slice runs').toBe(true);
    for (let step = 0; step < steps; step++) {
      (outputs.get('first') as Float32Array)[step] = feed[step * rows * 4] as number;
    }
    this.active--;
    if (this.calls.length > this.failAt) throw new Error('a step failed');
    signal?.throwIfAborted();
  }
}

/** Returns `count` examples. Example i consists of four elements with the value i. */
const examples = (count: number) =>
  new Tensor(
    Float32Array.from({ length: 4 * count }, (_, index) => index >> 2),
    [count, 4],
  );
const options = { epochs: 1, shuffle: false } as const;

describe('slices', () => {
  it('have many short steps, at most four times as many as before', async () => {
    const fake = new Fake(0);
    const { epochs } = await train.fit(fake, { x: examples(4005) }, { ...options, batchSize: 2 });
    const steps = fake.calls.map((call) => call.steps);
    expect(steps.slice(0, 2)).toEqual([1, 1]);
    // While a slice runs, the rows of the next slice are gathered. The length of the next slice was chosen when the
    // running slice started.
    for (const [index, count] of steps.entries()) {
      expect(count, steps.join()).toBeLessThanOrEqual(
        4 * Math.max(...steps.slice(0, Math.max(1, index))),
      );
    }
    expect(steps.length).toBeLessThan(500);
    expect(steps.reduce((sum, count) => sum + count)).toBe(2003);
    expect(fake.calls.at(-1)).toMatchObject({ steps: 1, rows: 1, first: 4004 });
    expect(fake.calls.every(({ shared }) => shared)).toBe(true);
    // The first elements of the minibatches are 0, 2, …, 4002 with weight 2, and 4004 with weight 1.
    const sum = 2 * (2001 * 2002) + 4004;
    expect(epochs[0]?.outputs.first).toBeCloseTo(sum / 4005, 8);
  });

  it('have a single long step', async () => {
    const fake = new Fake(12);
    await train.fit(fake, { x: examples(10) }, { ...options, batchSize: 2 });
    expect(fake.calls.map(({ steps, rows, first }) => [steps, rows, first])).toEqual([
      [1, 2, 0],
      [1, 2, 2],
      [1, 2, 4],
      [1, 2, 6],
      [1, 2, 8],
    ]);
  });

  it('have a single step if onBatch is given', async () => {
    const fake = new Fake(0);
    let heard = 0;
    const onBatch = () => {
      expect(fake.active).toBe(0);
      heard++;
    };
    await train.fit(fake, { x: examples(300) }, { ...options, batchSize: 1, onBatch });
    expect(heard).toBe(300);
    expect(fake.calls.every(({ steps }) => steps === 1)).toBe(true);
  });

  it('are limited in memory, however short a step is', async () => {
    const fake = new Fake(0);
    // Each step needs 64 KB, so at most 128 steps fit in 8 MB, the limit of a slice.
    await train.fit(fake, { x: examples(4096 * 600) }, { ...options, batchSize: 4096 });
    const most = Math.max(...fake.calls.map(({ steps }) => steps));
    expect(most).toBeLessThanOrEqual(128);
    expect(most).toBeGreaterThan(4);
  });

  it('end before a failure is reported, and none is started after it', async () => {
    const fake = new Fake(1, 3);
    const fitting = train.fit(fake, { x: examples(1000) }, { ...options, batchSize: 1 });
    await expect(fitting).rejects.toThrow('a step failed');
    expect(fake.calls).toHaveLength(4);
    expect(fake.active).toBe(0);
  });

  it('fail when the examples were transferred away, after the steps that had been gathered', async () => {
    const fake = new Fake(12);
    const all = examples(10);
    const fitting = train.fit(fake, { x: all }, { ...options, batchSize: 1 });
    setTimeout(
      () => structuredClone(all.data.buffer, { transfer: [all.data.buffer as ArrayBuffer] }),
      30,
    );
    await expect(fitting).rejects.toThrow(
      "the examples for [input 'x'] have been transferred away",
    );
    expect(fake.calls.length).toBeGreaterThan(1);
    expect(fake.active).toBe(0);
  });

  it('do not block the event loop while rows are gathered', async () => {
    const fake = new Fake(0);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    // The rows of this step take 48 MB. They are gathered in pieces, so that timers fire between the pieces.
    await train.fit(fake, { x: examples(3_000_000) }, { ...options, batchSize: 3_000_000 });
    clearInterval(timer);
    expect(fake.calls).toHaveLength(1);
    expect(ticks).toBeGreaterThan(3);
  });
});
