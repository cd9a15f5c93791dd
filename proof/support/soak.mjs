// Uses forebay many times in one way, and measures the memory of the process meanwhile. Prints only the figures, as
// JSON. The arguments are the kind of use, the number of uses before the first sample, and the number of measured uses.
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import * as fb from 'forebay';
import { slope } from './statistics.mjs';
import { model } from './training.mjs';

const kind = process.argv[2];
const [warmUp = 0, count = 0] = process.argv.slice(3).map(Number);
const samples = 120;
/**
 * The limit on the measured growth of memory, in bytes for each use. It cannot be 0. If the process needs one more page
 * late in the run, the slope grows: by some bytes in the short form, which has few uses, and by almost nothing if there
 * are a million uses.
 */
const mostBytes = { run: 1.5e6 / count, runAsync: 3e6 / count, programs: 30e6 / count };

/** @type {Record<string, () => Promise<(i: number) => unknown>>} */
const uses = {
  /** Makes training steps, with new outputs and with the caller's outputs. Every tenth step fails before it writes. */
  async run() {
    const { trainer, dataset } = model(1);
    const bad = { ...dataset, x: fb.Tensor.full([100, 16], Number.NaN) };
    const small = {
      x: new fb.Tensor(dataset.x.data.slice(0, 32), [2, 16]),
      target: new fb.Tensor(dataset.target.data.slice(0, 8), [2, 4]),
    };
    const into = { loss: fb.Tensor.zeros([]) };
    return (i) => {
      if (i % 10 === 0)
        assert.throws(() => trainer.run(bad, { checkFinite: true }), fb.NumericError);
      else if (i % 2) trainer.run(small, { into });
      else trainer.run(small);
    };
  },
  /** Makes asynchronous training steps, four at a time. Every tenth group of four is aborted. */
  async runAsync() {
    const { trainer, dataset } = model(1);
    const x = new fb.Tensor(dataset.x.data.slice(0, 32), [2, 16]);
    const target = new fb.Tensor(dataset.target.data.slice(0, 8), [2, 4]);
    return async (i) => {
      if (i % 4 > 0) return;
      const abort = new AbortController();
      const flights = [0, 1, 2, 3].map(() =>
        trainer.runAsync({ x, target }, { signal: abort.signal }),
      );
      if (i % 40 === 0) abort.abort();
      await Promise.allSettled(flights);
    };
  },
  /**
   * Builds, differentiates, compiles and runs graphs. Disposes of two programs in three, and leaves the others to the
   * garbage collector.
   */
  async programs() {
    const x = fb.Tensor.ones([8, 16]);
    const target = fb.Tensor.ones([8, 4]);
    return async (i) => {
      const layer = new fb.FeedForward('layer', { inputs: 16, units: 4, activation: fb.tanh });
      const y = layer.apply(fb.input('x', ['batch', 16]));
      const loss = fb.mse(y, fb.input('target', ['batch', 4]));
      const updates = fb.sgd(loss, layer.parameters, { rate: 0.1 });
      const program = fb.compile({ outputs: { loss }, updates });
      program.run({ x, target });
      if (i % 10 === 0) await program.runAsync({ x, target });
      // This run needs so much memory that the allocator requests it from the operating system, and later returns it.
      if (i % 10 === 1)
        program.run({ x: fb.Tensor.ones([4096, 16]), target: fb.Tensor.ones([4096, 4]) });
      if (i % 3 > 0) program.dispose();
    };
  },
};

const gc = /** @type {() => void} */ (globalThis.gc);
const use = await /** @type {() => Promise<(i: number) => unknown>} */ (uses[kind ?? ''])();
/** @type {Record<'rss' | 'external', number[]>} */
const seen = { rss: [], external: [] };
const every = Math.max(1, Math.floor(count / samples / 4) * 4);
for (let i = 0; i < warmUp + count; i++) {
  const pending = use(i);
  if (pending) await pending;
  if (i < warmUp || i % every > 0) continue;
  // Collects garbage first, because garbage must not count as growth.
  gc();
  await setImmediate();
  gc();
  const { rss, external } = process.memoryUsage();
  seen.rss.push(rss);
  seen.external.push(external);
}
const perUse = (/** @type {number[]} */ values) => slope(values) / every;
const [resident, external] = [perUse(seen.rss), perUse(seen.external)];
const bound = mostBytes[/** @type {keyof typeof mostBytes} */ (kind)];
const rounded = (/** @type {number} */ value) => Number(value.toFixed(3));
const figures = {
  uses: count,
  residentBytesPerUse: rounded(resident),
  externalBytesPerUse: rounded(external),
  residentMiB: Math.round(/** @type {number} */ (seen.rss.at(-1)) / 2 ** 20),
};
assert(resident < bound, `${JSON.stringify(figures)}: more than ${bound} bytes a use`);
assert(external < bound, `${JSON.stringify(figures)}: more than ${bound} bytes a use`);
console.log(JSON.stringify(figures));
