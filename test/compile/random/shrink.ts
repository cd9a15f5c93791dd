/**
 * Finds a small graph for which a test still fails. Removes outputs and updates from the given graph, and replaces
 * nodes by leaves or by their operands, as long as the test fails.
 */

import { executionOrder } from '../../../src/evaluate/lowered.js';
import { createNode } from '../../../src/graph/node.js';
import { resultIn, resultsOf } from '../../../src/graph/results.js';
import {
  compile,
  constant,
  evaluate,
  input,
  Leaf,
  type Node,
  parameter,
  Variable,
} from '../../../src/index.js';
import type { TypedArray } from '../../../src/tensor/dtype.js';
import type { Case } from './cases.js';
import { asCode, feedsOf, rootsOf, type Single } from './code.js';

/** Returns the code of the smallest graph found for which the given run of the case still fails. */
export function shrunken(failing: Case, run: number): string {
  const { variables, initial, runs, outputs, updates, numbers } = failing;
  const before = runs[run - 1];
  variables.forEach(({ value }, i) => {
    value.data.set((before ? before.leaves[i]?.data : initial[i]) as TypedArray);
  });
  const { feeds, bindings } = runs[run] as Case['runs'][number];
  const single = { outputs: Object.values(outputs), updates, feeds, bindings, run };
  // This tolerance is far larger than rounding errors, so that a difference in the smaller graph is not caused by
  // rounding.
  const allowed = numbers.exact ? 0 : numbers.dtype === 'float64' ? 1e-7 : 1e-2;
  return asCode(shrink(single, (other) => isWrong(other, allowed)));
}

/** Returns true if the program gives other results than the interpreter in one run, or if it throws an error. */
function isWrong(single: Single, allowed: number): boolean {
  const { outputs, updates, run } = single;
  const feeds = feedsOf(single);
  const read = executionOrder(rootsOf(single)).filter((node) => node instanceof Variable);
  const variables = [...new Set([...read, ...updates.map(([leaf]) => leaf)])];
  const before = variables.map(({ value }) => value.data.slice());
  const finish = (got: TypedArray[]): TypedArray[] => {
    const after = variables.map(({ value }) => value.data.slice());
    variables.forEach(({ value }, i) => {
      value.data.set(before[i] as TypedArray);
    });
    return [...got, ...after];
  };
  const expected = finish(evaluate(outputs, feeds, { updates, run }).map(({ data }) => data));
  try {
    const names = outputs.map((_, i) => `y${i}`);
    const named = Object.fromEntries(names.map((name, i) => [name, outputs[i] as Node]));
    const program = compile({ outputs: named, updates });
    program.runs = run;
    const got = program.run(feeds);
    program.dispose();
    const found = finish(names.map((name) => got[name]?.data as TypedArray));
    return expected.some((data, i) =>
      data.some((value, at) => {
        return !(Math.abs(value - ((found[i] as TypedArray)[at] as number)) <= allowed);
      }),
    );
  } catch {
    return true;
  }
}

function shrink(single: Single, fails: (single: Single) => boolean): Single {
  let best = single;
  const attempt = (make: () => Single | undefined): boolean => {
    try {
      const next = make();
      if (!next || !fails(next)) return false;
      best = next;
      return true;
    } catch {
      // The interpreter refuses this graph, so it does not show an error of the compiler.
      return false;
    }
  };
  for (const output of single.outputs) attempt(() => ({ ...best, outputs: [output] }));
  for (const pair of single.updates) {
    attempt(() => ({ ...best, updates: best.updates.filter((other) => other !== pair) }));
  }
  attempt(() => ({ ...best, outputs: [] }));
  for (let progress = true; progress; ) {
    progress = false;
    for (const node of executionOrder(rootsOf(best))) {
      if (node instanceof Leaf || resultsOf(node) || !executionOrder(rootsOf(best)).includes(node))
        continue;
      if (attempt(() => withLeaf(best, node)) || attempt(() => withOperand(best, node))) {
        progress = true;
      }
    }
  }
  return best;
}

/** Returns the graph with one node replaced by a leaf with the node's value. */
function withLeaf(single: Single, node: Node): Single | undefined {
  const { feeds, run } = single;
  const name = `cut${node.id}`;
  const value = evaluate(node, feedsOf({ ...single, outputs: [node], updates: [] }), { run });
  if (node.shape.some((dim) => typeof dim !== 'number')) {
    const leaf = input(name, node.shape, { dtype: node.dtype });
    return { ...replaced(single, node, leaf), feeds: { ...feeds, [name]: value } };
  }
  const zeros = value.data.every((element) => element === 0);
  return replaced(single, node, zeros ? constant(value) : parameter(name, value));
}

/**
 * Returns the graph with one node replaced by one of its operands of equal shape and dtype; undefined if the node has
 * no such operand.
 */
function withOperand(single: Single, node: Node): Single | undefined {
  const operand = (resultIn(node)?.several ?? node).inputs.find(
    ({ dtype, shape }) => dtype === node.dtype && shape.join() === node.shape.join(),
  );
  return operand && replaced(single, node, operand);
}

function replaced(single: Single, node: Node, by: Node): Single {
  const rebuilt = new Map<Node, Node>([[node, by]]);
  const rebuild = (old: Node): Node => {
    const known = rebuilt.get(old);
    if (known) return known;
    const inputs = old.inputs.map(rebuild);
    const same = inputs.every((other, i) => other === old.inputs[i]);
    const next = same ? old : createNode(old.op, inputs, old.attributes);
    rebuilt.set(old, next);
    return next;
  };
  return {
    ...single,
    outputs: single.outputs.map(rebuild),
    updates: single.updates.map(([leaf, value]) => [leaf, rebuild(value)] as const),
  };
}
