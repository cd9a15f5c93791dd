/** Compiles the graph of a case, executes its runs, and compares the results with those of the interpreter. */

import { Program, type Specialise } from '../../../src/compile/program.js';
import { specialise } from '../../../src/compile/specialise.js';
import type { Tensor } from '../../../src/index.js';
import type { TypedArray } from '../../../src/tensor/dtype.js';
import type { Case, Expected, Result } from './cases.js';

export interface Differing {
  /** The compiler under test. By default, it is the compiler that compile() uses. */
  readonly passes?: typeof specialise;
  /** The map in which the compiler counts, by name, how often it applied each rewrite. */
  readonly fired?: Map<string, number>;
  readonly threads?: number;
  /** All runs are executed twice. If `remade` is true, the graph is compiled again before the second time. */
  readonly remade?: boolean;
}

/** A difference between the program and the interpreter. */
export interface Difference {
  readonly run: number;
  readonly message: string;
}

/**
 * Executes all runs of a case twice with a compiled program, each time from the initial values of the leaves. Returns
 * the first difference from the interpreter, or between the first and the second time; undefined if there is none.
 */
export function difference(
  { outputs, updates, variables, initial, runs }: Case,
  { passes = specialise, fired, threads, remade = false }: Differing = {},
): Difference | undefined {
  const counting: Specialise = function* (nodes, pairs, bindings, constants) {
    yield;
    return passes(nodes, pairs, bindings, constants, fired);
  };
  let at = 0;
  let program: Program | undefined;
  const first: TypedArray[][] = [];
  try {
    for (const repeats of [false, true]) {
      if (remade) program?.dispose();
      if (!program || remade) program = new Program({ outputs, updates, threads }, counting);
      variables.forEach(({ value }, i) => {
        value.data.set(initial[i] as TypedArray);
      });
      program.runs = 0;
      for (at = 0; at < runs.length; at++) {
        const run = runs[at] as Expected;
        const got = program.run(run.feeds);
        const found = [
          ...run.outputs.map(({ name }) => (got[name] as Tensor).data),
          ...variables.map(({ value }) => value.data.slice()),
        ];
        const wrong = compare(found, [...run.outputs, ...run.leaves]);
        if (wrong) return { run: at, message: wrong };
        if (!repeats) first.push(found);
        else if (!first[at]?.every((data, i) => sameBits(data, found[i] as TypedArray))) {
          return { run: at, message: 'the repeated runs give other bits' };
        }
      }
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { run: at, message: `${error.stack}` };
  } finally {
    program?.dispose();
  }
}

function compare(found: readonly TypedArray[], expected: readonly Result[]): string | undefined {
  for (const [i, { name, data, tolerance: allowed }] of expected.entries()) {
    const got = found[i] as TypedArray;
    if (got.length !== data.length) return `${name} has ${got.length} elements, not ${data.length}`;
    for (let at = 0; at < data.length; at++) {
      const [a, b] = [got[at] as number, data[at] as number];
      // The sign of a zero may differ: -1 * 0 is -0, but a sum whose only term is -1 * 0 may be 0.
      const fits = Math.abs(a - b) <= allowed;
      if (!fits) return `${name}[${at}] is ${a}, not ${b} (within ${allowed})`;
    }
  }
  return undefined;
}

function sameBits(a: TypedArray, b: TypedArray): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}
