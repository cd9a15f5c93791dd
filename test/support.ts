/** Helpers for several test files. */

import { expect } from 'vitest';
import type { Node } from '../src/index.js';
import { evaluate, type Feeds, ForebayError, Tensor } from '../src/index.js';

/**
 * Returns a small random number generator (mulberry32). Tests do not use the random numbers of forebay, because that is
 * code under test.
 */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns a float64 tensor of random numbers that are at least `low` and less than `high`. */
export function randomTensor(shape: readonly number[], seed: number, low = -1, high = 1): Tensor {
  const draw = generator(seed);
  const size = shape.reduce((product, dim) => product * dim, 1);
  return new Tensor(
    Float64Array.from({ length: size }, () => low + (high - low) * draw()),
    shape,
  );
}

/** Returns the value of a node as nested arrays. */
export function nestedValue(node: Node, feeds: Feeds = {}): unknown {
  return evaluate(node, feeds).toArray();
}

/** Returns the error that `run` throws. Fails if `run` throws nothing, or an error that is not a ForebayError. */
export function errorOf(run: () => unknown): ForebayError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ForebayError);
    return error as ForebayError;
  }
  throw new Error('expected an error, but none was thrown');
}
