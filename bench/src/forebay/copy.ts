/** Measures the memory rate of this machine: a copy in a buffer as large as the memory that a workload uses. */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { timeCalls } from '../peers/process.js';

/** The length of a measurement, and of each part of it, in seconds. */
const copySeconds = 0.04;
const partSeconds = 0.002;

/**
 * The rate of copying one half of a buffer of `bytes` to the other, in bytes read and written per second. It is the
 * greatest of several parts, because another process may slow a part down. `TypedArray.set` is the memmove of the C
 * library. A small buffer stays in a cache, like a small workload.
 */
function copyHere(bytes: number): number {
  const length = Math.max(1024, Math.round(bytes / 8));
  const from = new Float32Array(length).fill(1);
  const to = new Float32Array(length).fill(2);
  const copy = (times: number) => timeCalls(times, () => to.set(from));
  // A warm-up, which touches every page and compiles this call.
  let times = 1;
  while (copy(times) < partSeconds) times *= 2;
  const end = performance.now() + 1000 * copySeconds;
  let least = copy(times);
  while (performance.now() < end) least = Math.min(least, copy(times));
  return (8 * length * times) / least;
}

/** The rate in GB/s, read and written, of so many threads at once, each with its share of the buffer. */
export async function copyRate(bytes: number, threads: number): Promise<number> {
  if (threads === 1) return copyHere(bytes) / 1e9;
  // A counter on which all threads wait until all are ready, so that they copy at the same time.
  const ready = new Int32Array(new SharedArrayBuffer(4));
  const share = Math.ceil(bytes / threads);
  const rates = await Promise.all(
    Array.from({ length: threads }, () => rateOf({ share, threads, ready })),
  );
  return rates.reduce((sum, rate) => sum + rate, 0) / 1e9;
}

interface Task {
  readonly share: number;
  readonly threads: number;
  readonly ready: Int32Array;
}

function rateOf(task: Task): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    worker.once('message', resolve).once('error', reject);
  });
}

if (!isMainThread) {
  const { share, threads, ready } = workerData as Task;
  Atomics.add(ready, 0, 1);
  Atomics.notify(ready, 0);
  for (let count = Atomics.load(ready, 0); count < threads; count = Atomics.load(ready, 0)) {
    Atomics.wait(ready, 0, count);
  }
  parentPort?.postMessage(copyHere(share));
}
