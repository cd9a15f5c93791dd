/**
 * Simplify. Most of it is rules, which replace one value or view by a simpler one. `rules.ts` lists them, and the builder
 * applies them while any pass makes values. The two steps in this file need more than one value and its operands: they
 * must know all uses of a value. They compute only the slices of sums and products that are read, and flatten sums.
 * Values that are not read are dropped.
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { narrow, type Ref, showsAll, Uses, type Value } from '../../../ir/value.js';
import { type Box, boxOf, equalLists, rebase } from '../../../ir/view.js';
import { Rebuilder } from '../rebuild.js';

export function* simplify(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  return yield* flattenSums(yield* narrowProducts(roots, build), build);
}

type Range = readonly [start: number, end: number];

/**
 * If only separate ranges of the columns of a sum or product are read, replaces this value by several sums or products:
 * one for each range.
 */
function* narrowProducts(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  const uses = yield* Uses.of(order, roots, build.pace);
  const split = new Map<Value, readonly Range[]>();
  for (let i = order.length - 1; i >= 0; i--) {
    const value = order[i] as Value;
    if (build.pace.due()) yield;
    if ((value.kind !== 'sum' && value.kind !== 'product') || value.shape.length !== 2) continue;
    if (build.pace.due(uses.count(value))) yield;
    const ranges = readRanges(value, uses, split);
    if (ranges) split.set(value, ranges);
  }
  if (split.size === 0) return [...roots];

  const pieces = new Map<Value, readonly Ref[]>();
  const piece = (value: Value, [start, end]: Range): Ref => {
    if (value.kind === 'product') {
      const [a, b] = value.args as readonly [Ref, Ref];
      return build.product(rebuilder.ref(a), rebuilder.ref(narrow(b, 1, start, end)), value.node);
    }
    const terms = value.args.map((arg) => rebuilder.ref(narrow(arg, 1, start, end)));
    return build.sum(value.dtype, [value.shape[0] as number, end - start], terms, value.node);
  };
  const rebuilder: Rebuilder = new Rebuilder(
    build,
    (value) => {
      const ranges = split.get(value);
      if (!ranges) return undefined;
      build.fire('simplify: slice through a sum or product');
      const made = ranges.map((range) => piece(value, range));
      pieces.set(value, made);
      return made[0]; // This is never read, because every use reads one of the pieces.
    },
    (ref) => {
      const ranges = split.get(ref.value);
      const box = ranges && (boxOf(ref, ref.value.shape) as Box);
      if (!ranges || !box) return undefined;
      const within = ([start, end]: Range) =>
        start <= (box.start[1] as number) && (box.end[1] as number) <= end;
      const index = ranges.findIndex(within);
      const made = (pieces.get(ref.value) as readonly Ref[])[index] as Ref;
      const view = rebase(ref, box, [0, (ranges[index] as Range)[0]], made.shape);
      return build.through(view, made, ref.value.node);
    },
  );
  return yield* rebuilder.run(roots, order);
}

/**
 * Returns the distinct ranges of the columns of a matrix that its uses read. Returns undefined if two ranges overlap, or
 * if a use reads all columns. `split` has the readers that will be replaced, with their ranges: a split sum reads only
 * the same ranges of its operands.
 */
function readRanges(
  value: Value,
  uses: Uses,
  split: ReadonlyMap<Value, readonly Range[]>,
): Range[] | undefined {
  const [, columns] = value.shape as readonly [number, number];
  let ranges: Map<string, Range> | undefined;
  for (let i = 0; i < uses.count(value); i++) {
    const { reader, ref } = uses.at(value, i);
    const narrowed = reader && split.get(reader);
    const isNarrowed = narrowed !== undefined && reader?.kind === 'sum';
    if (!isNarrowed && showsAll(ref)) return undefined;
    const shown = isNarrowed ? narrowed.map(([start, end]) => narrow(ref, 1, start, end)) : [ref];
    for (const part of shown) {
      const box = boxOf(part, value.shape);
      if (!box) return undefined;
      const range: Range = [box.start[1] as number, box.end[1] as number];
      if (range[1] - range[0] === columns) return undefined;
      ranges ??= new Map();
      ranges.set(range.join(), range);
    }
  }
  if (!ranges) return undefined;
  const sorted = [...ranges.values()].sort((a, b) => a[0] - b[0]);
  const apart = sorted.every(([start], i) => i === 0 || start >= (sorted[i - 1] as Range)[1]);
  return apart ? sorted : undefined;
}

/** Merges each sum into the sum that reads it, if there is no other use and this use reads the whole sum. */
function* flattenSums(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const { pace } = build;
  const order = yield* build.valuesOf(roots);
  const uses = yield* Uses.of(order, roots, pace);
  const isInlined = ({ value, shape }: Ref): boolean => {
    if (value.kind !== 'sum' || uses.count(value) !== 1) return false;
    const { reader, ref } = uses.at(value, 0);
    return reader?.kind === 'sum' && showsAll(ref) && equalLists(shape, value.shape);
  };
  const assembled = new Map<Value, readonly Ref[]>();
  for (let i = 0; i < order.length; i++) {
    const value = order[i] as Value;
    if (pace.due(value.args.length)) yield;
    // The reader of a sum takes over its terms. Such a sum is not changed, because changing every sum of a chain would
    // take quadratic time.
    if (value.kind !== 'sum' || isInlined(value.whole) || !value.args.some(isInlined)) continue;
    build.fire('simplify: sum of a sum');
    const terms: Ref[] = [];
    const pending = [...value.args].reverse();
    for (let ref = pending.pop(); ref; ref = pending.pop()) {
      if (!isInlined(ref)) terms.push(ref);
      else
        for (let j = ref.value.args.length - 1; j >= 0; j--) pending.push(ref.value.args[j] as Ref);
    }
    // The builder may replace a sum of assembled values by another value.
    if (terms.every((term) => term.value.kind === 'assemble')) assembled.set(value, terms);
    else build.redefine(value, terms);
  }
  if (assembled.size === 0) return [...roots];
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    const terms = assembled.get(value)?.map((term) => rebuilder.ref(term));
    return terms && build.sum(value.dtype, value.shape, terms, value.node);
  });
  return yield* rebuilder.run(roots);
}
