/** Windows: the regions of a tensor that `slice` reads, and to which gradients, `concat` and `stack` write. */

import { ShapeError } from '../errors.js';
import { formatShape, sizeOf, stridesOf } from '../tensor/shape.js';
import {
  addDims,
  type Dim,
  multiplyDims,
  type Shape,
  sameShape,
  subtractDims,
} from './dimension.js';

/**
 * A window of a tensor. Along each axis, it has the elements start, start + step, start + 2 * step, … of the tensor.
 * All dimensions are numbers.
 */
export interface Window {
  /** The index of the first element along each axis. */
  readonly start: readonly number[];
  /** The distance from one element to the next along each axis, which may be negative; by default 1 for each axis. */
  readonly step?: readonly number[];
  /** The number of elements along each axis. */
  readonly shape: readonly number[];
}

/**
 * Checks that there is a window for each input, which has the elements of the input and is within a tensor of shape
 * `shape`. An empty window is always within it.
 * @throws ShapeError if this is not so
 */
export function assertWindows(
  windows: readonly Window[],
  shape: readonly number[],
  inputShapes: readonly (readonly number[])[],
): void {
  if (windows.length !== inputShapes.length) {
    throw new ShapeError(`has ${windows.length} windows for ${inputShapes.length} inputs`);
  }
  windows.forEach((window, i) => {
    const from = inputShapes[i] as readonly number[];
    if (sizeOf(window.shape) !== sizeOf(from)) {
      throw new ShapeError(
        `cannot write an input of ${formatShape(from)} to a window of ${formatShape(window.shape)}`,
      );
    }
    assertWithin(window, shape);
  });
}

/** Checks that a window is within a tensor of shape `shape`. @throws ShapeError if it is not */
function assertWithin({ start, step, shape: lengths }: Window, shape: readonly number[]): void {
  if (lengths.includes(0)) return;
  const { length: rank } = shape;
  if (start.length !== rank || lengths.length !== rank || (step && step.length !== rank)) {
    throw new ShapeError(
      `a window of ${formatShape(lengths)} at ${formatShape(start)} is not within ${formatShape(shape)}`,
    );
  }
  for (let axis = 0; axis < rank; axis++) {
    const first = start[axis] as number;
    const size = lengths[axis] as number;
    const by = step?.[axis] ?? 1;
    const last = first + (size - 1) * by;
    const within = first >= 0 && last >= 0 && Math.max(first, last) < (shape[axis] as number);
    if (!within || (by === 0 && size > 1)) {
      throw new ShapeError(
        `${rangeOf(first, last, by)} is not within axis ${axis} of ${formatShape(shape)}`,
      );
    }
  }
}

/** Returns the range of a window along one axis as text, for an error. `last` is the index of its last element. */
function rangeOf(first: number, last: number, step: number): string {
  return step === 1 ? `${first} to ${last + 1}` : `${first} to ${last}, in steps of ${step},`;
}

/** Returns where the elements of a window are in the row-major memory of a tensor of shape `shape`. */
export function layoutOf(
  { start, step, shape: lengths }: Window,
  shape: readonly number[],
): { readonly offset: number; readonly strides: number[] } {
  const unit = stridesOf(shape);
  let offset = 0;
  const strides = unit.map((stride, axis) => {
    offset += (start[axis] as number) * stride;
    return (lengths[axis] as number) > 1 ? (step?.[axis] ?? 1) * stride : stride;
  });
  return { offset, strides };
}

/**
 * Returns the index at which a window ends along one axis: one beyond its last element, in the direction of the step.
 */
export function endOf(start: Dim, length: Dim, step: number): Dim {
  if (length === 0) return start;
  return addDims(addDims(start, multiplyDims(subtractDims(length, 1), step)), Math.sign(step));
}

/**
 * Whether a window is within an axis of length `whole`, as far as this can be decided before names are bound.
 */
export function mayFit(whole: Dim, start: Dim, length: Dim, step: number): boolean {
  if (typeof start === 'number' && start < 0) return false;
  const end = endOf(start, length, step);
  if (typeof end === 'number' && end < (step < 0 ? -1 : 0)) return false;
  if (typeof whole !== 'number') return true;
  const beyond = step > 0 || length === 0 ? end : addDims(start, 1);
  return typeof beyond !== 'number' || beyond <= whole;
}

/**
 * A region of a tensor: the elements whose index along each axis is at least `start`, and less than `start` plus the
 * length in `shape`. The dimensions may have names.
 */
export interface Region {
  /** The index of the first element along each axis. */
  readonly start: Shape;
  /** The number of elements along each axis. */
  readonly shape: Shape;
}

/** Returns the region that has all elements of a tensor of shape `shape`. */
export function wholeOf(shape: Shape): Region {
  return { start: shape.map(() => 0), shape };
}

/** Whether a region has all elements of a tensor of shape `shape`. */
export function isWholeOf(region: Region, shape: Shape): boolean {
  return sameShape(region.shape, shape) && region.start.every((at) => at === 0);
}

/**
 * Returns the region of an operand of shape `shape` that is read for a region of the result, to whose shape `to` the
 * operand is broadcast.
 */
export function broadcastFrom({ start, shape: lengths }: Region, shape: Shape, to: Shape): Region {
  const lead = to.length - shape.length;
  const repeated = (axis: number) => shape[axis] === 1 && to[lead + axis] !== 1;
  return {
    start: shape.map((_, axis) => (repeated(axis) ? 0 : (start[lead + axis] as Dim))),
    shape: shape.map((_, axis) => (repeated(axis) ? 1 : (lengths[lead + axis] as Dim))),
  };
}

/** How the filters of a convolution move along one axis. */
export interface Steps {
  /** The number of elements of a filter. */
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  /** The zeros before the elements. */
  readonly before: number;
}

/**
 * Returns the elements that filters read at `count` positions from `start` on, of an axis of `length` elements; and the
 * padding with which filters have just these positions on these elements. Returns undefined if there are no positions,
 * or if their filters read only padding.
 */
export function receptiveField(
  start: number,
  count: number,
  length: number,
  { size, stride, dilation, before }: Steps,
):
  | {
      readonly start: number;
      readonly length: number;
      readonly before: number;
      readonly after: number;
    }
  | undefined {
  const from = start * stride - before;
  const to = from + (count - 1) * stride + dilation * (size - 1) + 1;
  const [first, end] = [Math.max(0, from), Math.min(length, to)];
  if (count === 0 || first >= end) return undefined;
  return { start: first, length: end - first, before: first - from, after: to - end };
}
