/** Finds the first node that has a NaN or infinite element. To find it, runs the graph again, node by node. */

import { describeNode } from '../graph/calls.js';
import type { Bindings } from '../graph/dimension.js';
import { Constant, type Input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { isFloating, type TypedArray } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { executionOrder } from './lowered.js';
import { Schedule } from './schedule.js';

/** An element that is NaN or infinite. */
export interface NotFinite {
  readonly node: Node;
  /** The index of the element along each axis, such as [3, 0]. */
  readonly index: readonly number[];
  readonly value: number;
}

/**
 * Returns the first element that is NaN or infinite, in the first node that has such an element, by the order of
 * execution. Checks the roots and all nodes that they depend on, except constants. Returns undefined if all elements
 * are finite.
 */
export function firstNotFinite(
  roots: readonly Node[],
  feeds: ReadonlyMap<Input, { readonly data: TypedArray }>,
  bindings: Bindings,
  run: number,
): NotFinite | undefined {
  const order = executionOrder(roots);
  // The schedule keeps all values until the end of the run, so that each can be checked. This needs much memory, but
  // only after a run that failed.
  const schedule = new Schedule(order, order, bindings);
  schedule.run(feeds, run);
  for (const node of order) {
    if (!isFloating(node.dtype) || node instanceof Constant) continue;
    const values = schedule.valueOf(node, feeds);
    const position = values.findIndex((value) => !Number.isFinite(value));
    if (position < 0) continue;
    const index = indexOf(position, schedule.shapeOf(node));
    return { node, index, value: values[position] as number };
  }
  return undefined;
}

/** Returns a text for an error message, which names the node, the value and its index. */
export function describeNotFinite({ node, index, value }: NotFinite): string {
  const what = Number.isNaN(value) ? 'NaN' : `${value}`;
  const which = describeNode(node);
  return index.length === 0
    ? `${which} is ${what}`
    : `${which} is ${what} at ${formatShape(index)}`;
}

/** Returns the index along each axis of the element at a row-major position. */
function indexOf(position: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    index[axis] = position % length;
    position = Math.floor(position / length);
  }
  return index;
}
