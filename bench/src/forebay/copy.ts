/**
 * Measures how fast this machine copies memory. The buffer is as large as the memory that a workload uses, because a
 * small buffer stays in a cache, as a small workload does.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { timeCalls } from '../peers/process.js';

/** The duration of a measurement, and of each of its parts, in seconds. */
const copySeconds = 0.04;
const partSeconds = 0.002;

/**
 * Copies one half of a buffer of `bytes` to the other half, again and again. Returns the rate in bytes read and written
 * per second. It is the greatest rate of several parts of the measurement, because another process may slow a part
 * down. `TypedArray.set` calls memmove of the C library.
 */
function copyHere(bytes: number): number {
  const length = Math.max(1024, Math.round(bytes / 8));
  const from = new Float32Array(length).fill(1);
  const to = new Float32Array(length).fill(2);
  const copy = (times: number) => timeCalls(times, () => to.set(from));
  // This loop finds how many copies fill a part. It is also a warm-up, which touches every page and compiles the call.
  let times = 1;
  while (copy(times) < partSeconds) times *= 2;
  const end = performance.now() + 1000 * copySeconds;
  let least = copy(times);
  while (performance.now() < end) least = Math.min(least, copy(times));
  return (8 * length * times) / least;
}

/**
 * Returns the total rate of `threads` threads that copy at the same time, in GB/s read and written. Each thread has its
 * own share of the buffer.
 */
export async function copyRate(bytes: number, threads: number): Promise<number> {
  if (threads === 1) return copyHere(bytes) / 1e9;
  // Counts the threads that are ready. Each thread waits until all are, so that they copy at the same time.
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
