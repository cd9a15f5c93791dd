// Starts work and ends the process while the work is in flight: `node ending.mjs WAY THREAD`. The work is a runAsync, a
// fit and a predict, in the main thread or in a worker. exit.test.ts tests how the process ends for each WAY.
import { setImmediate } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as fb from 'forebay';

const [way, thread] = isMainThread ? process.argv.slice(2) : workerData;

/**
 * Starts the work: chains of [512, 512] products. Each run takes about a second if it is not ended early. For the way
 * 'end', the work is much shorter, because the process waits for it.
 */
function start() {
  const links = way === 'end' ? 4 : 300;
  const rows = way === 'end' ? 512 : 4096;
  const chain = (name) => {
    const w = fb.parameter(name, fb.Tensor.full([512, 512], 1 / 512));
    let y = fb.input('x', ['batch', 512]);
    for (let link = 0; link < links; link++) y = fb.matmul(y, w);
    return { w, y };
  };
  const x = fb.Tensor.ones([rows, 512]);
  const [one, two, three] = ['one', 'two', 'three'].map(chain);
  const updates = ({ w, y }) => [[w, fb.add(fb.mul(w, 2), fb.mul(fb.mean(y), 0))]];
  const work = [
    fb.compile({ outputs: {}, updates: updates(one) }).runAsync({ x: fb.Tensor.ones([512, 512]) }),
    fb.fit(
      fb.compile({ outputs: {}, updates: updates(two) }),
      { x },
      { epochs: 1, batchSize: 512 },
    ),
    fb.predict(fb.compile({ outputs: { y: three.y } }), { x }, { batchSize: 512 }),
  ];
  return { leaves: [one.w, two.w, three.w], done: Promise.all(work) };
}

/** Waits until a run of each program is in flight. While a run is in flight, setting a leaf of its program throws. */
async function flying(leaves) {
  for (const leaf of leaves) {
    for (;;) {
      try {
        leaf.set(leaf.value);
      } catch (error) {
        if (error instanceof fb.StateError) break;
        throw error;
      }
      await setImmediate();
    }
  }
}

function end() {
  if (way === 'exit') process.exit(3);
  if (way === 'throw')
    globalThis.setImmediate(() => {
      throw new Error('thrown on purpose');
    });
  if (way === 'reject') Promise.reject(new Error('rejected on purpose'));
  if (way === 'SIGTERM, handled') process.on('SIGTERM', () => process.exit(4));
  // The parent process sends the signal when it reads this line.
  console.log('started');
}

async function here() {
  const { leaves, done } = start();
  if (way !== 'end') await flying(leaves);
  done.then(() => console.log('done', ...leaves.map(({ value }) => value.data[0] * 512)));
}

if (!isMainThread) {
  await here();
  parentPort.postMessage('started');
  if (way === 'exit in the worker') process.exit(5);
  if (way === 'throw in the worker') throw new Error('thrown on purpose');
} else if (thread === 'worker') {
  const worker = new Worker(new URL(import.meta.url), { workerData: [way, thread] });
  worker.on('exit', (code) => console.log('the worker exits', code));
  if (way !== 'end') worker.once('message', end);
} else {
  await here();
  end();
}
