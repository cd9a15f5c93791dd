/**
 * Gives damaged files to one reader and checks what the reader does with them. The process should have little memory.
 *
 *     node proof/support/fuzz/child.mjs READER COUNT SEED
 *
 * The inputs have the numbers SEED, SEED + 1, … Each input depends only on its number, so if input 1234 failed,
 * `child.mjs npy 1 1234` repeats it.
 */

import { measure } from './allocations.mjs';
import { Random } from './random.mjs';

/**
 * @typedef {{ bytes: Buffer, options?: object }} Input
 * @typedef {{ shape: readonly number[], data: ArrayLike<number> & ArrayBufferView }} Read
 * @typedef {object} Subject
 * @property {(random: Random) => Input} make
 * @property {(input: Input) => Read[]} read
 * @property {(input: Input, unpacked: number) => number} allowed the number of bytes that may be allocated for the
 *   input, if zlib was allowed to unpack `unpacked` bytes
 * @property {Record<string, RegExp>} reasons for each reason to refuse a file, the pattern of its message
 */

const [reader, count, seed] = process.argv.slice(2);
// The limit on the CPU time for one input, in milliseconds. CPU time does not depend on other processes.
const slow = 2000;

// This must run before any module of forebay is loaded. A module that is loaded earlier would keep the original
// functions.
const allocations = measure();
/** @type {Subject} */
const subject = (await import(`./${reader}.mjs`)).default;
const { FormatError } = await import('../../../dist/errors.js');

const reasons = Object.entries(subject.reasons);
const refused = Object.fromEntries(reasons.map(([name]) => [name, 0]));
const figures = { inputs: 0, accepted: 0, bytes: 0, largest: 0, slowest: 0, refused };

/**
 * Gives an input to the reader. Throws if the reader throws a wrong error, takes too long, or allocates too much
 * memory.
 * @param {Input} input
 * @param {number} number
 */
function judge(input, number) {
  const fail = (what, cause) => {
    throw new Error(`input ${number} (${input.bytes.length} bytes): ${what}`, { cause });
  };
  allocations.reset();
  const start = process.cpuUsage();
  /** @type {Read[]} */
  let read = [];
  try {
    read = subject.read(input);
    figures.accepted++;
  } catch (error) {
    if (!(error instanceof FormatError)) fail('threw an error that is not a FormatError', error);
    if (!error.message.startsWith('fuzzed')) fail('the message does not name the file', error);
    const [reason] = reasons.find(([, pattern]) => pattern.test(error.message)) ?? [];
    if (reason === undefined) fail('the refusal is not in the list', error);
    refused[reason]++;
  }
  const { user, system } = process.cpuUsage(start);
  const took = (user + system) / 1000;
  const { bytes, unpacked } = allocations;
  const allowed = subject.allowed(input, unpacked);
  if (bytes > allowed) fail(`${bytes} bytes were allocated, but ${allowed} are justified`);
  // A byte of a deflate stream unpacks to at most 1,032 bytes. The limit is twice as high, because the beginning of a
  // gzipped file is unpacked a second time.
  if (unpacked > 2 * 1032 * (input.bytes.length + 1)) fail(`zlib was allowed ${unpacked} bytes`);
  if (took > slow) fail(`it took ${took} ms`);
  for (const { shape, data } of read) {
    const size = shape.reduce((product, dim) => product * dim, 1);
    if (data.length !== size) fail(`shape [${shape}] has ${data.length} elements`);
  }
  figures.inputs++;
  figures.bytes += input.bytes.length;
  figures.largest = Math.max(figures.largest, bytes);
  figures.slowest = Math.max(figures.slowest, took);
}

for (let number = Number(seed); number < Number(seed) + Number(count); number++) {
  if (number % 500 === 0) {
    process.send?.({ next: number });
    // Returns to the event loop, so that zlib and the garbage collector can do the work that they have postponed.
    await new Promise((turned) => setImmediate(turned));
  }
  judge(subject.make(new Random(number)), number);
}
const peak = Math.round(process.resourceUsage().maxRSS / 1024);
const result = { ...figures, peakMegabytes: peak };
if (process.send) process.send({ result });
else console.log(result);
process.disconnect?.();
