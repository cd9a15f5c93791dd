/** Ops that rearrange or repeat elements: `squeeze`, `expandDims`, `tile`, `roll` and `split`. */

import { describeValue } from '../arguments/describe.js';
import { assertList, isList } from '../arguments/read.js';
import { addDims, type Dim, dimension, divideDims, multiplyDims } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Fail, Operand } from '../graph/op.js';
import { formatShape, resolveAxis } from '../tensor/shape.js';
import { type Axes, broadcastTo, resolveAxes } from './broadcast.js';
import { slice } from './slice.js';
import { reshape } from './views.js';
import { concat } from './windows.js';

/** Returns the operand as a node, and the methods that refuse it. */
function given(name: string, x: Operand): { node: Node; fail: Fail } {
  const [node] = lift(name, [x]) as [Node];
  return { node, fail: failFor({ name }, [node]) };
}

/**
 * Removes axes of length 1. The result has the dtype of x, which may be any dtype.
 * @param axes an axis, or a list of axes; by default, all axes whose length is the number 1. A negative axis counts from
 *   the end
 * @throws ShapeError if `axes` is not an axis or a list of axes, or an axis is out of range, appears twice, or has
 *   another length than 1; ValueError if x is not a Node, Tensor or number
 */
export function squeeze(x: Operand, axes?: Axes): Node {
  const { node, fail } = given('squeeze', x);
  const { shape } = node;
  const resolved = resolveAxes('squeeze', node, axes);
  const removed = axes === undefined ? resolved.filter((axis) => shape[axis] === 1) : resolved;
  const long = removed.find((axis) => shape[axis] !== 1);
  if (long !== undefined) {
    fail.shape(
      `axis ${long} of ${formatShape(shape)} has the length ${shape[long]}; only axes of length 1 can be removed`,
    );
  }
  return reshape(
    node,
    shape.filter((_, axis) => !removed.includes(axis)),
  );
}

/**
 * Adds axes of length 1. The result has the dtype of x, which may be any dtype.
 * @param axis the index that the new axis has in the result, or a list of such indices. A negative index counts from the
 *   end of the result: -1 makes the new axis the last one
 * @throws ShapeError if `axis` is not an axis or a list of axes, or an axis is out of range or appears twice; ValueError
 *   if x is not a Node, Tensor or number
 */
export function expandDims(x: Operand, axis: Axes): Node {
  const { node, fail } = given('expandDims', x);
  const list = isList(axis) ? assertList(axis, '[expandDims] expected axes,') : [axis as number];
  const rank = node.shape.length + list.length;
  const added = new Set(list.map((one) => resolveAxis(one, rank, '[expandDims]')));
  if (added.size !== list.length) fail.shape(`an axis appears twice: ${formatShape(list)}`);
  let next = 0;
  const shape = Array.from({ length: rank }, (_, at) =>
    added.has(at) ? 1 : (node.shape[next++] as Dim),
  );
  return reshape(node, shape);
}

/** Returns a copy of a list of integers from `least`, or of one integer. @throws ValueError if it is neither */
function integers(what: string, value: unknown, least: number, fail: Fail): number[] {
  const list = isList(value) ? [...assertList(value, `${fail.where} expected ${what},`)] : [value];
  for (const one of list) {
    if (Number.isSafeInteger(one) && (one as number) >= least) continue;
    const kind = least === 0 ? 'non-negative integers' : 'integers';
    fail.value(`expected ${what} that are ${kind}, but received ${describeValue(one)}`);
  }
  return list as number[];
}

/**
 * Repeats x along its axes, as NumPy's `tile`: along axis i, the result is x `repeats[i]` times in a row. If there are
 * fewer numbers than axes, the first axes are not repeated. If there are more, x gets new leading axes. The result has
 * the dtype of x, which may be any dtype.
 * @param repeats a number for the last axis, or a list of numbers
 * @throws ValueError if x is not a Node, Tensor or number, or `repeats` is not a non-negative integer or a list of such;
 *   ShapeError if the result would have more than 32 axes
 */
export function tile(x: Operand, repeats: number | readonly number[]): Node {
  const { node, fail } = given('tile', x);
  const list = integers('repeats', repeats, 0, fail);
  const rank = Math.max(list.length, node.shape.length);
  const from: Dim[] = [...Array<Dim>(rank - node.shape.length).fill(1), ...node.shape];
  const times = [...Array<number>(rank - list.length).fill(1), ...list];
  // Each repeated axis is preceded by an axis over its repetitions. If x has one element along the axis, there is no need.
  const split = (axis: number) => times[axis] !== 1 && from[axis] !== 1;
  const around = from.flatMap((dim, axis) => (split(axis) ? [1, dim] : [dim]));
  const repeated = from.flatMap((dim, axis): Dim[] => {
    const count = times[axis] as number;
    return split(axis) ? [count, dim] : [multiplyDims(count, dim)];
  });
  return reshape(
    broadcastTo(reshape(node, around), repeated),
    from.map((dim, axis) => multiplyDims(times[axis] as number, dim)),
  );
}

