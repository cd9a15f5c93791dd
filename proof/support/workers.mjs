// Worker threads that train, are terminated and are started again. Runs in a separate process, and prints only its
// figures, as JSON. argv: the number of rounds; 'here' if this thread uses forebay too.
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
/** @returns {Promise<string>} the worker's first message */
const heard = (/** @type {Worker} */ worker) =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
const ended = (/** @type {Worker} */ worker) =>
  new Promise((resolve) => worker.once('exit', resolve));

const seeds = Array.from({ length: together }, (_, i) => i + 1);
/** @returns {Promise<string[]>} the digests of all trainings, run at the same time */
const digests = () =>
  Promise.all(
    seeds.map(async (seed) => {
      const worker = start({ seed, endless: false });
      const [digest] = await Promise.all([heard(worker), ended(worker)]);
      return digest;
    }),
  );

// The digest of each training alone: in one worker after another, or in this thread.
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
assert.deepEqual(await digests(), alone, 'trainings at the same time give the same bits as alone');

const root = new URL('../..', import.meta.url).pathname;
// Only the addon for tests counts its allocations.
const { failing } = here
  ? createRequire(import.meta.url)(process.env.FOREBAY_ADDON ?? `${root}build/Release/forebay.node`)
  : { failing: undefined };
// Collects the garbage of this thread's own training before counting: until the count has stayed the same for a while.
const live = async () => {
  let last = JSON.stringify(failing?.live());
  for (let unchanged = 0, turns = 0; unchanged < 20 && turns < 1000; turns++) {
    globalThis.gc?.();
    await setTimeout(1);
    const now = JSON.stringify(failing?.live());
    unchanged = now === last ? unchanged + 1 : 0;
    last = now;
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
  // Each worker ends at another moment, in each round.
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
assert.deepEqual(await digests(), alone, 'trainings after the terminations give the same bits');
assert.equal(alive.size, 0);
if (failing) assert.deepEqual(await live(), before, 'a terminated worker leaks nothing');
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
