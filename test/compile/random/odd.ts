/**
 * Runs random graphs on odd values, such as NaN and infinities. The program and the interpreter must agree on which
 * elements become NaN or infinite.
 */

import { Program } from '../../../src/compile/program.js';
import { Interpreter } from '../../../src/evaluate/interpreter.js';
import { Tensor } from '../../../src/index.js';
import type { TypedArray } from '../../../src/tensor/dtype.js';
import { drawCase } from './cases.js';
import type { Numbers } from './draft.js';
import { Draws } from './draws.js';
import { isFloats } from './sizes.js';

/**
 * Draws the case of a seed, replaces some of its numbers by the numbers in `odd`, and runs it. Returns a message with
 * the first difference between the program and the interpreter; undefined if there is none.
 */
export function oddDifference(
  seed: number,
  numbers: Numbers,
  odd: readonly number[],
): string | undefined {
  const made = drawCase(seed, numbers);
  const draws = new Draws(seed + 7);
  const share = draws.pick([0.02, 0.1, 0.4]);
  const replaced = <T extends TypedArray>(data: T): T => {
    const copy = data.slice() as T;
    if (!isFloats(copy)) return copy;
    for (let i = 0; i < copy.length; i++) if (draws.chance(share)) copy[i] = draws.pick(odd);
    return copy;
  };
  const initial = made.variables.map((_, i) => replaced(made.initial[i] as TypedArray));
  const runs = made.runs.map((run) => ({
    ...run,
    feeds: Object.fromEntries(
      Object.entries(run.feeds).map(([name, { data, shape, dtype }]) => [
        name,
        new Tensor(replaced(data), shape, dtype),
      ]),
    ),
  }));
  const { outputs, updates, variables } = made;
  const names = Object.keys(outputs);
  const results = (run: (feeds: Record<string, Tensor>, index: number) => Tensor[]) => {
    variables.forEach(({ value }, i) => {
      value.data.set(initial[i] as TypedArray);
    });
    return runs.map(({ feeds }, index) => [
      ...run(feeds, index).map(({ data }) => data),
      ...variables.map(({ value }) => value.data.slice()),
    ]);
  };
  const interpreter = new Interpreter(Object.values(outputs), updates);
  const expected = results((feeds, index) => interpreter.run(feeds, index));
  const program = new Program({ outputs, updates });
  const found = results((feeds) => {
    const all = program.run(feeds);
    return names.map((name) => all[name] as Tensor);
  });
  program.dispose();
  const labels = [...names, ...variables.map(String)];
  for (let run = 0; run < runs.length; run++) {
    for (let i = 0; i < labels.length; i++) {
      const message = compare(found[run]?.[i] as TypedArray, expected[run]?.[i] as TypedArray);
      if (message) return `seed ${seed}, run ${run}: ${labels[i]}${message}`;
    }
  }
  return undefined;
}

function compare(found: TypedArray, expected: TypedArray): string | undefined {
  for (let at = 0; at < expected.length; at++) {
    const [a, b] = [found[at] as number, expected[at] as number];
    // The sign of a zero may differ: -0 as the only term of a sum stays -0, but 0 + -0 is 0. Rounding may differ, too:
    // a subnormal number that is added to 1 is lost.
    const near = Number.isFinite(b) && Math.abs(a - b) <= 1e-11 * Math.max(1, Math.abs(b));
    const fits = a === b || near || (Number.isNaN(a) && Number.isNaN(b));
    if (!fits) return `[${at}] is ${a} in the program, ${b} in the interpreter`;
  }
  return undefined;
}
