// Tests the units of merged values on random graphs: their ranks, and their topological order after merges.
import { describe, expect, it } from 'vitest';
import { Units } from '../../src/compile/passes/share/units.js';
import { finished, Pace } from '../../src/graph/sliced.js';
import { constant } from '../../src/index.js';
import { Builder } from '../../src/ir/builder.js';
import { noRules } from '../../src/ir/rule.js';
import type { Ref, Value } from '../../src/ir/value.js';

/** Returns a function that returns random whole numbers from 0 to `below` - 1. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Returns the values of a random graph. Each value follows its operands, and the first value is a leaf. */
function randomValues(count: number, random: (below: number) => number): Value[] {
  const build = new Builder(noRules);
  const values = [build.leaf(constant(1), []).value];
  while (values.length < count) {
    const operands: Ref[] = [];
    // Operands are near, so that the graph is deep.
    for (let i = 0; i <= random(3); i++) {
      operands.push((values[Math.max(0, values.length - 1 - random(12))] as Value).whole);
    }
    const { value } = build.value({
      kind: 'map',
      dtype: 'float32',
      shape: [],
      args: operands,
      details: { kernel: `k${values.length}` },
      node: undefined,
    });
    values.push(value);
  }
  return values;
}

/** Returns the units on which each unit of the values depends. */
function edges(values: readonly Value[], units: Units): Map<number, Set<number>> {
  const below = new Map<number, Set<number>>();
  for (const value of values) {
    const unit = units.unitOf(value);
    const found = below.get(unit) ?? new Set();
    for (const { value: operand } of value.args) found.add(units.unitOf(operand));
    below.set(unit, found);
  }
  return below;
}

/** Returns the largest number of counted units on a path that ends at the unit, found by trying all paths. */
function depthOf(
  unit: number,
  counted: ReadonlySet<number>,
  below: ReadonlyMap<number, ReadonlySet<number>>,
  known = new Map<number, number>(),
): number {
  const found = known.get(unit);
  if (found !== undefined) return found;
  const under = [...(below.get(unit) ?? [])].map((other) => depthOf(other, counted, below, known));
  const depth = Math.max(0, ...under) + (counted.has(unit) ? 1 : 0);
  known.set(unit, depth);
  return depth;
}

describe.each([1, 2, 3, 4, 5, 6, 7, 8])('the units of random graph %i', (seed) => {
  const random = numbersFrom(seed);
  const values = randomValues(300, random);
  const units = finished(Units.of(values, new Pace()));

  it('have twice their depth as rank, and an order that follows the merges, after each of 20 rounds of merges', () => {
    const merges: Value[][] = [];
    for (let round = 0; round < 20; round++) {
      const chosen = values.filter(() => random(6) === 0);
      const heads = [...new Map(chosen.map((value) => [units.unitOf(value), value])).values()];
      const counted = new Set(heads.map((value) => units.unitOf(value)));
      const ranks = finished(units.ranks(heads));
      const below = edges(values, units);
      const lists = new Map<number, Value[]>();
      for (const value of heads) {
        const unit = units.unitOf(value);
        expect(ranks[unit]).toBe(2 * depthOf(unit, counted, below));
        const rank = ranks[unit] as number;
        lists.set(rank, [...(lists.get(rank) ?? []), value]);
      }
      for (const list of lists.values()) {
        if (list.length < 2 || random(2) === 0) continue;
        units.merge(list);
        merges.push(list);
      }
      // Two units that do not depend on one another can be merged, although they may have different ranks.
      const pair = [0, 1].map(() => values[random(values.length)] as Value);
      const [a, b] = pair.map((value) => units.unitOf(value)) as [number, number];
      const now = edges(values, units);
      if (depthOf(a, new Set([b]), now) > 0 || depthOf(b, new Set([a]), now) > 0) continue;
      units.merge(pair);
      merges.push(pair);
    }
    const order = [...finished(units.topological())];
    expect(order.toSorted((a, b) => a - b)).toEqual(
      [...new Set(values.map((value) => units.unitOf(value)))].sort((a, b) => a - b),
    );
    const place = new Map(order.map((unit, at) => [unit, at]));
    for (const [unit, under] of edges(values, units)) {
      for (const other of under) {
        expect(place.get(other)).toBeLessThan(place.get(unit) as number);
      }
    }
    // The order depends only on the merges, not on the ranks that were computed before.
    const unranked = finished(Units.of(values, new Pace()));
    for (const list of merges) unranked.merge(list);
    expect(order).toEqual([...finished(unranked.topological())]);
  });
});
