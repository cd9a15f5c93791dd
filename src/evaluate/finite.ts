/** Which node went NaN or infinite first: found by running a graph again, node by node. */

import type { Bindings } from '../graph/dimension.js';
import { Constant, type Input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { isFloating, type TypedArray } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { executionOrder } from './lowered.js';
import { Schedule } from './schedule.js';

export interface NotFinite {
  readonly node: Node;
  /** The element's place, as in [3, 0]. */
  readonly index: readonly number[];
  readonly value: number;
}

/**
 * The first node, inputs before what they feed, that `roots` depend on and that has an element which
 * is NaN or infinite; undefined when there is none. Constants may be what they are.
 */
export function firstNotFinite(
  roots: readonly Node[],
  feeds: ReadonlyMap<Input, { readonly data: TypedArray }>,
  bindings: Bindings,
  run: number,
): NotFinite | undefined {
  const order = executionOrder(roots);
  // All values are kept, for each to be looked at: memory that only a failure costs.
  const schedule = new Schedule(order, order, bindings);
  schedule.run(feeds, run);
  for (const node of order) {
    if (!isFloating(node.dtype) || node instanceof Constant) continue;
    const values = schedule.valueOf(node, feeds);
    const place = values.findIndex((value) => !Number.isFinite(value));
    if (place < 0) continue;
    const index = indexOf(place, schedule.shapeOf(node));
    return { node, index, value: values[place] as number };
  }
  return undefined;
}

export function describeNotFinite({ node, index, value }: NotFinite): string {
  const what = Number.isNaN(value) ? 'NaN' : `${value}`;
  return index.length === 0 ? `${node} is ${what}` : `${node} is ${what} at ${formatShape(index)}`;
}

function indexOf(place: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    index[axis] = place % length;
    place = Math.floor(place / length);
  }
  return index;
}
