/** Rebuilds the values. Each set of products becomes one product. Its operands are assembled from the old operands. */

import type { Pace, Sliced } from '../../../graph/sliced.js';
import type { Block } from '../../../ir/blocks.js';
import type { Builder } from '../../../ir/builder.js';
import { Keys } from '../../../ir/same.js';
import { endOf, narrow, type Ref, transposed, type Value, viewed } from '../../../ir/value.js';
import { Rebuilder } from '../rebuild.js';
import type { Columns, Merged } from './sets.js';
import type { Units } from './units.js';

export function* merge(
  roots: readonly Ref[],
  columns: readonly Columns[],
  units: Units,
  build: Builder,
): Sliced<Ref[]> {
  const setsOf = new Map<number, Columns>();
  for (const group of columns) {
    if (build.pace.due(group.sets.length)) yield;
    const products = group.sets.flatMap((set) => set.products);
    if (products.length > 1) setsOf.set(units.unitOf(products[0] as Value), group);
  }
  const rebuilder = new Rebuilder(build);
  const beside = new Beside();
  const rebuild = (value: Value) => {
    rebuilder.value(value);
  };
  const order = yield* units.topological();
  for (let at = 0; at < order.length; at++) {
    const unit = order[at] as number;
    const group = setsOf.get(unit);
    if (group) yield* mergeColumns(group, rebuilder, build, beside);
    else units.visit(unit, rebuild);
    if (build.pace.due()) yield;
  }
  return yield* mergeColumnSums(
    roots.map((root) => rebuilder.ref(root)),
    beside,
    build,
  );
}

/** The columns of one of the old right operands in the merged right operand `all`: from `start` to `end` - 1. */
interface ColumnRange {
  readonly all: Ref;
  readonly start: number;
  readonly end: number;
}

/** Stores, for each right operand that was merged with others side by side, its columns in the merged right operand. */
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
      // The operands are in earlier units, so they have been rebuilt.
      refs.push(rebuilder.ref(args[index] as Ref));
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

/** Replaces terms of a sum whose total is `whole`. The first term becomes `whole`, and the others become zeros. */
function sumInto(terms: readonly Value[], whole: Ref, rebuilder: Rebuilder, build: Builder): void {
  terms.forEach((term, index) => {
    rebuilder.set(term, index === 0 ? whole : build.filled(0, term.dtype, term.shape));
  });
}

/**
 * Returns a matrix assembled from matrices that are below one another (`dim` 0) or side by side (`dim` 1). It is
 * column-major if the first of them is column-major, otherwise row-major.
 */
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

/** If matrices are side by side in a merged operand, replaces their column sums by one column sum of this operand. */
function* mergeColumnSums(roots: readonly Ref[], beside: Beside, build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  const depths = yield* columnSumDepths(order, build.pace);
  /** The columns that the operands of column sums have in a merged right operand. */
  const ranges = new Map<Value, ColumnRange>();
  for (let i = 0; i < order.length; i++) {
    const value = order[i] as Value;
    if (build.pace.due()) yield;
    if (value.kind !== 'columnSum') continue;
    const operand = value.args[0] as Ref;
    const range = beside.rangeOf(operand);
    // A matrix beside the operand may depend on this column sum, for example if this matrix is the operand minus its
    // mean. Then the columns of the merged operand cannot be summed together.
    const depth = range ? (depths[range.all.value.id] ?? -1) : -1;
    if (!range || depth < 0 || depth > (depths[operand.value.id] as number)) continue;
    ranges.set(value, range);
  }
  if (ranges.size === 0) return [...roots];
  const rebuilder: Rebuilder = new Rebuilder(
    build,
    (value) => {
      const range = ranges.get(value);
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
    (value) => ranges.get(value)?.all.value,
  );
  return yield* rebuilder.run(roots, order);
}

/**
 * Returns a list indexed by the ids of the values. Each entry is the largest number of column sums on any path of
 * operands that ends at the value, which is included; -1 for ids of other values.
 */
function* columnSumDepths(order: readonly Value[], pace: Pace): Sliced<Int32Array> {
  const depths = new Int32Array(endOf(order)).fill(-1);
  for (let index = 0; index < order.length; index++) {
    const { id, kind, args } = order[index] as Value;
    let most = 0;
    if (pace.due(args.length)) yield;
    for (let i = 0; i < args.length; i++) {
      most = Math.max(most, depths[(args[i] as Ref).value.id] as number);
    }
    depths[id] = most + (kind === 'columnSum' ? 1 : 0);
  }
  return depths;
}
