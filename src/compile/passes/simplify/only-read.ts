/**
 * Does not compute what is not read. If separate ranges of the columns of a sum or product are read, each range becomes a
 * sum or product of its own. If only a region of an element-wise value or a convolution is read, such as the last time
 * step, only this region is computed. Then perhaps only a region of its operands is read.
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Window } from '../../../graph/window.js';
import type { Builder } from '../../../ir/builder.js';
import { inRegion, narrow, type Ref, showsAll, Uses, type Value } from '../../../ir/value.js';
import { type Box, boxOf, rebase } from '../../../ir/view.js';
import { valueRecord } from '../../../primitives/index.js';
import type { Part } from '../../../primitives/record.js';
import { Rebuilder } from '../rebuild.js';

type Range = readonly [start: number, end: number];

/** The region of a value that is read, and what the value becomes if only this region is computed. */
interface Cut {
  readonly region: Window;
  readonly part: Part;
}

/** The values that are replaced: by several, for ranges of their columns, or by a part. */
interface Changes {
  readonly split: Map<Value, readonly Range[]>;
  readonly cut: Map<Value, Cut>;
}

/** Replaces the values of which not all is read. Returns the roots. */
export function* onlyRead(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  const uses = yield* Uses.of(order, roots, build.pace);
  const changes: Changes = { split: new Map(), cut: new Map() };
  const { split, cut } = changes;
  // Readers come first, because a value of which only a part is computed may read only a part of its operands.
  for (let i = order.length - 1; i >= 0; i--) {
    const value = order[i] as Value;
    if (build.pace.due()) yield;
    const splits = (value.kind === 'sum' || value.kind === 'product') && value.shape.length === 2;
    const { part } = valueRecord(value);
    if (!splits && !part) continue;
    if (build.pace.due(uses.count(value))) yield;
    const ranges = splits ? readRanges(value, uses, changes) : undefined;
    if (ranges) split.set(value, ranges);
    else if (part) {
      const region = readRegion(value, uses, changes, build.target.partRead);
      const made = region && part(value, region);
      if (made) cut.set(value, { region, part: made });
    }
  }
  if (split.size === 0 && cut.size === 0) return [...roots];

  const pieces = new Map<Value, readonly Ref[]>();
  const piece = (value: Value, [start, end]: Range): Ref => {
    if (value.kind === 'product') {
      const [a, b] = value.args as readonly [Ref, Ref];
      return build.product(rebuilder.ref(a), rebuilder.ref(narrow(b, 1, start, end)), value.node);
    }
    const terms = value.args.map((arg) => rebuilder.ref(narrow(arg, 1, start, end)));
    return build.sum(value.dtype, [value.shape[0] as number, end - start], terms, value.node);
  };
  const partOf = (value: Value, { region, part }: Cut): Ref => {
    build.fire('simplify: value of which a part is read');
    const { kind, dtype, node } = value;
    const defined = { kind, dtype, node, shape: region.shape, details: part.details };
    const args = part.args.map((arg) => rebuilder.ref(arg));
    return valueRecord(value).rebuild(build, defined, args);
  };
  const rebuilder: Rebuilder = new Rebuilder(
    build,
    (value) => {
      const part = cut.get(value);
      if (part) return partOf(value, part);
      const ranges = split.get(value);
      if (!ranges) return undefined;
      build.fire('simplify: slice through a sum or product');
      const made = ranges.map((range) => piece(value, range));
      pieces.set(value, made);
      return made[0]; // This is never read, because every use reads one of the pieces.
    },
    (ref) => {
      const { value } = ref;
      const part = cut.get(value);
      if (part) {
        const { start, shape } = part.region;
        const box = boxOf(ref, value.shape) as Box;
        return build.through(rebase(ref, box, start, shape), rebuilder.value(value), value.node);
      }
      const ranges = split.get(value);
      const box = ranges && (boxOf(ref, value.shape) as Box);
      if (!ranges || !box) return undefined;
      const within = ([start, end]: Range) =>
        start <= (box.start[1] as number) && (box.end[1] as number) <= end;
      const index = ranges.findIndex(within);
      const made = (pieces.get(value) as readonly Ref[])[index] as Ref;
      const view = rebase(ref, box, [0, (ranges[index] as Range)[0]], made.shape);
      return build.through(view, made, value.node);
    },
  );
  return yield* rebuilder.run(roots, order);
}

/**
 * Calls `visit` with the box of each view through which a value is read after the changes, until it returns false.
 * Returns whether all views were visited. They are not if a view has all elements of the value, or no box.
 */
function eachBox(
  value: Value,
  uses: Uses,
  changes: Changes,
  visit: (box: Box) => boolean,
): boolean {
  for (let i = 0; i < uses.count(value); i++) {
    const { reader, ref } = uses.at(value, i);
    for (const view of viewsOf(reader, ref, changes)) {
      const box = showsAll(view) ? undefined : boxOf(view, value.shape);
      if (!box || !visit(box)) return false;
    }
  }
  return true;
}

/**
 * Returns the distinct ranges of the columns of a matrix that its uses read. Returns undefined if two ranges overlap, or
 * if a use reads all columns.
 */
function readRanges(value: Value, uses: Uses, changes: Changes): Range[] | undefined {
  const [, columns] = value.shape as readonly [number, number];
  let ranges: Map<string, Range> | undefined;
  const separate = eachBox(value, uses, changes, (box) => {
    const range: Range = [box.start[1] as number, box.end[1] as number];
    if (range[1] - range[0] === columns) return false;
    ranges ??= new Map();
    ranges.set(range.join(), range);
    return true;
  });
  if (!separate || !ranges) return undefined;
  const sorted = [...ranges.values()].sort((a, b) => a[0] - b[0]);
  const apart = sorted.every(([start], i) => i === 0 || start >= (sorted[i - 1] as Range)[1]);
  return apart ? sorted : undefined;
}

/**
 * Returns the smallest region that has all elements of a value that are read. Returns undefined if it has more than the
 * share `most` of all elements.
 */
function readRegion(value: Value, uses: Uses, changes: Changes, most: number): Window | undefined {
  const limit = most * value.size;
  let region: { readonly start: number[]; readonly end: number[] } | undefined;
  const small = eachBox(value, uses, changes, (box) => {
    region ??= { start: [...box.start], end: [...box.end] };
    const { start, end } = region;
    let size = 1;
    for (let axis = 0; axis < start.length; axis++) {
      start[axis] = Math.min(start[axis] as number, box.start[axis] as number);
      end[axis] = Math.max(end[axis] as number, box.end[axis] as number);
      size *= (end[axis] as number) - (start[axis] as number);
    }
    return size <= limit;
  });
  if (!small || !region) return undefined;
  const { start, end } = region;
  return { start, shape: end.map((to, axis) => to - (start[axis] as number)) };
}

/**
 * Returns the views that a reader of `ref` reads after the changes. This takes constant time, because a sum may have very
 * many operands.
 */
function viewsOf(reader: Value | undefined, ref: Ref, { split, cut }: Changes): readonly Ref[] {
  const made = reader && cut.get(reader);
  if (made) {
    const { args } = made.part;
    return [
      reader.kind === 'routine'
        ? (args[reader.args.indexOf(ref)] as Ref)
        : inRegion(ref, made.region),
    ];
  }
  const ranges = reader?.kind === 'sum' ? split.get(reader) : undefined;
  return ranges ? ranges.map(([start, end]) => narrow(ref, 1, start, end)) : [ref];
}
