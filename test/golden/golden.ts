/**
 * Reads golden values and compares results of forebay with them. Golden values were computed by PyTorch and written by
 * tools/golden/generate.py.
 */

import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import {
  compile,
  constant,
  evaluate,
  type Feeds,
  type Module,
  type Node,
  parameter,
  Tensor,
  type Updates,
  type Variable,
} from '../../src/index.js';

/** An element of a golden tensor. NaN and the infinities are strings, because JSON does not have them as numbers. */
export type GoldenNumber = number | 'NaN' | 'Infinity' | '-Infinity';

export interface GoldenTensor {
  readonly shape: readonly number[];
  /** The elements in row-major order. */
  readonly data: readonly GoldenNumber[];
  /** The dtype; float64 if this is left out. */
  readonly dtype?: 'int32' | 'float32' | 'bool';
}

export interface Golden<Case> {
  /** The version of PyTorch that computed the values. */
  readonly torch: string;
  /** The version of Python in which PyTorch ran. */
  readonly python: string;
  readonly cases: readonly Case[];
}

export const goldenFolder = new URL('data/', import.meta.url);

export function readGolden<Case>(name: string): readonly Case[] {
  const text = readFileSync(new URL(`${name}.json`, goldenFolder), 'utf8');
  return (JSON.parse(text) as Golden<Case>).cases;
}

/**
 * Returns pairs of a title and a case for `it.each`. A placeholder `$title` is not used, because it would be printed in
 * quotes.
 */
export function titled<Case>(
  cases: readonly Case[],
  title: (golden: Case) => string,
): [string, Case][] {
  return cases.map((golden) => [title(golden), golden]);
}

export function tensorOf({ shape, data, dtype }: GoldenTensor): Tensor {
  const numbers = data.map(Number);
  if (dtype === 'int32') return new Tensor(Int32Array.from(numbers), shape);
  if (dtype === 'bool') return new Tensor(Uint8Array.from(numbers), shape, 'bool');
  if (dtype === 'float32') return new Tensor(Float32Array.from(numbers), shape);
  return new Tensor(Float64Array.from(numbers), shape);
}

export function constantOf(golden: GoldenTensor): Node {
  return constant(tensorOf(golden));
}

export function parameterOf(name: string, golden: GoldenTensor): Variable {
  return parameter(name, tensorOf(golden));
}

/**
 * The largest allowed difference. PyTorch and forebay both compute in float64, but in different orders. This allows the
 * error of a few hundred roundings.
 */
const tolerance = 1e-10;

/**
 * Fails unless shape, dtype and all elements agree. Two numbers agree if their difference is at most 1e-10 times
 * max(1, |expected|). NaN agrees only with NaN, and an infinity only with the same infinity. The message of the failure
 * starts with `what`.
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

/** Tensors by name. */
export type Named = Readonly<Record<string, GoldenTensor>>;

/** Sets the variables of a layer, which must have these relative paths. Returns them by path. */
export function withVariables(layer: Module, variables: Named): Map<string, Variable> {
  const entries = layer.entries();
  expect([...entries.keys()].sort()).toEqual(Object.keys(variables).sort());
  for (const [path, variable] of entries) variable.set(tensorOf(variables[path] as GoldenTensor));
  return entries;
}

/**
 * Compares nodes with golden tensors, interpreted and compiled. `updates` are written by the program, and `feeds` are the
 * values of the inputs.
 */
export function expectBoth(
  wanted: readonly (readonly [what: string, node: Node, expected: GoldenTensor])[],
  updates: Updates = [],
  feeds: Feeds = {},
): void {
  const nodes = Object.fromEntries(wanted.map(([what, node]) => [what, node]));
  const results = {
    interpreted: evaluate(nodes, feeds),
    compiled: compile({ outputs: nodes, updates }).run(feeds),
  };
  for (const [how, found] of Object.entries(results)) {
    for (const [what, , expected] of wanted) {
      expectGolden(found[what] as Tensor, expected, `${what}, ${how}`);
    }
  }
}
