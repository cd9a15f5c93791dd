/** Reads golden values (written by tools/golden/generate.py), and compares results of forebay with them. */

import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { constant, type Node, parameter, Tensor, type Variable } from '../../src/index.js';

/** NaN and the infinities are strings, because JSON does not have them. */
export type GoldenNumber = number | 'NaN' | 'Infinity' | '-Infinity';

export interface GoldenTensor {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: readonly GoldenNumber[];
  /** float64 if this is left out. */
  readonly dtype?: 'int32' | 'float32';
}

export interface Golden<Case> {
  /** The version of PyTorch that computed the values. */
  readonly torch: string;
  /** The version of Python that it ran in. */
  readonly python: string;
  readonly cases: readonly Case[];
}

export const goldenFolder = new URL('data/', import.meta.url);

export function readGolden<Case>(name: string): readonly Case[] {
  const text = readFileSync(new URL(`${name}.json`, goldenFolder), 'utf8');
  return (JSON.parse(text) as Golden<Case>).cases;
}

/** Pairs of a title and a case, for `it.each`, because it would print `$title` in quotes. */
export function titled<Case>(
  cases: readonly Case[],
  title: (golden: Case) => string,
): [string, Case][] {
  return cases.map((golden) => [title(golden), golden]);
}

export function tensorOf({ shape, data, dtype }: GoldenTensor): Tensor {
  const numbers = data.map(Number);
  if (dtype === 'int32') return new Tensor(Int32Array.from(numbers), shape);
  if (dtype === 'float32') return new Tensor(Float32Array.from(numbers), shape);
  return new Tensor(Float64Array.from(numbers), shape);
}

export function constantOf(golden: GoldenTensor): Node {
  return constant(tensorOf(golden));
}

export function parameterOf(name: string, golden: GoldenTensor): Variable {
  return parameter(name, tensorOf(golden));
}

/** Both sides compute in float64, in different orders: this allows a few hundred rounding errors. */
const tolerance = 1e-10;

/**
 * Fails unless shape, dtype and every element agree. Numbers agree up to 1e-10 relative to max(1, |expected|). NaN agrees
 * with NaN, and an infinity with the same infinity. The message of the failure starts with `what`.
 */
export function expectGolden(actual: Tensor, golden: GoldenTensor, what: string): void {
  const expected = tensorOf(golden);
  expect(actual.shape, `${what}: shape`).toEqual(expected.shape);
  expect(actual.dtype, `${what}: dtype`).toBe(expected.dtype);
  const off = Array.from(actual.data).flatMap((value, index) => {
    const wanted = expected.data[index] as number;
    return agrees(value, wanted) ? [] : [`element ${index} is ${value}, PyTorch has ${wanted}`];
  });
  expect(off, what).toEqual([]);
}

function agrees(actual: number, expected: number): boolean {
  if (Object.is(actual, expected) || actual === expected) return true;
  // If the expected value were infinite, the tolerance would be infinite, too.
  if (!Number.isFinite(expected)) return false;
  return Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected));
}
