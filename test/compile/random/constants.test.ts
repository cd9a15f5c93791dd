// Compiles random graphs with and without the option `constants`, and compares the bits of all results, also after the
// variables of `constants` have been set.
import { expect, it } from 'vitest';
import { Program } from '../../../src/compile/program.js';
import type { TypedArray } from '../../../src/tensor/dtype.js';
import { type Case, drawCase } from './cases.js';
import type { Numbers } from './draft.js';

/** What a case has shown. */
interface Shown {
  /** The first difference; undefined if there is none. */
  readonly wrong: string | undefined;
  /** The number of instructions that ran only once, in all bindings of the dimension names. */
  readonly once: number;
  /** The number of runs in which these instructions ran. */
  readonly computed: number;
}

/** Compiles a case with all variables that it does not update as constants, and runs it beside the plain program. */
function compared({ outputs, updates, variables, initial, runs }: Case, threads: number): Shown {
  const written = new Set(updates.map(([leaf]) => leaf));
  const constants = variables.filter((leaf) => !written.has(leaf));
  const plain = new Program({ outputs, updates, threads });
  const kept = new Program({ outputs, updates, threads, constants: { all: [constants] } });
  const read = () => variables.map(({ value }) => value.data.slice());
  const write = (values: readonly TypedArray[]) => {
    for (const [i, leaf] of variables.entries()) {
      const value = values[i] as TypedArray;
      const same = leaf.value.data.every((element, at) => Object.is(element, value[at]));
      if (!same) leaf.set(value);
    }
  };
  let once = 0;
  let computed = 0;
  let wrong: string | undefined;
  try {
    // The reversed elements of a constant are in range if they are indices.
    const reversed = variables.map((leaf, i) => {
      const value = initial[i] as TypedArray;
      return written.has(leaf) ? value : value.slice().reverse();
    });
    for (const start of [initial, reversed, reversed, initial]) {
      write(start);
      for (const { feeds } of runs) {
        const before = read();
        const results = plain.run(feeds);
        const after = read();
        write(before);
        const runs = kept.runs;
        const rows = kept.profile(feeds);
        kept.runs = runs;
        write(before);
        const found = kept.run(feeds);
        const rerun = rows.filter((row) => row.once && row.executions > 0).length;
        computed += rerun > 0 ? 1 : 0;
        once = Math.max(once, kept.stats().onceInstructions);
        for (const [name, { data }] of Object.entries(results)) {
          const other = found[name]?.data as TypedArray;
          if (!data.every((value, at) => Object.is(value, other[at]))) wrong ??= name;
        }
        read().forEach((data, i) => {
          const other = after[i] as TypedArray;
          if (!data.every((value, at) => Object.is(value, other[at]))) wrong ??= `${variables[i]}`;
        });
      }
    }
  } finally {
    plain.dispose();
    kept.dispose();
  }
  return { wrong, once, computed };
}

const families: readonly Numbers[] = [
  { exact: true, dtype: 'float32', scale: 1 },
  { exact: false, dtype: 'float64', scale: 1 },
  { exact: false, dtype: 'float32', scale: 1 },
];

it.each(families)('400 random graphs have the same bits with constants: %o', (numbers) => {
  const failures: string[] = [];
  let once = 0;
  let computed = 0;
  let programs = 0;
  for (let seed = 5_000_000; seed < 5_000_400; seed++) {
    const shown = compared(drawCase(seed, numbers), seed % 8 === 0 ? 2 : 1);
    if (shown.wrong !== undefined) failures.push(`${seed}: ${shown.wrong}`);
    if (shown.once > 0) programs++;
    once += shown.once;
    computed += shown.computed;
  }
  expect(failures).toEqual([]);
  expect(programs).toBeGreaterThan(100);
  expect(once).toBeGreaterThan(programs);
  expect(computed).toBeGreaterThan(programs);
});