/** Moves the elements of x along one axis by `shift` positions. Elements beyond the end come back at the start. */
function rolled(x: Node, shift: number, axis: number): Node {
  const length = x.shape[axis] as Dim;
  // Along a named axis, the positions are checked when the name is bound.
  const by =
    typeof length === 'number' && length > 0 ? ((shift % length) + length) % length : shift;
  if (by === 0 || length === 0) return x;
  const [start, end] = by > 0 ? [addDims(length, -by), addDims(length, -by)] : [-by, -by];
  return concat([slice(x, { axis, start }), slice(x, { axis, end })], axis);
}

/**
 * Moves the elements of x along axes by `shift` positions, as NumPy's `roll`. Elements that are moved beyond the end of
 * an axis come back at its start. The result has the shape and the dtype of x, which may be any dtype.
 * @param shift the number of positions, which may be negative; or a list of such numbers, one for each axis. Along an
 *   axis of a named length, it must not exceed the length of a run
 * @param axis an axis, or a list of axes. An axis that appears twice is moved twice. Without axes, the elements are moved
 *   in row-major order, across the ends of rows
 * @throws ShapeError if an axis is out of range; ValueError if x is not a Node, Tensor or number, if a shift is not an
 *   integer, or if the numbers of shifts and axes differ. A run throws ShapeError if a shift exceeds a named length
 */
export function roll(x: Operand, shift: number | readonly number[], axis?: Axes): Node {
  const { node, fail } = given('roll', x);
  const shifts = integers('shifts', shift, Number.MIN_SAFE_INTEGER, fail);
  if (axis === undefined) {
    const total = shifts.reduce((sum, one) => sum + one, 0);
    return reshape(rolled(reshape(node, [-1]), total, 0), node.shape);
  }
  const axes = isList(axis) ? assertList(axis, '[roll] expected axes,') : [axis as number];
  const [fewer, more] = [shifts.length, axes.length].sort((a, b) => a - b) as [number, number];
  if (fewer !== more && fewer !== 1) {
    fail.value(
      `expected one shift for each axis, but received ${shifts.length} shifts and ${axes.length} axes`,
    );
  }
  const resolved = axes.map((one) => resolveAxis(one, node.shape.length, '[roll]'));
  const count = Math.max(shifts.length, axes.length);
  let result = node;
  for (let i = 0; i < count; i++) {
    const by = shifts[shifts.length === 1 ? 0 : i] as number;
    result = rolled(result, by, resolved[axes.length === 1 ? 0 : i] as number);
  }
  return result;
}

/**
 * Cuts x into parts along one axis. Returns the parts in order. They have the dtype of x, which may be any dtype.
 * @param parts the number of parts of equal size, which must divide the length of the axis; or a list of their sizes,
 *   whose sum must be the length of the axis
 * @param axis the axis; 0 by default. A negative axis counts from the end
 * @throws ShapeError if the axis is out of range, if the parts do not fit the axis, or if a size is not a dimension;
 *   ValueError if x is not a Node, Tensor or number, or `parts` is neither an integer from 1 to 2^20 nor a
 *   list
 */
export function split(x: Operand, parts: number | readonly Dim[], axis = 0): Node[] {
  const { node, fail } = given('split', x);
  const at = resolveAxis(axis, node.shape.length, '[split]');
  const length = node.shape[at] as Dim;
  let start: Dim = 0;
  return sizesOf(parts, at, length, fail).map((size) => {
    const end = addDims(start, size);
    const part = slice(node, { axis: at, start, end });
    start = end;
    return part;
  });
}

/** The greatest number of parts. Each is a node, so that more would fill the memory. */
const mostParts = 2 ** 20;

/** Returns the sizes of the parts of an axis. */
function sizesOf(parts: number | readonly Dim[], axis: number, length: Dim, fail: Fail): Dim[] {
  if (isList(parts)) {
    const sizes = assertList(parts, `${fail.where} expected sizes,`).map((size) =>
      dimension(size, fail.where),
    );
    const total = sizes.reduce<Dim>(addDims, 0);
    if (total === length) return sizes;
    return fail.shape(
      `the sizes ${formatShape(sizes)} add up to ${total}, but axis ${axis} has the length ${length}`,
    );
  }
  if (!Number.isSafeInteger(parts) || (parts as number) < 1) {
    fail.value(
      `expected a positive number of parts, or a list of sizes, but received ${describeValue(parts)}`,
    );
  }
  if ((parts as number) > mostParts) {
    fail.value(`expected at most 2^20 parts, but received ${parts}`);
  }
  const size = length === 0 ? 0 : divideDims(length, parts as number);
  if (size === undefined) {
    return fail.shape(
      `axis ${axis} has the length ${length}, which cannot be divided into ${parts} parts of equal size; give their sizes as a list`,
    );
  }
  return Array.from({ length: parts as number }, () => size);
}
