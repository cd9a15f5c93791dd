/**
 * Derives seeds for random draws, and for leaves that an initialiser fills, if the user gave them no seed. The seed of
 * a leaf depends on the global seed and on the name of the leaf. The seed of a draw depends on the global seed and on
 * the number of draws without a seed since the last call of `setSeed`. So different leaves and draws get different
 * numbers, and the same script always gets the same numbers.
 */

import { describeValue } from '../arguments/describe.js';
import { seedNumber } from '../arguments/kinds.js';
import { ValueError } from '../errors.js';

let globalSeed = 0;
let draws = 0;

/**
 * Sets the global seed, which is 0 before the first call. Later draws and initialisers to which no seed is given derive
 * their seeds from the global seed.
 * @throws ValueError if `seed` is not an integer from 0 to 2^53 - 1
 */
export function setSeed(seed: number): void {
  assertSeed(seed, 'setSeed:');
  globalSeed = seed;
  draws = 0;
}

/** @throws ValueError if `seed` is not an integer from 0 to 2^53 - 1 */
export function assertSeed(seed: unknown, context: string): asserts seed is number {
  if (!seedNumber.accepts(seed)) {
    throw new ValueError(
      `${context} expected a seed (${seedNumber.expected}), but received ${describeValue(seed)}`,
    );
  }
}

/** Returns the seed of a new draw to which the user gave no seed. Each call returns another seed. */
export function nextDrawSeed(): number {
  return mix(`draw ${draws++}`);
}

/** Returns the seed of a leaf to which the user gave no seed. */
export function leafSeed(name: string): number {
  return mix(`leaf ${name}`);
}

/**
 * Returns the seed of one of several leaves that belong to one owner, such as the parameters of a layer. `seed` is the
 * seed of the owner; if it is undefined, the global seed is used.
 */
export function subSeed(seed: number | undefined, name: string): number {
  return seed === undefined ? leafSeed(name) : mix(`leaf ${name}`, seed);
}

/**
 * Returns a hash of `seed` and `text`, of 52 bits, from two 32-bit FNV-1a hashes. Such hashes are not fully
 * random. The random generator, Philox, removes the regularity that remains in them.
 */
function mix(text: string, seed = globalSeed): number {
  const bytes = new TextEncoder().encode(`${seed} ${text}`);
  const hash = (basis: number) =>
    bytes.reduce((state, byte) => Math.imul(state ^ byte, 0x01000193) >>> 0, basis);
  return hash(0x811c9dc5) * 2 ** 20 + (hash(0x050c5d1f) >>> 12);
}
