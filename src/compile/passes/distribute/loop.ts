/** Distributes one loop: computes outside what leaves it, and makes the loop that remains. */

import { Argument, type Leaf } from '../../../graph/leaf.js';
import { finished } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { type IrCarry, IrLoop, slotsOf } from '../../../ir/loop.js';
import { type Details, type Ref, reachableFrom, type Value, viewed } from '../../../ir/value.js';
import { count, dense } from '../../../ir/view.js';
import { loopValue } from '../../../primitives/scan.js';
import { Rebuilder } from '../rebuild.js';
import { Leaving } from './leaving.js';
import { AllSteps, type Outside } from './steps.js';

/** The loop that remains, and what has become of the results that are read. */
interface Distributed {
  readonly loop: Ref;
  readonly results: ReadonlyMap<number, Ref>;
}

/**
 * @param value a loop
 * @param operands the operands of the loop that remains
 * @param read the indices of the results that are read
 */
export function distributed(
  value: Value,
  operands: readonly Ref[],
  read: ReadonlySet<number>,
  build: Builder,
): Distributed {
  return new Distribution(value, operands, read, build).done();
}

class Distribution {
  readonly #loop: IrLoop;
  readonly #leaving: Leaving;
  /** The rows that are computed before the loop. Values of the body read their arguments after it has been rebuilt. */
  readonly #before = new Map<Leaf, Ref>();

  constructor(
    private readonly value: Value,
    private readonly operands: readonly Ref[],
    private readonly read: ReadonlySet<number>,
    private readonly build: Builder,
  ) {
    this.#loop = value.details.loop as IrLoop;
    this.#leaving = new Leaving(this.#loop, read, build.target);
  }

