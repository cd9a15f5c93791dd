// A worker thread that trains once and posts the digest, or, if `endless` is true, trains until it is terminated.
import { parentPort, workerData } from 'node:worker_threads';
import { train } from './training.mjs';

const { seed, endless } = workerData;
if (endless) {
  for (let round = 0; ; round++) {
    await train(seed + round);
    if (round === 0) parentPort?.postMessage('trains');
  }
}
parentPort?.postMessage(await train(seed));
