/**
 * Runs random graphs on odd values, such as NaN and infinities. The program and the interpreter must agree on which
 * elements become NaN or infinite.
 */

import { Program } from '../../../src/compile/program.js';
import { Interpreter } from '../../../src/evaluate/interpreter.js';
import { executionOrder, expansionOf } from '../../../src/evaluate/lowered.js';
import { resultIn, resultsOf } from '../../../src/graph/results.js';
import { type Node, Tensor } from '../../../src/index.js';
import { kernelFacts } from '../../../src/native/addon.js';
import { isFloating, type TypedArray } from '../../../src/tensor/dtype.js';
import { drawCase } from './cases.js';
import type { Numbers } from './draft.js';
import { Draws } from './draws.js';
import { isFloats } from './sizes.js';

/**
 * Draws the case of a seed, replaces some of its numbers by the numbers in `odd`, and runs it. Returns a message with
 * the first difference between the program and the interpreter; 'equal' if there is none; 'unclear' if the results
 * depend on the order of additions (see `jumps`).
 */
export function oddDifference(seed: number, numbers: Numbers, odd: readonly number[]): string {
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
  const roots = [...Object.values(outputs), ...updates.map(([, value]) => value)];
  const order = executionOrder(roots).filter((node) => !resultsOf(node));
  const interpreter = new Interpreter(order, updates);
  const wanted = Object.values(outputs).map((node) => order.indexOf(node));
  const rounded = new Set<Node>();
  let unclear = false;
  const expected = results((feeds, index) => {
    const values = interpreter.run(feeds, index);
    unclear ||= jumps(order, values, rounded);
    for (const [leaf, value] of updates) if (rounded.has(value)) rounded.add(leaf);
    return wanted.map((at) => values[at] as Tensor);
  });
  if (unclear) return 'unclear';
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
  return 'equal';
}

const isTiny = (value: number) => value !== 0 && Math.abs(value) < 1e-30;
const isOrdinary = (value: number) => Number.isFinite(value) && Math.abs(value) >= 1e-30;

/** Whether a node adds elements. */
function adds({ op: { lowering } }: Node): boolean {
  switch (lowering.kind) {
    case 'map':
      return lowering.kernel === 'add' || lowering.kernel === 'sub';
    case 'reduce':
      return lowering.kernel === 'sum';
    case 'place':
      return lowering.accumulate;
    default:
      return ['accumulate', 'product', 'routine', 'convolution'].includes(lowering.kind);
  }
}

/** Whether a small change of a finite operand can change the result of a node by any amount, or make it NaN. */
function isJump(node: Node, inputs: readonly TypedArray[]): boolean {
  const { lowering } = node.op;
  const isInfinite = inputs.some((data) => data.some((value) => !Number.isFinite(value)));
  // 0 times infinity is NaN, but a subnormal number times infinity is infinite.
  if (lowering.kind === 'product' || lowering.kind === 'convolution') return isInfinite;
  if (lowering.kind === 'map') {
    const kernels = ['sign', 'floor', 'div', 'pow', 'log', 'log1p', 'sqrt', 'rsqrt'];
    const compares = kernelFacts('map', lowering.kernel).form === 'compares';
    return (
      compares || kernels.includes(lowering.kernel) || (lowering.kernel === 'mul' && isInfinite)
    );
  }
  if (lowering.kind === 'reduce') return lowering.kernel === 'argmax';
  return lowering.kind === 'routine' || (lowering.kind === 'cast' && !isFloating(node.dtype));
}

/**
 * Returns whether a node that jumps reads a rounded sum. If a subnormal number is added to 1, it is lost. Programs add in
 * another order than the interpreter: 1 + 1e-310 - 1 is 0, but 1 - 1 + 1e-310 is greater than 0. So such graphs have
 * different, equally right results.
 * @param rounded the nodes that depend on a sum of subnormal and larger numbers, to which this function adds
 */
function jumps(order: readonly Node[], values: readonly Tensor[], rounded: Set<Node>): boolean {
  const data = new Map(order.map((node, i) => [node, (values[i] as Tensor).data]));
  for (const node of order) {
    const expansion = expansionOf(node);
    if (expansion) {
      if (rounded.has(expansion)) rounded.add(node);
      continue;
    }
    // For one of several results, the op that has them computes it from its inputs.
    const computed = resultIn(node)?.several ?? node;
    const inputs = computed.inputs.map((input) => data.get(input) as TypedArray);
    const isRounded = computed.inputs.some((input) => rounded.has(input));
    if (isRounded && isJump(computed, inputs)) return true;
    const has = (test: (value: number) => boolean) =>
      inputs.some((input) => isFloats(input) && input.some(test));
    if (isRounded || (adds(computed) && has(isTiny) && has(isOrdinary))) rounded.add(node);
  }
  return false;
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
