/** Distributes one loop: decides what leaves it, and makes the loop that remains. */

import { Argument, type Leaf } from '../../../graph/leaf.js';
import { finished } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { type IrCarry, IrLoop, slotsOf } from '../../../ir/loop.js';
import {
  type Details,
  type Ref,
  reachableFrom,
  showsAll,
  type Value,
  viewed,
} from '../../../ir/value.js';
import { count, dense, equalLists } from '../../../ir/view.js';
import { loopValue } from '../../../primitives/scan.js';
import { Rebuilder } from '../rebuild.js';
import { AllSteps, hasAllSteps, isTotal, type Outside } from './steps.js';

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

/** A term of a sum over the steps, or the rows of a result. */
interface Output {
  /** The index of the result. */
  readonly result: number;
  readonly ref: Ref;
}

class Distribution {
  readonly #loop: IrLoop;
  readonly #order: readonly Value[];
  /** The values that no carry needs and that depend on none, and can be computed for all steps at once. */
  readonly #free = new Set<Value>();
  /** The values that contain a product or a sum of rows which may leave the loop. */
  readonly #heavy = new Set<Value>();
  /** The values that are computed in the loop. */
  readonly #inside = new Set<Value>();
  /** Rows and totals that are computed outside. */
  readonly #rows: Output[] = [];
  readonly #totals: Output[] = [];
  /** What the loop still computes. */
  readonly #keptRows: Output[] = [];
  readonly #keptTerms: Output[] = [];
  /** The rows that are computed before the loop. Values of the body read their arguments after it has been rebuilt. */
  readonly #before = new Map<Leaf, Ref>();
  /** The values of which it is decided what the loop stacks for them. */
  readonly #stackedFor = new Set<Value>();
  /** The values that the loop must stack for what is computed outside. */
  readonly #stacked = new Set<Value>();

  constructor(
    private readonly value: Value,
    private readonly operands: readonly Ref[],
    private readonly read: ReadonlySet<number>,
    private readonly build: Builder,
  ) {
    this.#loop = value.details.loop as IrLoop;
    this.#order = reachableFrom(this.#loop.roots);
    this.#classify();
    this.#choose();
  }

