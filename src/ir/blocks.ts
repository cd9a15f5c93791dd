/** The blocks of assembled values: their positions, and whether they overlap. */

import type { Ref, Value } from './value.js';

/** One operand of an assembled value, and its start in the assembled value. Both values have the same rank. */
export interface Block {
  readonly ref: Ref;
  readonly start: readonly number[];
}

/**
 * Whether BLAS can read the matrix in the last two axes: the elements of each row are adjacent and rows do not overlap,
 * or the elements of each column are adjacent and columns do not overlap. No axis, the leading ones included, may have
 * a negative stride.
 */
export function isMatrix(shape: readonly number[], strides: readonly number[]): boolean {
  for (let axis = 0; axis < strides.length; axis++) if ((strides[axis] as number) < 0) return false;
  const rank = shape.length;
  const [rows, columns] = [shape[rank - 2] as number, shape[rank - 1] as number];
  const [down, across] = [strides[rank - 2] as number, strides[rank - 1] as number];
  return (
    ((columns <= 1 || across === 1) && (rows <= 1 || down >= Math.max(1, columns))) ||
    ((rows <= 1 || down === 1) && (columns <= 1 || across >= Math.max(1, rows)))
  );
}

/**
 * Returns the ranges into which the blocks of a concatenation divide the dimension `dim` of a ref. Returns undefined if
 * the ref does not read several blocks of a concatenation along the last axis, or if `dim` does not move along this
 * axis.
 */
export function columnBlocks(ref: Ref, dim: number): [number, number][] | undefined {
  const { value } = ref;
  if (value.kind !== 'assemble') return undefined;
  const { starts, adds, gaps } = value.details;
  const last = value.shape.length - 1;
  if (!starts || adds || gaps || last < 0) return undefined;
  // The blocks of a concatenation along another axis can be computed in its memory, so its products need not be split.
  const width = value.shape[last] as number;
  if (starts.some((start) => start.some((from, axis) => axis !== last && from !== 0)))
    return undefined;
  if (ref.strides[dim] !== 1 || ref.shape[dim] === 1) return undefined;
  const first = ref.offset % width;
  const end = first + (ref.shape[dim] as number);
  const other = ref.strides[1 - dim] as number;
  if (end > width || (ref.shape[1 - dim] !== 1 && other % width !== 0)) return undefined;
  const ranges: [number, number][] = [];
  starts.forEach((start, i) => {
    const from = Math.max(start[last] as number, first);
    const to = Math.min(
      (start[last] as number) + ((value.args[i] as Ref).shape[last] as number),
      end,
    );
    if (from < to) ranges.push([from - first, to - first]);
  });
  return ranges.length > 1 ? ranges : undefined;
}

/** Whether the box from `start` to `end` overlaps the box that begins at `other` and has the lengths `lengths`. */
export function meets(
  start: readonly number[],
  end: readonly number[],
  other: readonly number[],
  lengths: readonly number[],
): boolean {
  for (let axis = 0; axis < start.length; axis++) {
    const from = other[axis] as number;
    if (
      (end[axis] as number) <= from ||
      (start[axis] as number) >= from + (lengths[axis] as number)
    )
      return false;
  }
  return true;
}

/** Whether no other block of the assembled value overlaps the box. */
export function aloneIn(
  { args, details }: Value,
  index: number,
  box: { start: readonly number[]; end: readonly number[] },
): boolean {
  return args.every(
    (arg, i) =>
      i === index ||
      !meets(box.start, box.end, details.starts?.[i] as readonly number[], arg.shape),
  );
}

/** Whether two of the blocks overlap. */
export function overlaps(blocks: readonly Block[]): boolean {
  const sorted = [...blocks].sort((p, q) => (p.start[0] ?? 0) - (q.start[0] ?? 0));
  for (let i = 0; i < sorted.length; i++) {
    const { start, ref } = sorted[i] as Block;
    const end = start.map((at, axis) => at + (ref.shape[axis] as number));
    for (let j = i + 1; j < sorted.length; j++) {
      const other = sorted[j] as Block;
      if (start.length > 0 && (other.start[0] as number) >= (end[0] as number)) break;
      if (meets(start, end, other.start, other.ref.shape)) return true;
    }
  }
  return false;
}

export function compareLists(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  return 0;
}

/**
 * If all blocks are views of one value, and have the same arrangement in this value as in the assembled value, returns
 * the view of this value that equals the assembled value. Otherwise returns undefined. Also returns undefined
 * if this view would read backwards (would have a negative stride).
 */
export function adjacent(shape: readonly number[], blocks: readonly Block[]): Ref | undefined {
  const [first] = blocks as readonly [Block, ...Block[]];
  const { value } = first.ref;
  if (blocks.some(({ ref }) => ref.value !== value)) return undefined;
  const strides = shape.map((size, axis) => {
    if (size === 1) return 0;
    const wide = blocks.find(({ ref }) => (ref.shape[axis] as number) > 1);
    if (wide) return wide.ref.strides[axis] as number;
    const next = blocks.find(({ start }) =>
      start.every((at, i) => at === (first.start[i] as number) + (i === axis ? 1 : 0)),
    );
    return next ? next.ref.offset - first.ref.offset : -1;
  });
  if (strides.some((stride) => stride < 0)) return undefined;
  const at = (start: readonly number[]) =>
    start.reduce((sum, from, axis) => sum + from * (strides[axis] as number), 0);
  const offset = first.ref.offset - at(first.start);
  if (offset < 0) return undefined;
  const fits = blocks.every(
    ({ ref, start }) =>
      ref.offset === offset + at(start) &&
      ref.shape.every((size, axis) => size === 1 || ref.strides[axis] === strides[axis]),
  );
  return fits ? { value, offset, shape, strides } : undefined;
}
