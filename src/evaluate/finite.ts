/** Finds the first node that is NaN or infinite by running the graph again, node by node. */

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
  /** The element's index along each axis, such as [3, 0]. */
  readonly index: readonly number[];
  readonly value: number;
}

/**
 * The first element that is NaN or infinite in any node that `roots` depend on, in execution order. Undefined if all
 * elements are finite. Constants are not checked.
 */
export function firstNotFinite(
  roots: readonly Node[],
  feeds: ReadonlyMap<Input, { readonly data: TypedArray }>,
  bindings: Bindings,
  run: number,
): NotFinite | undefined {
  const order = executionOrder(roots);
  // All values are kept so that each can be checked. This memory is used only after a failure.
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

/** The node, the value and its index, for an error message. */
export function describeNotFinite({ node, index, value }: NotFinite): string {
  const what = Number.isNaN(value) ? 'NaN' : `${value}`;
  return index.length === 0 ? `${node} is ${what}` : `${node} is ${what} at ${formatShape(index)}`;
}

/** The index along each axis of the element at a row-major position. */
function indexOf(position: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    index[axis] = position % length;
    position = Math.floor(position / length);
  }
  return index;
}
