/** The positions of filters along one axis of images: their number, and the padding for 'same'. */

import { ShapeError } from '../errors.js';
import {
  addDims,
  ceilDivideDim,
  type Dim,
  multiplyDims,
  subtractDims,
} from '../graph/dimension.js';
import type { Fail } from '../graph/op.js';

/** How the filters of a convolution move along one axis. */
export interface Taps {
  /** The name of the axis, for errors. */
  readonly axis: 'height' | 'width' | 'length';
  /** The distance between neighbouring positions. */
  readonly stride: number;
  /** The distance between neighbouring elements that a filter reads. */
  readonly dilation: number;
  /** The zeros that are added before and after the elements. */
  readonly before: number;
  readonly after: number;
}

/** Returns the number of elements from the first to the last that a filter of `size` elements reads. */
export function span(size: Dim, dilation: number): Dim {
  return addDims(multiplyDims(dilation, subtractDims(size, 1)), 1);
}

function misfit(length: Dim, size: Dim, { axis, before, after }: Taps): string {
  const padded = addDims(length, before + after);
  return `a filter of ${axis} ${size} does not fit into the ${axis} of x, which is ${length} (with padding: ${padded})`;
}

/**
 * Returns the number of positions along an axis of `length` elements: floor((length + before + after - span) / stride)
 * + 1. @throws ShapeError if the filter has no elements or does not fit, or if this is not a polynomial over the names
 */
export function positions(length: Dim, size: Dim, taps: Taps, fail: Fail): Dim {
  const { axis, stride, dilation, before, after } = taps;
  if (size === 0) return fail.shape(`expected filters of a positive ${axis}, but received 0`);
  const room = subtractDims(addDims(length, before + after), span(size, dilation));
  // floor(room / stride) = ceil((room - stride + 1) / stride)
  const steps = stride === 1 ? room : ceilDivideDim(subtractDims(room, stride - 1), stride);
  if (steps === undefined) {
    return fail.shape(
      `the result's ${axis} cannot be written as a dimension: x has the ${axis} ${length}, and the stride is ${stride}; give x a ${axis} that is a number or a multiple of ${stride}, or use the stride 1`,
    );
  }
  const count = addDims(steps, 1);
  return typeof count === 'number' && count < 1 ? fail.shape(misfit(length, size, taps)) : count;
}

/**
 * Checks an axis for which all dimensions are numbers. A named dimension has been checked only now.
 * @throws ShapeError if the filter does not fit, or if there are not `count` positions
 */
export function assertFits(length: number, size: number, count: number, taps: Taps): void {
  const { axis, stride, dilation, before, after } = taps;
  const room = length + before + after - (dilation * (size - 1) + 1);
  if (size < 1 || room < 0) throw new ShapeError(misfit(length, size, taps));
  const expected = Math.floor(room / stride) + 1;
  if (count === expected) return;
  throw new ShapeError(
    `there are ${expected} positions along the ${axis}, but ${count} were expected`,
  );
}

/**
 * Returns the padding [before, after] with which there are ceil(length / stride) positions. If the sum is odd, the end
 * gets one more. @throws ShapeError if it depends on a name
 */
export function samePadding(
  length: Dim,
  size: Dim,
  { axis, stride, dilation }: Taps,
  fail: Fail,
): [before: number, after: number] {
  const count = ceilDivideDim(length, stride);
  const total =
    count === undefined
      ? undefined
      : subtractDims(
          addDims(multiplyDims(subtractDims(count, 1), stride), span(size, dilation)),
          length,
        );
  if (typeof total !== 'number') {
    return fail.shape(
      `padding 'same' must be a number, but the ${axis} of x is ${length}, that of the filters ${size}, and the stride ${stride}; give the padding as numbers, or x a ${axis} that is a number or a multiple of ${stride}`,
    );
  }
  const before = Math.floor(Math.max(0, total) / 2);
  return [before, Math.max(0, total) - before];
}