  done(): Distributed {
    const { build, value } = this;
    const loop = this.#loop;
    const leaving = this.#leaving;
    const { carries, roots, count: steps, reverse } = loop;
    const first = loop.initials.length;
    const before = new AllSteps(build, steps, (one) => this.#leafOutside(one));

    // The values that are computed before the loop become rows of it.
    const hoisted = new Map<Value, Argument>();
    const rows: { argument: Argument; ref: Ref }[] = loop.rows.map((argument, i) => ({
      argument,
      ref: this.operands[first + i] as Ref,
    }));
    for (const one of leaving.order) {
      if (!leaving.before.has(one)) continue;
      build.fire('distribute: before a loop');
      const argument = new Argument('rows', one.shape, one.dtype, 'a loop');
      hoisted.set(one, argument);
      const ref = before.rows(one.whole);
      this.#before.set(argument, ref);
      rows.push({ argument, ref });
    }

    // The results of the loop that remains: carries, sums, rows, and values that are stacked.
    const stacked = [...leaving.stacked];
    const remains = carries.map(
      (carry, i) => carry.kept === 'all' || stacked.some((one) => leaving.carryOf(one) === i),
    );
    const kept: { carry: IrCarry; root: Ref; old: number }[] = [];
    for (const [i, carry] of carries.entries()) {
      if (carry.kept !== 'sum') {
        const own: IrCarry = remains[i] ? { ...carry, kept: 'all' } : carry;
        kept.push({ carry: own, root: roots[i] as Ref, old: i });
        continue;
      }
      const terms = leaving.keptTerms.filter(({ result }) => result === i).map(({ ref }) => ref);
      if (terms.length === 0) continue;
      const { dtype, node } = (roots[i] as Ref).value;
      const { shape } = roots[i] as Ref;
      const sum = loop.build.leaf(carry.argument, shape);
      kept.push({ carry, root: loop.build.sum(dtype, shape, [sum, ...terms], node), old: i });
    }
    const stacks = [
      ...leaving.keptRows.map(({ ref }) => ref),
      ...stacked.filter((one) => leaving.carryOf(one) < 0).map((one) => one.whole),
    ];
    const newRoots = [...kept.map(({ root }) => root), ...stacks];
    if (newRoots.length === 0) return this.#withoutLoop(before);

    const rebuilder: Rebuilder = new Rebuilder(loop.build, (one) => {
      const argument = hoisted.get(one);
      return argument && loop.build.leaf(argument, one.shape);
    });
    const made = finished(rebuilder.run(newRoots));
    const leaves = new Set(reachableFrom(made).map(({ details: { leaf } }) => leaf));
    const readRows = rows.filter(({ argument }) => leaves.has(argument));
    const captures = loop.captures
      .map((argument, i) => ({ argument, ref: this.operands[first + loop.rows.length + i] as Ref }))
      .filter(({ argument }) => leaves.has(argument));
    const results = newRoots.map(
      ({ value: { dtype }, shape }, i): NonNullable<Details['results']>[number] => {
        const carry = kept[i]?.carry;
        if (carry?.kept === 'sum') return [dtype, ...shape];
        return [dtype, carry ? slotsOf(carry, steps) : steps, ...shape];
      },
    );
    const ref = loopValue(build, {
      kind: 'scan',
      dtype: 'float32',
      shape: [],
      args: [
        ...this.operands.slice(0, first),
        ...readRows.map((row) => row.ref),
        ...captures.map((capture) => capture.ref),
      ],
      details: {
        loop: new IrLoop({
          roots: made,
          build: loop.build,
          count: steps,
          reverse,
          recomputes: loop.recomputes,
          carries: kept.map(({ carry }) => carry),
          rows: readRows.map(({ argument }) => argument),
          captures: captures.map(({ argument }) => argument),
          found: new Map(),
        }),
        results,
      },
      node: value.node,
    });

    const resultAt = (index: number): Ref => {
      const [dtype, ...shape] = results[index] as NonNullable<Details['results']>[number];
      if (count(shape) === 0) return build.filled(0, dtype, shape);
      return build.make({
        kind: 'result',
        dtype,
        shape,
        args: [ref],
        details: { result: index + 1 },
        node: value.node,
      });
    };
    const stackAt = new Map<Value, Ref>();
    stacked.forEach((one) => {
      const carry = leaving.carryOf(one);
      if (carry < 0) {
        stackAt.set(one, resultAt(kept.length + stacks.indexOf(one.whole)));
        return;
      }
      // The row t of the slots begins the step t; in reverse, the row after it does.
      const states = resultAt(kept.findIndex(({ old }) => old === carry));
      const size = count(states.shape) / (steps + 1);
      const shape = [steps, ...states.shape.slice(1)];
      const offset = states.offset + (reverse ? size : 0);
      stackAt.set(one, viewed(states.value, { ...states, offset, shape }));
    });
    const after = new AllSteps(build, steps, (one) => {
      const known = stackAt.get(one);
      return known ? { kind: 'rows', ref: known } : this.#leafOutside(one);
    });
    const found = new Map<number, Ref>();
    kept.forEach(({ carry, old }, i) => {
      if (!this.read.has(old)) return;
      const grown = carry.kept !== carries[old]?.kept;
      found.set(old, grown ? this.#lastOf(resultAt(i)) : resultAt(i));
    });
    for (const [i, { result }] of leaving.keptRows.entries())
      found.set(result, resultAt(kept.length + i));
    this.#addMoved(found, after);
    return { loop: ref, results: found };
  }

  /** Adds the results that are computed outside. */
  #addMoved(found: Map<number, Ref>, all: AllSteps): void {
    const { build } = this;
    for (const { result, ref } of this.#leaving.rows) {
      build.fire('distribute: after a loop');
      found.set(result, all.rows(ref));
    }
    const terms = new Map<number, Ref[]>();
    for (const { result, ref } of this.#leaving.totals) {
      build.fire('distribute: sum over the steps');
      const list = terms.get(result) ?? [];
      terms.set(result, list);
      list.push(all.total(ref) as Ref);
    }
    for (const [result, list] of terms) {
      const kept = found.get(result);
      const { dtype, node } = (this.#loop.roots[result] as Ref).value;
      const { shape } = this.#loop.roots[result] as Ref;
      found.set(result, build.sum(dtype, shape, kept ? [...list, kept] : list, node));
    }
    for (const result of this.read) {
      if (found.has(result)) continue;
      // Nothing is added.
      const { value, shape } = this.#loop.roots[result] as Ref;
      found.set(result, build.filled(0, value.dtype, shape));
    }
  }

  /** Everything is computed outside. */
  #withoutLoop(all: AllSteps): Distributed {
    const found = new Map<number, Ref>();
    this.#addMoved(found, all);
    return { loop: this.build.filled(0, 'float32', []), results: found };
  }

  /**
   * Returns a ref of the shape of two slots, of which the one that the steps wrote last has the last of all values of a
   * carry.
   */
  #lastOf(states: Ref): Ref {
    const { count: steps, reverse } = this.#loop;
    const size = count(states.shape) / (steps + 1);
    const last = reverse ? 0 : steps;
    const shape = [2, ...states.shape.slice(1)];
    const own = dense(shape).strides.slice(1);
    // The value at `last` is that of slot 0 or 1. The other slot gets a neighbour of it.
    const other = last === 0 ? 1 : last - 1;
    const [zero, one] = steps % 2 === 0 ? [last, other] : [other, last];
    return viewed(states.value, {
      offset: states.offset + zero * size,
      shape,
      strides: [(one - zero) * size, ...own],
    });
  }

  #leafOutside(value: Value): Outside | undefined {
    const { leaf } = value.details;
    if (!leaf) return undefined;
    const before = this.#before.get(leaf);
    if (before) return { kind: 'rows', ref: before };
    const loop = this.#loop;
    const first = loop.initials.length;
    const row = loop.rows.indexOf(leaf as Argument);
    if (row >= 0) return { kind: 'rows', ref: this.operands[first + row] as Ref };
    const capture = loop.captures.indexOf(leaf as Argument);
    if (capture >= 0) {
      return { kind: 'same', ref: this.operands[first + loop.rows.length + capture] as Ref };
    }
    return { kind: 'same', ref: this.build.leaf(leaf, value.shape) };
  }
}
