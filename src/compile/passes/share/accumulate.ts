/**
 * If sums add a product to a region of an earlier product, adds the later product onto the earlier one instead, in
 * place. In an LSTM, for example, one product multiplies the inputs of all time steps with the weights. The recurrent
 * product of each time step is then added onto the rows of this time step.
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { type Ref, type Use, Uses, type Value, viewed } from '../../../ir/value.js';
import { type Box, boxOf } from '../../../ir/view.js';
import { Rebuilder } from '../rebuild.js';
import { Units } from './units.js';

/**
 * A region of a product that a sum reads: the sum, its operand, and the operand's box (rows and columns) in the
 * product.
 */
interface Region {
  readonly sum: Value;
  readonly ref: Ref;
  readonly box: Box;
}

export function* accumulate(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const { pace } = build;
  const order = yield* build.valuesOf(roots);
  const uses = yield* Uses.of(order, roots, pace);
  const units = yield* Units.of(order, pace);
  const ranks = yield* units.ranks(order.filter(({ kind }) => kind === 'product'));
  const rank = (value: Value) => ranks[units.unitOf(value)] as number;
  /** For each sum, the terms that are dropped, because another of its terms, a later product, already contains them. */
  const gone = new Map<Value, Set<Ref>>();
  /** For each product that is added onto an earlier product, the region of the earlier product. */
  const onto = new Map<Value, Ref>();
  const read = new Map<Value, ReturnType<typeof readersOf>>();
  const readers = (product: Value) => {
    if (!read.has(product)) read.set(product, readersOf(uses.of(product)));
    return read.get(product);
  };
  const isGone = (sum: Value, ref: Ref) => gone.get(sum)?.has(ref) ?? false;

  for (let i = 0; i < order.length; i++) {
    const later = order[i] as Value;
    if (pace.due()) yield;
    if (later.kind !== 'product' || later.args.length > 2) continue;
    if (pace.due(uses.count(later))) yield;
    const regions = regionsOf(later, uses.of(later));
    const [first] = regions ?? [];
    if (!regions || !first || tiled(regions) !== later.size) continue;
    // Each region of the later product must be read only once. Otherwise, the earlier product would be added to the
    // second reader, too.
    if ([...(readers(later)?.values() ?? [0])].some((times) => times !== 1)) continue;
    for (const term of first.sum.args) {
      if (pace.due(regions.length)) yield;
      const earlier = term.value;
      if (!isTarget(earlier) || earlier === later || rank(earlier) >= rank(later)) continue;
      const found = regions.map(({ sum, ref }) =>
        sum.args.find((other) => other.value === earlier && other !== ref && !isGone(sum, other)),
      );
      const target = alignedTarget(later, regions, found, earlier);
      const alone = (other: Ref | undefined) => {
        const box = other && boxOf(other, earlier.shape);
        return box !== undefined && readers(earlier)?.get(keyOfBox(box)) === 1;
      };
      if (!target || !found.every(alone)) continue;
      build.fire('share: product onto a product');
      onto.set(later, target);
      regions.forEach(({ sum }, i) => {
        const terms = gone.get(sum) ?? new Set<Ref>();
        terms.add(found[i] as Ref);
        gone.set(sum, terms);
      });
      break;
    }
  }
  if (onto.size === 0) return [...roots];
  const isInPlace =
    [...onto].every(([later, target]) => target.value.id < later.id) &&
    [...gone].every(([sum, dropped]) => sum.args.length - dropped.size > 1);
  if (isInPlace) {
    for (const [later, target] of onto) {
      build.redefine(later, [...later.args, target]);
      if (pace.due()) yield;
    }
    for (const [sum, dropped] of gone) {
      build.redefine(
        sum,
        sum.args.filter((arg) => !dropped.has(arg)),
      );
      if (pace.due(sum.args.length)) yield;
    }
    return [...roots];
  }
  const rebuilder: Rebuilder = new Rebuilder(
    build,
    (value) => {
      const target = onto.get(value);
      if (target) {
        const [a, b] = value.args.map((arg) => rebuilder.ref(arg)) as [Ref, Ref];
        return build.product(a, b, value.node, rebuilder.ref(target));
      }
      const dropped = gone.get(value);
      if (!dropped) return undefined;
      const kept = value.args.filter((arg) => !dropped.has(arg)).map((arg) => rebuilder.ref(arg));
      return build.sum(value.dtype, value.shape, kept, value.node);
    },
    undefined,
    (value) => onto.get(value)?.value,
  );
  return yield* rebuilder.run(roots, order);
}

