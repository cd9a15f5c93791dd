/** Nested arrays of numbers, in and out. */

import { describeValue } from '../arguments/describe.js';
import { isList } from '../arguments/read.js';
import { ShapeError, ValueError } from '../errors.js';
import type { TypedArray } from './dtype.js';
import { maxRank } from './shape.js';

/** A number, or arrays of numbers nested to any depth; all arrays of one depth have one length. */
export type Nested = number | readonly Nested[];

/** The shape of nested arrays, read off the first element of each depth. */
export function shapeOfNested(data: Nested): number[] {
  const shape: number[] = [];
  for (let level: Nested | undefined = data; isList(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > maxRank) break; // an array that holds itself has no end; the rank is refused
  }
  return shape;
}

/**
 * Writes nested arrays into `target` in row-major order.
 * @throws ShapeError for ragged arrays, ValueError for an element that is not a number; both name the position
 */
export function flattenInto(
  target: TypedArray,
  data: Nested,
  shape: readonly number[],
  context: string,
): void {
  let next = 0;
  const path: number[] = [];
  const at = () => (path.length === 0 ? 'the value' : `element [${path.join(', ')}]`);

  const visit = (value: Nested, depth: number): void => {
    if (depth === shape.length) {
      if (typeof value !== 'number') {
        if (!isList(value)) {
          throw new ValueError(
            `${context} ${at()} must be a number, but is ${describeValue(value)}`,
          );
        }
        throw new ShapeError(
          `${context} ragged nested arrays: ${at()} must be a number, but is ${describeValue(value)}`,
        );
      }
      target[next++] = value;
      return;
    }
    if (!isList(value) || value.length !== shape[depth]) {
      throw new ShapeError(
        `${context} ragged nested arrays: ${at()} must be an array of ${shape[depth]}, but is ${describeValue(value)}`,
      );
    }
    for (let index = 0; index < value.length; index++) {
      path.push(index);
      visit(value[index] as Nested, depth + 1);
      path.pop();
    }
  };
  visit(data, 0);
}

/** Row-major data as nested arrays of `shape`; a scalar gives a number. */
export function nest(data: TypedArray, shape: readonly number[]): Nested {
  let next = 0;
  const build = (axis: number): Nested =>
    axis === shape.length
      ? (data[next++] as number)
      : Array.from({ length: shape[axis] as number }, () => build(axis + 1));
  return build(0);
}
