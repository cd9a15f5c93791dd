// Worker threads that train, are terminated and started again. In a process of its own; its figures, as JSON, are
// all that it prints. argv: rounds; whether this thread uses forebay too.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { slope } from './statistics.mjs';

const rounds = Number(process.argv[2]);
const here = process.argv[3] === 'here';
const together = 8;

/** @type {Set<Worker>} */
const alive = new Set();
function start(/** @type {{seed: number, endless: boolean}} */ workerData) {
  const worker = new Worker(new URL('training-worker.mjs', import.meta.url), { workerData });
  alive.add(worker);
  worker.on('exit', () => alive.delete(worker));
  return worker;
}
/** @returns {Promise<string>} its first message */
const heard = (/** @type {Worker} */ worker) =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
const ended = (/** @type {Worker} */ worker) =>
  new Promise((resolve) => worker.once('exit', resolve));

const seeds = Array.from({ length: together }, (_, i) => i + 1);
/** @returns {Promise<string[]>} what each comes to, all at once */
const digests = () =>
  Promise.all(
    seeds.map(async (seed) => {
      const worker = start({ seed, endless: false });
      const [digest] = await Promise.all([heard(worker), ended(worker)]);
      return digest;
    }),
  );

// Each alone: one worker after another, or this thread.
/** @type {string[]} */
const alone = [];
for (const seed of seeds) {
  if (here) {
    const { train } = await import('./training.mjs');
    alone.push(await train(seed));
  } else {
    const worker = start({ seed, endless: false });
    const [digest] = await Promise.all([heard(worker), ended(worker)]);
    alone.push(digest);
  }
}
assert.equal(new Set(alone).size, together, 'different seeds train differently');
assert.deepEqual(await digests(), alone, 'together they train as alone');

const root = new URL('../..', import.meta.url).pathname;
// Of the addon for tests, which counts what it allocates.
const { failing } = here
  ? createRequire(import.meta.url)(process.env.FOREBAY_ADDON ?? `${root}build/Release/forebay.node`)
  : { failing: undefined };
// Garbage of this thread's own training goes before it is counted.
const live = async () => {
  for (let i = 0; i < 20; i++) {
    globalThis.gc?.();
    await setTimeout(1);
  }
  return failing?.live();
};
const before = await live();

let terminated = 0;
/** @type {number[]} */
const resident = [];
for (let round = 0; round < rounds; round++) {
  const workers = seeds.map((seed) => start({ seed, endless: true }));
  await Promise.all(workers.map(heard));
  // At a moment that differs from worker to worker and from round to round.
  await Promise.all(
    workers.map(async (worker, i) => {
      await setTimeout((round * 7 + i * 13) % 40);
      terminated++;
      await worker.terminate();
    }),
  );
  globalThis.gc?.();
  resident.push(process.memoryUsage.rss());
}
assert.deepEqual(await digests(), alone, 'after all that they train as ever');
assert.equal(alive.size, 0);
if (failing) assert.deepEqual(await live(), before, 'nothing of a worker outlives it');
const settled = resident.slice(Math.ceil(resident.length / 4));
const perRound = settled.length > 2 ? Math.round(slope(settled)) : null;
console.log(
  JSON.stringify({
    workers: together,
    terminated,
    residentBytesPerRound: perRound,
    live: failing?.live(),
  }),
);
