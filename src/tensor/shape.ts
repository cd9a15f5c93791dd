/** Shapes whose dimensions are numbers: sizes, strides and validation. */

import { describeValue } from '../arguments/describe.js';
import { isList, reading } from '../arguments/read.js';
import { ShapeError, ValueError } from '../errors.js';

/** Returns the number of elements of a shape: 1 for `[]`, and 0 if any dimension is 0. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

/** Returns the row-major strides of a shape, in elements. An axis of length 0 counts as length 1, so no stride is 0. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = [...shape];
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= Math.max(1, shape[axis] as number);
  }
  return strides;
}

/**
 * Returns a shape as text, as in `[batch, 3]`. If a dimension is neither a number nor a string, the text has its
 * description. Never throws.
 */
export function formatShape(shape: readonly unknown[]): string {
  const dims = shape.map((dim) =>
    typeof dim === 'number' || typeof dim === 'string' ? dim : describeValue(dim),
  );
  return `[${dims.join(', ')}]`;
}

/** The greatest number of axes that a tensor may have. The native code relies on this limit. */
export const maxRank = 32;

/**
 * Returns a copy of a list of dimensions. Whether its elements are dimensions is not checked.
 * @throws ShapeError if `value` is not a list, or has more than 32 elements; ValueError if it cannot be read
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
 * Returns a copy of a shape whose dimensions are numbers.
 * @throws ShapeError if `value` is not a list of at most 32 non-negative integers; ValueError if it cannot be read, or
 *   if eight times the number of elements exceeds 2^53 - 1
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
 * Returns the index of an axis, counted from 0. A negative axis counts from the end: -1 is the last axis.
 * @throws ShapeError if `axis` is not an integer from -rank to rank - 1
 */
export function resolveAxis(axis: number, rank: number, context: string): number {
  if (typeof axis !== 'number') {
    const form = isList(axis) ? '' : ', as in (x, 1)';
    throw new ShapeError(
      `${context} expected an axis (a number${form}), but received ${describeValue(axis)}`,
    );
  }
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const allowed = rank === 0 ? 'none, because this is a scalar' : `${-rank} to ${rank - 1}`;
    throw new ShapeError(`${context} axis ${axis} is out of range (allowed: ${allowed})`);
  }
  return axis < 0 ? axis + rank : axis;
}
