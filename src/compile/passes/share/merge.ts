/** Rebuilds the values with each set of products as one product of assembled operands. */

import type { Pace, Sliced } from '../../../graph/sliced.js';
import type { Block } from '../../ir/blocks.js';
import type { Builder } from '../../ir/builder.js';
import { Rebuilder } from '../../ir/rebuild.js';
import { Keys } from '../../ir/same.js';
import {
  byId,
  endOf,
  narrow,
  type Ref,
  reachable,
  transposed,
  type Value,
  viewed,
} from '../../ir/value.js';
import type { Columns, Merged, Sharing } from './sets.js';

export function* merge(
  roots: readonly Ref[],
  sharing: Sharing,
  columns: readonly Columns[],
  build: Builder,
): Sliced<Ref[]> {
  const { units } = sharing;
  const setsOf = new Map<number, Columns>();
  for (const group of columns) {
    if (build.pace.due(group.sets.length)) yield;
    const products = group.sets.flatMap((set) => set.products);
    if (products.length > 1) setsOf.set(units.unitOf(products[0] as Value), group);
  }
  const rebuilder = new Rebuilder(build);
  const beside = new Beside();
  for (const unit of yield* units.topological()) {
    const group = setsOf.get(unit);
    if (group) yield* mergeColumns(group, rebuilder, build, beside);
    else yield* rebuilder.values(units.members(unit));
  }
  return yield* mergeColumnSums(
    roots.map((root) => rebuilder.ref(root)),
    beside,
    build,
  );
}

/** The columns of a right operand in the merged right operand `all`. */
interface ColumnRange {
  readonly all: Ref;
  readonly start: number;
  readonly end: number;
}

/** The right operands that have been merged with others, side by side. */
class Beside {
  readonly #keys = new Keys();
  readonly #ranges = new Map<number, ColumnRange>();

  add(right: Ref, range: ColumnRange): void {
    this.#ranges.set(this.#keys.of(right), range);
  }

  rangeOf(right: Ref): ColumnRange | undefined {
    return this.#ranges.get(this.#keys.of(right));
  }
}

function* mergeColumns(
  { sets }: Columns,
  rebuilder: Rebuilder,
  build: Builder,
  beside: Beside,
): Sliced<void> {
  const [first] = sets as readonly [Merged, ...Merged[]];
  function* operands(set: Merged, index: number): Sliced<Ref[]> {
    const refs: Ref[] = [];
    for (const { args } of set.products) {
      const operand = args[index] as Ref;
      yield* rebuilder.values([operand.value]);
      refs.push(rebuilder.ref(operand));
      if (build.pace.due()) yield;
    }
    return refs;
  }
  if (first.products[0]?.kind === 'columnSum') {
    const stacked = sideBySide(yield* operands(first, 0), 0, build);
    sumInto(first.products, build.columnSum(stacked, first.products[0].node), rebuilder, build);
    return;
  }
  const { node } = first.products[0] as Value;
  const along = first.kind === 'rows' ? 0 : 1;
  const left = sideBySide(yield* operands(first, 0), along, build);
  const rights: Ref[] = [];
  for (const set of sets) {
    const own = yield* operands(set, 1);
    rights.push(set.kind === 'rows' ? (own[0] as Ref) : sideBySide(own, 0, build));
  }
  const right = sideBySide(rights, 1, build);
  const product = build.product(left, right, node);
  let column = 0;
  for (const [j, set] of sets.entries()) {
    const end = column + ((rights[j] as Ref).shape[1] as number);
    const region = sets.length > 1 ? narrow(product, 1, column, end) : product;
    if (sets.length > 1) beside.add(rights[j] as Ref, { all: right, start: column, end });
    column = end;
    if (set.kind === 'terms') {
      sumInto(set.products, region, rebuilder, build);
      continue;
    }
    let row = 0;
    for (const member of set.products) {
      const height = member.shape[0] as number;
      rebuilder.set(
        member,
        set.products.length > 1 ? narrow(region, 0, row, row + height) : region,
      );
      row += height;
      if (build.pace.due()) yield;
    }
  }
}

/** Replaces the terms of one sum: the first by the whole sum, the others by zeros. */
function sumInto(terms: readonly Value[], whole: Ref, rebuilder: Rebuilder, build: Builder): void {
  terms.forEach((term, index) => {
    rebuilder.set(term, index === 0 ? whole : build.filled(0, term.dtype, term.shape));
  });
}

/** Assembles matrices below one another (dim 0) or side by side (dim 1), row-major or column-major as the first is. */
function sideBySide(refs: readonly Ref[], dim: 0 | 1, build: Builder): Ref {
  const [first] = refs as readonly [Ref, ...Ref[]];
  if (refs.length === 1) return first;
  const turned = first.strides[0] === 1 && (first.shape[0] as number) > 1;
  const axis = turned ? 1 - dim : dim;
  let at = 0;
  const blocks: Block[] = refs.map((ref) => {
    const block = turned ? transposed(ref) : ref;
    const start = axis === 0 ? [at, 0] : [0, at];
    at += block.shape[axis] as number;
    return { ref: block, start };
  });
  const shape = [...(blocks[0] as Block).ref.shape];
  shape[axis] = at;
  const assembled = build.assemble(first.value.dtype, shape, blocks, first.value.node);
  return turned ? transposed(assembled) : assembled;
}

/** Merges column sums of matrices that are side by side into one column sum. */
function* mergeColumnSums(roots: readonly Ref[], beside: Beside, build: Builder): Sliced<Ref[]> {
  const order = yield* reachable(roots, build.pace);
  const depths = yield* columnSumDepths(order, build.pace);
  /** The merged matrix of the operand of a column sum, and its columns there, if all columns can be summed at once. */
  const rangeOf = (value: Value): ColumnRange | undefined => {
    if (value.kind !== 'columnSum') return undefined;
    const operand = value.args[0] as Ref;
    const range = beside.rangeOf(operand);
    // A neighbour may depend on this sum: centred columns may be beside the columns that they are computed from.
    const depth = range && depths[range.all.value.id];
    if (!range || depth === undefined || depth > (depths[operand.value.id] as number))
      return undefined;
    return range;
  };
  const rebuilder: Rebuilder = new Rebuilder(
    build,
    (value) => {
      const range = rangeOf(value);
      if (!range) return undefined;
      build.fire('share: column sums along N');
      const sums = build.columnSum(rebuilder.ref(range.all), value.node);
      return viewed(sums.value, {
        offset: sums.offset + range.start,
        shape: value.shape,
        strides: [1],
      });
    },
    undefined,
    (value) => rangeOf(value)?.all.value,
  );
  return yield* rebuilder.run(roots, order);
}

/** For each value, by its id, the most column sums on a path that ends there. */
function* columnSumDepths(order: readonly Value[], pace: Pace): Sliced<(number | undefined)[]> {
  const depths = byId<number>(endOf(order));
  for (const { id, kind, args } of order) {
    let most = 0;
    if (pace.due(args.length)) yield;
    for (const { value } of args) most = Math.max(most, depths[value.id] as number);
    depths[id] = most + (kind === 'columnSum' ? 1 : 0);
  }
  return depths;
}
