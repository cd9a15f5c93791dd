/**
 * Seeds for draws that were given none. Each derives from one global seed and from the name of its
 * leaf or its place in the order of construction: no two start equal, and the same script always
 * draws the same.
 */

import { describeValue } from '../arguments/describe.js';
import { seedNumber } from '../arguments/kinds.js';
import { ValueError } from '../errors.js';

let globalSeed = 0;
let draws = 0;

/**
 * Sets the seed from which all later unseeded draws and initialisers derive theirs; it is 0 at first.
 * @throws ValueError unless `seed` is an integer from 0 to 2^53 - 1
 */
export function setSeed(seed: number): void {
  assertSeed(seed, 'setSeed:');
  globalSeed = seed;
  draws = 0;
}

/** @throws ValueError unless `seed` is an integer from 0 to 2^53 - 1 */
export function assertSeed(seed: unknown, context: string): asserts seed is number {
  if (!seedNumber.accepts(seed)) {
    throw new ValueError(
      `${context} expected a seed (${seedNumber.expected}), but received ${describeValue(seed)}`,
    );
  }
}

/** The seed of the next unseeded draw. */
export function nextDrawSeed(): number {
  return mix(`draw ${draws++}`);
}

/** The seed of a leaf that is given none. */
export function leafSeed(name: string): number {
  return mix(`leaf ${name}`);
}

/** A seed for one of several leaves that share a seed: a layer's parameters. */
export function subSeed(seed: number | undefined, name: string): number {
  return seed === undefined ? leafSeed(name) : mix(`leaf ${name}`, seed);
}

/** 52 bits of two 32-bit FNV-1a hashes; Philox spreads what is left of their regularity. */
function mix(text: string, seed = globalSeed): number {
  const bytes = new TextEncoder().encode(`${seed} ${text}`);
  const hash = (basis: number) =>
    bytes.reduce((state, byte) => Math.imul(state ^ byte, 0x01000193) >>> 0, basis);
  return hash(0x811c9dc5) * 2 ** 20 + (hash(0x050c5d1f) >>> 12);
}