/** Whether a product can be added onto a value: an earlier product, or a row of one that a loop reads. */
function isTarget({ kind, details }: Value): boolean {
  return kind === 'product' || details.consumable === true;
}

/**
 * Returns the regions of a product that its uses read. Returns undefined if a use is not an operand of a sum, if it
 * has no box, or if neighbouring elements along its last axis are not adjacent in the product.
 */
function regionsOf(product: Value, uses: readonly Use[]): Region[] | undefined {
  const regions: Region[] = [];
  for (const { reader, ref } of uses) {
    const box = boxOf(ref, product.shape);
    const plain = ref.strides.at(-1) === 1 || ref.shape.at(-1) === 1;
    if (reader?.kind !== 'sum' || !box || !plain) return undefined;
    regions.push({ sum: reader, ref, box });
  }
  return regions;
}

/**
 * Returns the total number of elements of the regions, or -1 if a ref does not read each element of its box exactly
 * once.
 */
function tiled(regions: readonly Region[]): number {
  let size = 0;
  for (const { box, ref } of regions) {
    const area =
      ((box.end[0] as number) - (box.start[0] as number)) *
      ((box.end[1] as number) - (box.start[1] as number));

    if (area !== ref.shape.reduce((product, dim) => product * dim, 1)) return -1;
    size += area;
  }
  return size;
}

/**
 * Returns the region of `earlier` onto which `later` is added. `found` are the regions of `earlier` that are added to
 * `regions` of `later`. Returns undefined if one of them is missing, or if their positions in `earlier` do not
 * correspond to those in `later`.
 */
function alignedTarget(
  later: Value,
  regions: readonly Region[],
  found: readonly (Ref | undefined)[],
  earlier: Value,
): Ref | undefined {
  const width = earlier.shape[1] as number;
  let offset: number | undefined;
  for (let i = 0; i < regions.length; i++) {
    const { box, ref } = regions[i] as Region;
    const target = found[i];
    if (!target) return undefined;
    const there = boxOf(target, earlier.shape);
    if (!there) return undefined;
    // The axes and steps must be equal: a column of one product must not be added to a row of the other.
    const sameSteps = ref.shape.every(
      (size, dim) =>
        size === 1 || (there.axes[dim] === box.axes[dim] && there.steps[dim] === box.steps[dim]),
    );
    const from = target.offset - (box.first[0] as number) * width - (box.first[1] as number);
    if (!sameSteps || from < 0 || (offset !== undefined && offset !== from)) return undefined;
    offset = from;
  }
  if (offset === undefined) return undefined;
  const column = offset % width;
  if (column + (later.shape[1] as number) > width) return undefined;
  return viewed(earlier, { offset, shape: later.shape, strides: [width, 1] });
}

/**
 * Returns how often each region of a product is read. The keys of the map come from `keyOfBox`. Returns undefined if
 * different regions overlap, or if a use has no box.
 */
function readersOf(uses: readonly Use[]): Map<string, number> | undefined {
  const counts = new Map<string, number>();
  const boxes: Box[] = [];
  for (const { ref } of uses) {
    const box = boxOf(ref, ref.value.shape);
    if (!box) return undefined;
    const key = keyOfBox(box);
    const times = counts.get(key);
    if (times === undefined) boxes.push(box);
    counts.set(key, (times ?? 0) + 1);
  }
  // After sorting by rows and then by columns, it is enough to compare neighbours. Two boxes must have the same rows
  // and disjoint columns, or disjoint rows.
  boxes.sort((p, q) => compare(p.start, q.start) || compare(p.end, q.end));
  for (let i = 1; i < boxes.length; i++) {
    const [above, box] = [boxes[i - 1] as Box, boxes[i] as Box];
    const sameBand = above.start[0] === box.start[0] && above.end[0] === box.end[0];
    const apart = sameBand
      ? (above.end[1] as number) <= (box.start[1] as number)
      : (above.end[0] as number) <= (box.start[0] as number);
    if (!apart) return undefined;
  }
  return counts;
}

function keyOfBox({ start, end }: Box): string {
  return `${start.join()}:${end.join()}`;
}

function compare(a: readonly number[], b: readonly number[]): number {
  return (a[0] as number) - (b[0] as number) || (a[1] as number) - (b[1] as number);
}
