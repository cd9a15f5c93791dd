// Tests the rules of the pass "simplify". Each rule has a sample to which it is applied, and programs must compute the
// same with every rule, without one of them, and without any.
import { expect, it } from 'vitest';
import { rules } from '../../src/compile/passes/simplify/rules.js';
import { specialise } from '../../src/compile/specialise.js';
import { Part } from '../../src/graph/op.js';
import {
  add,
  broadcastTo,
  concat,
  constant,
  div,
  exp,
  greater,
  input,
  matmul,
  max,
  mul,
  type Node,
  neg,
  reshape,
  scatterAdd,
  slice,
  square,
  sub,
  sum,
  tanh,
  tensor,
  where,
} from '../../src/index.js';
import { noRules, type Rule, type Rules, without } from '../../src/ir/rule.js';
import { assemble } from '../../src/ops/windows.js';
import { drawCase } from './random/cases.js';
import { difference } from './random/differ.js';
import { lowered, weight } from './support.js';

const x = input('x', [4, 3]);
const y = input('y', [4, 2]);
const w = weight('w', [5, 4]);
const zeros = broadcastTo(constant(0), [4, 5]);
const gaps = assemble([5, 3], [new Part(tanh(x), [1, 0])]);

/** For each rule, by its name, a graph to which it is applied. */
const samples: Readonly<Record<string, Node>> = {
  'constant folding': mul(x, mul(constant(3), 2)),
  'factor or divisor of 1': div(mul(1, mul(x, 1)), 1),
  'zero subtrahend': sub(x, 0),
  'double negation': neg(neg(x)),
  'two factors': mul(3, mul(2, x)),
  'broadcast mask': where(greater(x, 0), input('z', [2, 4, 3]), 1),
  'repeated map': tanh(broadcastTo(slice(x, { axis: 0, start: 0, end: 1 }), [4, 3])),
  'zero term': add(x, 0),
  'sum of one term': add(x, 0),
  'sum of numbers': mul(x, add(2, 3)),
  'sum of assembled values': add(concat([tanh(x), y], 1), concat([exp(x), square(y)], 1)),
  'zero product': matmul(zeros, w),
  'product of a concat along K': matmul(concat([x, y], 1), w),
  'product of a concat along M': matmul(concat([x, y], 1), x, { transposeA: true }),
  'product of a concat along N': matmul(w, concat([tanh(x), y], 1)),
  'reduction of one element': max(slice(x, { axis: 1, start: 0, end: 1 }), [1]),
  'column sums of zeros': sum(zeros, [0]),
  'zero block': assemble(
    [5, 3],
    [new Part(tanh(x), [1, 0]), new Part(broadcastTo(constant(0), [1, 3]), [0, 0])],
  ),
  'nested assemble': concat([concat([tanh(x), y], 1), exp(y)], 1),
  'assembled value is a view': concat(
    [slice(w, { axis: 0, start: 0, end: 2 }), slice(w, { axis: 0, start: 2 })],
    0,
  ),
  'repeated updates': scatterAdd(
    w,
    constant(tensor([0, 4, 1, 1, 2, 3, -1, 0], { dtype: 'int32' })),
    reshape(broadcastTo(reshape(tanh(input('rows', [4, 4])), [4, 1, 4]), [4, 2, 4]), [8, 4]),
  ),
  'view of a block': slice(concat([tanh(x), y], 1), { axis: 1, start: 1, end: 3 }),
  'view of a gap': slice(gaps, { axis: 0, start: 0, end: 1 }),
};

const all: readonly Rule<never>[] = [...Object.values(rules.values).flat(), ...rules.views];
const distinct = [...new Set(all)];

it('each rule has a sample to which it is applied, and says what it does', () => {
  expect(distinct.map(({ name }) => name.replace('simplify: ', '')).sort()).toEqual(
    Object.keys(samples).sort(),
  );
  const notApplied = Object.entries(samples).filter(([name, node]) => {
    const { fired } = lowered([node]);
    return !fired.has(`simplify: ${name}`);
  });
  expect(notApplied.map(([name]) => name)).toEqual([]);
  for (const { name, matches, gives, exact } of distinct) {
    expect([name, matches, gives, exact].every((text) => text.length > 0)).toBe(true);
  }
});

/** Returns why programs that are compiled with these rules differ from the interpreter; undefined if they do not. */
function wrong(allowed: Rules, seeds: readonly number[]): string | undefined {
  const passes: typeof specialise = (outputs, updates, bindings, constants, fired) =>
    specialise(outputs, updates, bindings, constants, fired, allowed);
  for (const seed of seeds) {
    const exact = seed % 2 === 0;
    const found = difference(drawCase(seed, { exact, dtype: 'float64', scale: 1 }), { passes });
    if (found) return `graph ${seed}: ${found.message}`;
  }
  return undefined;
}

const seeds = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

it('programs compute the same without rules', () => {
  expect(wrong(noRules, seeds(0, 100))).toBeUndefined();
});

it('programs compute the same without any one of the rules', () => {
  const failures = distinct.map((rule, i) => {
    const found = wrong(without(rules, [rule]), seeds(1000 + 10 * i, 10));
    return found && `without '${rule.name}': ${found}`;
  });
  expect(failures.filter(Boolean)).toEqual([]);
});
