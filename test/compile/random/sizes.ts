/** The sizes of a node's elements: their magnitudes (see magnitudes.ts), and whether they are exact. */

import type { TypedArray } from '../../../src/tensor/dtype.js';

export interface Sizes {
  readonly magnitude: Float64Array;
  /** For each element, 1 if it is computed from the leaves without rounding, else 0. */
  readonly exact: Uint8Array;
}

/** What is known of a node. */
export interface Known {
  readonly shape: readonly number[];
  readonly value: TypedArray;
  readonly sizes: Sizes;
  readonly fractionBits: number;
}

/** The error for a run that cannot be compared. Its message is the reason. */
export class Unfit extends Error {}

/** Returns the sizes of exact values: each magnitude is the absolute value. */
export function known(value: TypedArray): Sizes {
  return {
    magnitude: Float64Array.from(value, Math.abs),
    exact: new Uint8Array(value.length).fill(1),
  };
}

/**
 * Adds one more term, times a weight, to the sizes of a sum. The sum is exact if all its terms are exact and at most one of them is not
 * 0.
 */
export function addInto(result: Sizes, at: number, sizes: Sizes, from: number, weight = 1): void {
  const before = result.magnitude[at] as number;
  const more = (sizes.magnitude[from] as number) * weight;
  const exact = result.exact[at] === 1 && sizes.exact[from] === 1 && (before === 0 || more === 0);
  result.magnitude[at] = before + more;
  result.exact[at] = Number(exact);
}

/** Whether the elements are floats: numbers that two executors may round differently. */
export function isFloats(value: TypedArray): boolean {
  return value instanceof Float32Array || value instanceof Float64Array;
}
