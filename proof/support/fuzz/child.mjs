/**
 * Hands one reader damaged files, and watches it: in a process of its own, with little memory.
 *
 *     node proof/support/fuzz/child.mjs READER COUNT SEED
 *
 * Input number n is made from SEED + n alone: `child.mjs npy 1 1234` repeats the one that failed with 1234.
 */

import { measure } from './allocations.mjs';
import { Random } from './random.mjs';

/**
 * @typedef {{ bytes: Buffer, options?: object }} Input
 * @typedef {{ shape: readonly number[], data: ArrayLike<number> & ArrayBufferView }} Read
 * @typedef {object} Subject
 * @property {(random: Random) => Input} make
 * @property {(input: Input) => Read[]} read
 * @property {(input: Input, unpacked: number) => number} allowed how many bytes may be allocated for
 *   it, when zlib was allowed to unpack so many
 * @property {Record<string, RegExp>} reasons all that may be refused, each with its position in the file
 */

const [reader, count, seed] = process.argv.slice(2);
// Milliseconds of the processor, which another process does not add to.
const slow = 2000;

// Before any module of forebay is loaded, which would keep what it found.
const allocations = measure();
/** @type {Subject} */
const subject = (await import(`./${reader}.mjs`)).default;
const { FormatError } = await import('../../../dist/errors.js');

const reasons = Object.entries(subject.reasons);
const refused = Object.fromEntries(reasons.map(([name]) => [name, 0]));
const figures = { inputs: 0, accepted: 0, bytes: 0, largest: 0, slowest: 0, refused };

/** @param {Input} input @param {number} number */
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
    if (!(error instanceof FormatError)) fail('anything but a FormatError', error);
    if (!error.message.startsWith('fuzzed')) fail('a message that does not name the file', error);
    const [reason] = reasons.find(([, pattern]) => pattern.test(error.message)) ?? [];
    if (reason === undefined) fail('a refusal that is not in the list', error);
    refused[reason]++;
  }
  const { user, system } = process.cpuUsage(start);
  const took = (user + system) / 1000;
  const { bytes, unpacked } = allocations;
  const allowed = subject.allowed(input, unpacked);
  if (bytes > allowed) fail(`${bytes} bytes were allocated, but ${allowed} are justified`);
  // Deflate turns a byte into at most 1,032; a gzipped file's beginning is unpacked a second time.
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
    // What zlib and the garbage collector put off until the event loop turns would pile up.
    await new Promise((turned) => setImmediate(turned));
  }
  judge(subject.make(new Random(number)), number);
}
const peak = Math.round(process.resourceUsage().maxRSS / 1024);
const result = { ...figures, peakMegabytes: peak };
if (process.send) process.send({ result });
else console.log(result);
process.disconnect?.();