  /** The leaf of a carry that is not a sum, by its index among the carries. */
  #carryOf(value: Value): number {
    const { leaf } = value.details;
    return this.#loop.carries.findIndex(
      ({ argument, kept }) => argument === leaf && kept !== 'sum',
    );
  }

  #isSum(value: Value): boolean {
    const { leaf } = value.details;
    return this.#loop.carries.some(({ argument, kept }) => argument === leaf && kept === 'sum');
  }

  #classify(): void {
    for (const value of this.#order) {
      const { kind, args } = value;
      const leaf = kind === 'leaf';
      const free = leaf
        ? this.#carryOf(value) < 0 && !this.#isSum(value)
        : args.length > 0 && hasAllSteps(value) && args.every((arg) => this.#free.has(arg.value));
      if (free) this.#free.add(value);
      const heavy = kind === 'product' || kind === 'columnSum' || kind === 'batch';
      if (heavy || args.some((arg) => this.#heavy.has(arg.value))) this.#heavy.add(value);
    }
  }

  /** Adds a value to those that are computed in the loop, with its operands, apart from those that are moved before it. */
  #keep(value: Value): void {
    const pending = [value];
    for (let next = pending.pop(); next; next = pending.pop()) {
      if (this.#inside.has(next) || this.#isHoisted(next)) continue;
      this.#inside.add(next);
      for (const arg of next.args) pending.push(arg.value);
    }
  }

  /** Whether a value is computed before the loop, as rows. */
  #isHoisted(value: Value): boolean {
    return this.#free.has(value) && this.#heavy.has(value);
  }

  #choose(): void {
    const { roots, carries } = this.#loop;
    for (const [i, carry] of carries.entries())
      if (carry.kept !== 'sum') this.#keep((roots[i] as Ref).value);
    const outputs: { output: Output; total: boolean }[] = [];
    for (const result of this.read) {
      const root = roots[result] as Ref;
      const carry = carries[result];
      if (carry === undefined) outputs.push({ output: { result, ref: root }, total: false });
      else if (carry.kept === 'sum') {
        for (const ref of this.#termsOf(root))
          outputs.push({ output: { result, ref }, total: true });
      }
    }
    // What stays in the loop is decided first, because it need not be computed again outside.
    const leaving = outputs.filter(({ output, total }) => {
      const leaves = total
        ? isTotal(output.ref, (ref) => this.#canLeave(ref.value))
        : this.#free.has(output.ref.value) ||
          (this.#heavy.has(output.ref.value) && this.#canLeave(output.ref.value));
      if (leaves) return true;
      (total ? this.#keptTerms : this.#keptRows).push(output);
      this.#keep(output.ref.value);
      return false;
    });
    for (const { output, total } of leaving) {
      (total ? this.#totals : this.#rows).push(output);
      if (total) this.#stackForTotal(output.ref.value);
      else this.#stackFor(output.ref.value);
    }
    for (const stacked of this.#stacked) this.#keep(stacked);
  }

  /** Returns the terms that a loop adds to a sum in each step. */
  #termsOf(root: Ref): readonly Ref[] {
    const { value } = root;
    if (this.#isSum(value)) return [];
    const isWhole = showsAll(root) && equalLists(root.shape, value.shape);
    const own = value.args.filter((arg) => this.#isSum(arg.value));
    if (value.kind !== 'sum' || !isWhole || own.length !== 1) return [root];
    return value.args.filter((arg) => arg !== own[0]);
  }

  /** Whether a value can be computed outside of the loop, of values that the loop stacks. */
  #canLeave(value: Value): boolean {
    if (this.#isSum(value)) return false;
    if (this.#inside.has(value) || this.#free.has(value) || value.kind === 'leaf') return true;
    if (!this.#heavy.has(value)) return true;
    return hasAllSteps(value) && value.args.every((arg) => this.#canLeave(arg.value));
  }

  /** Stacks what is needed to compute a value outside of the loop. */
  #stackFor(value: Value): void {
    if (this.#stackedFor.has(value) || this.#free.has(value)) return;
    this.#stackedFor.add(value);
    const computed = this.#heavy.has(value) && !this.#inside.has(value);
    if (!computed) this.#stacked.add(value);
    else for (const arg of value.args) this.#stackFor(arg.value);
  }

  #stackForTotal({ kind, args }: Value): void {
    const operands = kind === 'product' || kind === 'columnSum';
    for (const arg of args) {
      if (operands) this.#stackFor(arg.value);
      else this.#stackForTotal(arg.value);
    }
  }

  done(): Distributed {
    const { build, value } = this;
    const loop = this.#loop;
    const { carries, roots, count: steps, reverse } = loop;
    const first = loop.initials.length;
    const before = new AllSteps(build, steps, (one) => this.#leafOutside(one));

    // The values that are computed before the loop become rows of it.
    const hoisted = new Map<Value, Argument>();
    const rows: { argument: Argument; ref: Ref }[] = loop.rows.map((argument, i) => ({
      argument,
      ref: this.operands[first + i] as Ref,
    }));
    for (const one of this.#order) {
      if (!this.#isHoisted(one) || !this.#isReadInside(one)) continue;
      build.fire('distribute: before a loop');
      const argument = new Argument('rows', one.shape, one.dtype, 'a loop');
      hoisted.set(one, argument);
      const ref = before.rows(one.whole);
      this.#before.set(argument, ref);
      rows.push({ argument, ref });
    }

    // The results of the loop that remains: carries, sums, rows, and values that are stacked.
    const stacked = [...this.#stacked];
    const remains = carries.map(
      (carry, i) => carry.kept === 'all' || stacked.some((one) => this.#carryOf(one) === i),
    );
    const kept: { carry: IrCarry; root: Ref; old: number }[] = [];
    for (const [i, carry] of carries.entries()) {
      if (carry.kept !== 'sum') {
        const own: IrCarry = remains[i] ? { ...carry, kept: 'all' } : carry;
        kept.push({ carry: own, root: roots[i] as Ref, old: i });
        continue;
      }
      const terms = this.#keptTerms.filter(({ result }) => result === i).map(({ ref }) => ref);
      if (terms.length === 0) continue;
      const { dtype, node } = (roots[i] as Ref).value;
      const { shape } = roots[i] as Ref;
      const sum = loop.build.leaf(carry.argument, shape);
      kept.push({ carry, root: loop.build.sum(dtype, shape, [sum, ...terms], node), old: i });
    }
    const stacks = [
      ...this.#keptRows.map(({ ref }) => ref),
      ...stacked.filter((one) => this.#carryOf(one) < 0).map((one) => one.whole),
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
      const carry = this.#carryOf(one);
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
    for (const [i, { result }] of this.#keptRows.entries())
      found.set(result, resultAt(kept.length + i));
    this.#addMoved(found, after);
    return { loop: ref, results: found };
  }

  /** Adds the results that are computed outside. */
  #addMoved(found: Map<number, Ref>, all: AllSteps): void {
    const { build } = this;
    for (const { result, ref } of this.#rows) {
      build.fire('distribute: after a loop');
      found.set(result, all.rows(ref));
    }
    const terms = new Map<number, Ref[]>();
    for (const { result, ref } of this.#totals) {
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

  /** Whether a value that remains in the loop reads this one. */
  #isReadInside(value: Value): boolean {
    for (const one of this.#inside) {
      if (one.args.some((arg) => arg.value === value)) return true;
    }
    const isRoot = ({ ref }: Output) => ref.value === value;
    return (
      this.#keptRows.some(isRoot) ||
      this.#keptTerms.some(isRoot) ||
      this.#loop.carries.some(
        (carry, i) => carry.kept !== 'sum' && this.#loop.roots[i]?.value === value,
      )
    );
  }
}
