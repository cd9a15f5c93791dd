// Terminates a worker while results of its runs are queued, so that the results are delivered after the worker's
// environment has ended. FOREBAY_ADDON must name the addon that `node tools/build.mjs failing` builds.
import { createRequire } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import * as fb from 'forebay';

const { failing } = createRequire(import.meta.url)(process.env.FOREBAY_ADDON);
const runs = 3;

if (isMainThread) {
  for (let round = 1; round <= 5; round++) {
    const worker = new Worker(new URL(import.meta.url));
    const held = await new Promise((done, fail) =>
      worker.once('message', done).once('error', fail),
    );
    await worker.terminate();
    console.log(`${held} held, ${failing.held()} left`);
  }
} else {
  failing.holdCalls();
  const w = fb.parameter('w', new fb.Tensor(new Float32Array(16), [16]));
  const program = fb.compile({ outputs: { y: fb.exp(w) } });
  for (let run = 0; run < runs; run++) void program.runAsync();
  while (failing.held() < runs) await setTimeout(1);
  parentPort.postMessage(failing.held());
  await setTimeout(100_000);
}
