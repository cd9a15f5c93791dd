/** The order of the axes of views: permutations, and the order in which a view leads through memory. */

import type { Ref } from './value.js';
import { boxOf, type StridedView } from './view.js';

/** A list with each axis once. Axis i of the permuted view is axis `axes[i]` of the view. */
export type Axes = readonly number[];

/** Returns the view with its axes in another order. */
export function permuted({ offset, shape, strides }: StridedView, axes: Axes): StridedView {
  return { offset, shape: listInOrder(shape, axes), strides: listInOrder(strides, axes) };
}

/** Returns the elements of a list, one for each axis, in the order of the axes. */
export function listInOrder<T>(list: readonly T[], axes: Axes): T[] {
  return axes.map((axis) => list[axis] as T);
}

/** Returns the permutation that undoes `axes`. */
export function inverse(axes: Axes): number[] {
  return axes.map((_, axis) => axes.indexOf(axis));
}

/** Whether all axes longer than 1 are in their own order. */
export function isRowMajor(shape: readonly number[], axes: Axes): boolean {
  const moving = axes.filter((axis) => shape[axis] !== 1);
  return moving.every((axis, i) => i === 0 || axis > (moving[i - 1] as number));
}

/** Returns the order in which axes longer than 1 are in the order of `moving`, after the axes of length 1. */
function completed(shape: readonly number[], moving: Axes): number[] {
  return [...shape.keys()].filter((axis) => shape[axis] === 1).concat(moving);
}

/**
 * If the view reads adjacent elements, each once, returns the order of its axes in memory: the permuted view is
 * contiguous. Otherwise returns undefined.
 */
export function memoryOrder({ shape, strides }: StridedView): number[] | undefined {
  const moving = [...shape.keys()].filter((axis) => shape[axis] !== 1);
  moving.sort((a, b) => (strides[b] as number) - (strides[a] as number));
  let next = 1;
  for (const axis of moving.toReversed()) {
    if (strides[axis] !== next) return undefined;
    next *= shape[axis] as number;
  }
  return completed(shape, moving);
}

/**
 * `order` is an order of the dimensions of a ref. Returns the order of the axes of its value in which the elements of
 * the ref are then read. Returns undefined if the ref does not read each element of its value once, with one dimension
 * for each axis.
 */
export function orderOfValue(ref: Ref, order: Axes): number[] | undefined {
  const { shape } = ref.value;
  const box = boxOf(ref, shape);
  if (!box) return undefined;
  const moving = order.map((dim) => box.axes[dim] as number).filter((axis) => axis >= 0);
  const reads = new Set(moving);
  if (moving.length !== reads.size || box.steps.some((step) => step < 0 || step > 1))
    return undefined;
  const whole = shape.every(
    (size, axis) =>
      size === 1 || (reads.has(axis) && box.end[axis] === size && box.start[axis] === 0),
  );
  return whole ? completed(shape, moving) : undefined;
}
