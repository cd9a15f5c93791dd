/** Shapes of numbers: sizes, strides and their validation. */

import { describeValue } from '../arguments/describe.js';
import { ShapeError, ValueError } from '../errors.js';

/** The element count of a shape; 1 for a scalar, 0 when any dimension is 0. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

/** Row-major strides, in elements; an axis of length 0 counts as 1, so that no stride is 0. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= Math.max(1, shape[axis] as number);
  }
  return strides;
}

export function formatShape(shape: readonly (number | string)[]): string {
  return `[${shape.join(', ')}]`;
}

/** As NumPy: more axes than this is a mistake; the native side relies on the bound. */
export const maxRank = 32;

/**
 * @throws ShapeError unless `shape` is a list of at most 32 non-negative integers whose product
 *   a typed array can hold
 */
export function assertShape(shape: unknown, context: string): asserts shape is number[] {
  if (!Array.isArray(shape)) {
    throw new ShapeError(`${context} expected a shape, but received ${describeValue(shape)}`);
  }
  if (shape.length > maxRank) {
    throw new ShapeError(
      `${context} expected at most ${maxRank} axes, but received ${shape.length}`,
    );
  }
  for (const dim of shape) {
    if (typeof dim !== 'number' || !Number.isInteger(dim) || dim < 0) {
      throw new ShapeError(
        `${context} expected dimensions that are non-negative integers, but received ${describeValue(dim)} in ${formatShape(shape)}`,
      );
    }
  }
  if (!Number.isSafeInteger(sizeOf(shape) * 8)) {
    throw new ValueError(`${context} a tensor of shape ${formatShape(shape)} is too large`);
  }
}

/**
 * Turns an axis that may count from the end into one that does not.
 * @throws ShapeError when it is not an integer or outside the rank
 */
export function resolveAxis(axis: number, rank: number, context: string): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const allowed = rank === 0 ? 'none, as this is a scalar' : `${-rank} to ${rank - 1}`;
    throw new ShapeError(
      `${context} axis ${typeof axis === 'number' ? axis : describeValue(axis)} is out of range (allowed: ${allowed})`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}
