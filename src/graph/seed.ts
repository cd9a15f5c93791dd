/**
 * Seeds for draws and leaves without a seed of their own. Each is derived from one global seed, and from the name of the
 * leaf or the position of the draw in the order of construction. So different leaves and draws get different numbers,
 * and the same script always gets the same numbers.
 */

import { describeValue } from '../arguments/describe.js';
import { seedNumber } from '../arguments/kinds.js';
import { ValueError } from '../errors.js';

let globalSeed = 0;
let draws = 0;

/**
 * Sets the global seed. All later draws and initialisers without a seed of their own derive theirs from it. It is 0 until
 * this is called.
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

/** The seed of the next draw without a seed of its own. */
export function nextDrawSeed(): number {
  return mix(`draw ${draws++}`);
}

/** The seed of a leaf without a seed of its own. */
export function leafSeed(name: string): number {
  return mix(`leaf ${name}`);
}

/** A seed for one of several leaves that share a seed, such as the parameters of a layer. */
export function subSeed(seed: number | undefined, name: string): number {
  return seed === undefined ? leafSeed(name) : mix(`leaf ${name}`, seed);
}

/** Combines two 32-bit FNV-1a hashes to 52 bits. Philox, the random generator, removes their remaining regularity. */
function mix(text: string, seed = globalSeed): number {
  const bytes = new TextEncoder().encode(`${seed} ${text}`);
  const hash = (basis: number) =>
    bytes.reduce((state, byte) => Math.imul(state ^ byte, 0x01000193) >>> 0, basis);
  return hash(0x811c9dc5) * 2 ** 20 + (hash(0x050c5d1f) >>> 12);
}
