/** New values for leaves: what may be written, whichever executor does it. */

import { assertList, describeValue } from '../arguments/describe.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import { Variable } from '../graph/leaf.js';
import { Node } from '../graph/node.js';
import { formatShape } from '../tensor/shape.js';

/** New values for leaves: what a training step writes. */
export type Updates = readonly (readonly [leaf: Variable, value: Node])[];

/** @throws ValueError for what is no node */
export function checkOutputs(outputs: readonly Node[]): void {
  for (const output of outputs) {
    if (!(output instanceof Node)) {
      throw new ValueError(`expected a node to evaluate, but received ${describeValue(output)}`);
    }
  }
}

/**
 * @throws ValueError for what are no pairs; GraphError for a leaf that cannot be updated, or is twice;
 *   DTypeError or ShapeError for a value that cannot be its leaf's
 */
export function checkUpdates(updates: Updates): void {
  const seen = new Set<Node>();
  for (const update of assertList(updates, 'updates: expected [leaf, value] pairs,')) {
    const [leaf, value] = assertList(
      update,
      'updates: expected a [leaf, value] pair,',
    ) as typeof update;
    if (!(leaf instanceof Variable)) {
      throw new GraphError(`only parameters and states can be updated, but ${leaf} is neither`);
    }
    if (!(value instanceof Node)) {
      throw new GraphError(
        `update of ${leaf}: expected a node, but received ${describeValue(value)}`,
      );
    }
    if (seen.has(leaf)) throw new GraphError(`${leaf} is updated twice in one run`);
    seen.add(leaf);
    if (value.dtype !== leaf.dtype) {
      throw new DTypeError(
        `update of ${leaf}: expected ${leaf.dtype}, but ${value} is ${value.dtype}`,
      );
    }
    const known = value.shape.every((dim) => typeof dim === 'number');
    if (known && !sameShape(value.shape, leaf.shape)) {
      throw new ShapeError(
        `update of ${leaf}: expected shape ${formatShape(leaf.shape)}, but ${value} has ${formatShape(value.shape)}`,
      );
    }
  }
}

/** The same where the names of dimensions are known. @throws ShapeError for a value of another shape */
export function checkBoundUpdates(
  updates: Updates,
  shapeOf: (node: Node) => readonly number[],
): void {
  for (const [leaf, value] of updates) {
    if (!sameShape(shapeOf(value), leaf.shape)) {
      throw new ShapeError(
        `update of ${leaf}: expected shape ${formatShape(leaf.shape)}, but ${value} is ${formatShape(shapeOf(value))}`,
      );
    }
  }
}

/** @throws ValueError unless it may be the index of a run */
export function assertRun(run: unknown): asserts run is number {
  if (!Number.isSafeInteger(run) || (run as number) < 0) {
    throw new ValueError(`run must be an integer from 0 to 2^53 - 1, but is ${describeValue(run)}`);
  }
}
