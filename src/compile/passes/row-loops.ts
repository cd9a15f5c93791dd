/**
 * Fused loops over whole rows. Such a loop contains reductions over the last axes of its shape, and values with one
 * element for each row. The example is a softmax over [rows, columns]: the maximum and the sum of each row have one
 * element for each row, and the powers and quotients, which read them, have one for each element. All are computed in
 * one traversal of memory, while the row is in a cache.
 */

import type { Location } from '../../ir/location.js';
import { type Ref, showsAll } from '../../ir/value.js';
import { count, equalLists, rowMajor } from '../../ir/view.js';
import type { Segment } from '../../primitives/group.js';
import type { RowSegment } from '../../primitives/rows.js';
import { closes, type FusedLoop, rowsOf } from './fused-loop.js';

/** The elements of a fused loop. */
export interface Space {
  readonly space: readonly number[];
  /** The number of the first axes, which are the axes of the rows. Undefined if the loop does not work on whole rows. */
  readonly rows?: number | undefined;
  /** The axis that the sums of the loop keep; 'none' if a sum is over all elements. Undefined if there is no such sum. */
  readonly keeps?: number | 'none' | undefined;
}

/** Whether two shapes differ only in axes of length 1. */
function equalExceptOnes(a: readonly number[], b: readonly number[]): boolean {
  let j = 0;
  for (const size of a) {
    if (size === 1) continue;
    while (b[j] === 1) j++;
    if (b[j++] !== size) return false;
  }
  while (b[j] === 1) j++;
  return j === b.length;
}

/** Whether a loop over elements of this shape computes one element for each row of the loop `of`. */
export function onePerRow(shape: readonly number[], { space, rows }: Space): boolean {
  return rows !== undefined && equalExceptOnes(shape, space.slice(0, rows));
}

/** Whether a ref reads, for each element of a row, the element that its value has for this row. */
function spreads(ref: Ref, { space, rows = 0 }: Space): boolean {
  if (ref.offset !== 0 || !equalLists(ref.shape, space)) return false;
  const strides = rowMajor(space.slice(0, rows));
  return space.every((size, axis) => size === 1 || ref.strides[axis] === (strides[axis] ?? 0));
}

/**
 * Whether a loop over whole rows can read a ref of one of its values with one element for each row from a buffer.
 * @param shape the shape over which a loop must run to compute the reader of the ref
 */
export function readsRow(ref: Ref, shape: readonly number[], loop: Space): boolean {
  if (!onePerRow(ref.value.shape, loop)) return false;
  // The sum of all elements of the loop also has one element, but is known only when all rows are done.
  if (closes(ref.value) && rowsOf(ref.value) === undefined) return false;
  if (equalLists(shape, loop.space)) return spreads(ref, loop);
  return showsAll(ref) && onePerRow(shape, loop);
}

/**
 * Whether a sum of rows reads this ref, a matrix, from the register of a value of the loop, which has an element for each
 * element of the loop. The rows of the matrix are those of the loop.
 */
export function readsColumns(ref: Ref, { space, rows }: Space): boolean {
  return (
    rows !== undefined &&
    equalLists(ref.value.shape, space) &&
    showsAll(ref) &&
    ref.shape[1] === count(space.slice(rows))
  );
}

/** Whether fused loops over these elements can be merged. */
export function compatible(loops: readonly Space[]): boolean {
  const whole = loops.find(({ rows }) => rows !== undefined);
  const kept = new Set(loops.map(({ keeps }) => keeps));
  kept.delete(undefined);
  if (kept.size > 1) return false;
  if (!whole) return true;
  if (kept.size === 1 && !kept.has('none')) return false;
  return loops.every(({ space, rows }) =>
    rows === undefined
      ? equalLists(space, whole.space) || onePerRow(space, whole)
      : rows === whole.rows && equalLists(space, whole.space),
  );
}

/** Whether a ref that a loop over whole rows loads has one element for each row. */
export function loadsOnePerRow(ref: Ref, { space, rows = 0 }: Space): boolean {
  if (!equalLists(ref.shape, space)) return true;
  return ref.shape.every((size, axis) => axis < rows || size === 1 || ref.strides[axis] === 0);
}

/** Returns the segment of a loop over whole rows. The segment has only one axis of columns. */
export function rowSegment(loop: FusedLoop, { shape, loads, stores, closes }: Segment): RowSegment {
  const { rows: kept = 0 } = loop;
  const rows = shape.slice(0, kept);
  const column = shape.findIndex((size, axis) => axis >= kept && size !== 1);
  const columns = shape[column] as number;
  const perRow = (location: Location): Location => {
    // The location has the axes of the rows, and perhaps axes of length 1.
    const steps = location.strides.filter((_, axis) => location.shape[axis] !== 1);
    let next = 0;
    const strides = rows.map((size) => (size === 1 ? 0 : (steps[next++] as number)));
    return { ...location, shape: [...rows, 1], strides: [...strides, 0] };
  };
  const full = (location: Location): Location => {
    const strides = [...location.strides.slice(0, kept), location.strides[column] as number];
    return { ...location, shape: [...rows, columns], strides };
  };
  const arranged = (location: Location) =>
    equalLists(location.shape, shape) ? full(location) : perRow(location);
  return { rows, columns, loads: loads.map(arranged), stores: stores.map(arranged), closes };
}
