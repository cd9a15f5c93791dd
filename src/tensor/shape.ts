/** Shapes of numbers: sizes, strides and their validation. */

import { describeValue } from '../arguments/describe.js';
import { isList, reading } from '../arguments/read.js';
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

/** As in `[batch, 3]`; what is neither a number nor a name is described, so this never throws. */
export function formatShape(shape: readonly unknown[]): string {
  const dims = shape.map((dim) =>
    typeof dim === 'number' || typeof dim === 'string' ? dim : describeValue(dim),
  );
  return `[${dims.join(', ')}]`;
}

/** As NumPy: more axes than this is a mistake; the native side relies on the bound. */
export const maxRank = 32;

/**
 * A copy of a list of dimensions, whatever they are.
 * @throws ShapeError unless it is a list of at most 32; ValueError if it cannot be read
 */
export function dimensionList(value: unknown, context: string): unknown[] {
  if (!isList(value)) {
    const form = typeof value === 'number' ? `; write it as a list: [${value}]` : '';
    throw new ShapeError(
      `${context} expected a shape (a list of dimensions), but received ${describeValue(value)}${form}`,
    );
  }
  const shape = reading(`${context} the shape`, value, () => [...value]);
  if (shape.length > maxRank) {
    throw new ShapeError(
      `${context} expected at most ${maxRank} axes, but received ${shape.length}`,
    );
  }
  return shape;
}

/**
 * A copy of a shape.
 * @throws ShapeError unless it is a list of at most 32 non-negative integers; ValueError if the product of these is
 *   larger than a typed array can be
 */
export function assertShape(value: unknown, context: string): readonly number[] {
  const shape = dimensionList(value, context) as number[];
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
  return shape;
}

/**
 * Turns an axis that may count from the end into one that does not.
 * @throws ShapeError when it is not an integer or outside the rank
 */
export function resolveAxis(axis: number, rank: number, context: string): number {
  if (typeof axis !== 'number') {
    const form = isList(axis) ? '' : ', as in (x, 1)';
    throw new ShapeError(
      `${context} expected an axis (a number${form}), but received ${describeValue(axis)}`,
    );
  }
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const allowed = rank === 0 ? 'none, as this is a scalar' : `${-rank} to ${rank - 1}`;
    throw new ShapeError(`${context} axis ${axis} is out of range (allowed: ${allowed})`);
  }
  return axis < 0 ? axis + rank : axis;
}
