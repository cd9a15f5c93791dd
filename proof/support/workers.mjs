// Starts worker threads that train, terminates them, and starts new ones. Runs in a separate process, and prints only
// its figures, as JSON. The arguments are the number of rounds, and 'here' if the main thread uses forebay, too.
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
/** Waits for the first message of a worker. @returns {Promise<string>} the message */
const heard = (/** @type {Worker} */ worker) =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
const ended = (/** @type {Worker} */ worker) =>
  new Promise((resolve) => worker.once('exit', resolve));

const seeds = Array.from({ length: together }, (_, i) => i + 1);
/** Runs all trainings at the same time, each in a worker. @returns {Promise<string[]>} their digests */
const digests = () =>
  Promise.all(
    seeds.map(async (seed) => {
      const worker = start({ seed, endless: false });
      const [digest] = await Promise.all([heard(worker), ended(worker)]);
      return digest;
    }),
  );

// The digests of the trainings when they run one after another, each in a worker or in this thread.
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
// Only the addon for tests, whose allocations can be made to fail, counts its allocations.
const { failing } = here
  ? createRequire(import.meta.url)(process.env.FOREBAY_ADDON ?? `${root}build/Release/forebay.node`)
  : { failing: undefined };
// Returns the live allocations. Before that, runs the garbage collector repeatedly, until their number no longer
// changes. This frees what the training on this thread has left.
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
  // In each round, each worker is terminated at a different moment of its training.
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
