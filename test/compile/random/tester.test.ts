// Tests `difference`, which compares programs with the interpreter: it must find programs that are slightly wrong.
import { expect, test } from 'vitest';
import { specialise } from '../../../src/compile/specialise.js';
import { executionOrder } from '../../../src/evaluate/lowered.js';
import { mul, type Node, type Updates } from '../../../src/index.js';
import { kernelId, load } from '../../../src/native/addon.js';
import { positionsOf } from '../support.js';
import { drawCase } from './cases.js';
import { difference } from './differ.js';
import type { Numbers } from './draft.js';
import { Draws } from './draws.js';
import { drawGraph } from './graph.js';

const exact: Numbers = { exact: true, dtype: 'float32', scale: 1 };
const general: Numbers = { exact: false, dtype: 'float64', scale: 1 };

/**
 * Compiles random cases with a compiler that is made wrong on purpose, until it has changed `wanted` programs. Returns
 * for which share of these `difference` finds a difference.
 * @throws Error if the compiler changes less than one program in `most`
 */
function seen(
  numbers: Numbers,
  wanted: number,
  most: number,
  wrong: (passes: typeof specialise) => Wrong,
): number {
  let [changed, differing] = [0, 0];
  for (let seed = 0; changed < wanted; seed++) {
    if (seed === wanted * most) throw new Error(`${changed} of ${seed} programs are changed`);
    const { passes, hasChanged } = wrong(specialise);
    const found = difference(drawCase(seed, numbers), { passes });
    if (!hasChanged()) continue;
    changed++;
    if (found) differing++;
  }
  return differing / changed;
}

interface Wrong {
  readonly passes: typeof specialise;
  readonly hasChanged: () => boolean;
}

/**
 * Returns a wrong compiler, which calls `change` on the code of each program. `change` modifies the code at one
 * position and returns true, or returns false if the code has no suitable position.
 */
function recoded(change: (code: Float64Array) => boolean): (passes: typeof specialise) => Wrong {
  return (passes) => {
    let changed = false;
    return {
      passes: (...args) => {
        const encoded = passes(...args);
        if (change(encoded.code)) changed = true;
        return encoded;
      },
      hasChanged: () => changed,
    };
  };
}

/** Yields the position of each element-wise operation in the code of a program. */
function* steps(code: Float64Array): Generator<number> {
  for (const at of positionsOf(code)) {
    if (code[at] !== 1) continue;
    const [loads, count] = [code[at + 5] as number, code[at + 6] as number];
    for (let i = 0; i < count; i++) yield at + 9 + 2 * loads + 6 * i;
  }
}

const kernel = (name: string) => kernelId('map', name);

test('finds a subtraction whose operands are exchanged', () => {
  const wrong = recoded((code) => {
    for (const at of steps(code)) {
      const [left, right] = [code[at + 3] as number, code[at + 4] as number];
      if (code[at] !== kernel('sub') || left === right) continue;
      code[at + 3] = right;
      code[at + 4] = left;
      return true;
    }
    return false;
  });
  const share = seen(exact, 30, 20, wrong);
  // Some exchanges of operands do not change the results: the subtraction gives 0, or its result is multiplied by 0 or
  // squared.
  expect(share).toBeGreaterThan(0.5);
});

test('finds an addition that replaces a multiplication', () => {
  const wrong = recoded((code) => {
    for (const at of steps(code)) {
      if (code[at] !== kernel('mul')) continue;
      code[at] = kernel('add');
      return true;
    }
    return false;
  });
  const share = seen(general, 100, 5, wrong);
  expect(share).toBeGreaterThan(0.8);
});

test('finds a product that is not added to the value in its output', () => {
  const accumulates = 6;
  const wrong = recoded((code) => {
    for (const at of positionsOf(code)) {
      const isProduct = code[at] === 2 || code[at] === 4;
      if (!isProduct || code[at + accumulates] !== 1) continue;
      code[at + accumulates] = 0;
      return true;
    }
    return false;
  });
  const share = seen(general, 30, 100, wrong);
  expect(share).toBeGreaterThan(0.8);
});

/** Returns a wrong compiler, which multiplies all floating-point results by a factor. */
const scaledBy =
  (factor: number) =>
  (passes: typeof specialise): Wrong => ({
    passes: (outputs, updates, bindings, fired) => {
      const scaled = (node: Node) => (node.dtype === 'int32' ? node : mul(node, factor));
      const pairs: Updates = updates.map(([leaf, value]) => [leaf, scaled(value)] as const);
      return passes(outputs.map(scaled), pairs, bindings, fired);
    },
    hasChanged: () => true,
  });

test('finds a relative error of 1e-9 in float64 and of 1e-3 in float32', () => {
  expect(seen(general, 200, 1, scaledBy(1 + 1e-9))).toBeGreaterThan(0.8);
  const single: Numbers = { exact: false, dtype: 'float32', scale: 1 };
  expect(seen(single, 200, 1, scaledBy(1 + 1e-3))).toBeGreaterThan(0.8);
});

test('the random graphs call every routine', () => {
  const called = new Set<string>();
  for (let seed = 0; seed < 2000; seed++) {
    const { outputs, updates } = drawGraph(new Draws(seed), seed % 2 ? exact : general);
    const roots = [...Object.values(outputs), ...updates.map(([, value]) => value)];
    for (const { op } of executionOrder(roots)) {
      const { lowering } = op;
      if (lowering.kind === 'routine') called.add(lowering.routine);
      if (lowering.kind === 'convolution') {
        for (const routine of convolutionRoutines[lowering.computes]) called.add(routine);
      }
    }
  }
  // The compiler makes it of gather and sum. The shards require that this rewrite is applied often.
  called.add('gatherSum');
  expect([...called].sort()).toEqual([...load().routines.keys()].sort());
});

/** The routines that compute each kind of convolution. */
const convolutionRoutines = {
  y: ['conv', 'convPack'],
  x: ['convInputGradient', 'convPackGradient'],
  weight: ['convWeightGradient'],
} as const;
