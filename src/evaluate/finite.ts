/** Finds the first node that has a NaN or infinite element. To find it, runs the graph again, node by node. */

import { describeNode } from '../graph/calls.js';
import type { Bindings } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import { describeSteps } from '../graph/loop.js';
import type { Node } from '../graph/node.js';
import { resultIn } from '../graph/results.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { Course, type NotFinite, Search, type Sought } from './course.js';
import { executionOrder } from './lowered.js';
import { Schedule } from './schedule.js';

export type { NotFinite, Sought } from './course.js';

/**
 * Returns the first element that is NaN or infinite, in the first node that has such an element, by the order of
 * execution. Checks the roots and all nodes that they depend on, except constants, and the bodies of their loops in all
 * steps. Returns undefined if all elements are finite.
 * @param sought where to look in the bodies of some loops, by the nodes of the loops
 */
export function firstNotFinite(
  roots: readonly Node[],
  feeds: ReadonlyMap<Input, { readonly data: TypedArray }>,
  bindings: Bindings,
  run: number,
  sought: ReadonlyMap<Node, Sought> = new Map(),
): NotFinite | undefined {
  const search = new Search(sought);
  new Schedule(executionOrder(roots), roots, bindings, new Course(search)).run(feeds, run);
  return search.found;
}

/** Returns a text for an error message, which names the node, the value, its index, and the steps of loops. */
export function describeNotFinite({ node, index, value, steps }: NotFinite): string {
  const what = Number.isNaN(value) ? 'NaN' : `${value}`;
  const several = resultIn(node)?.several;
  const which = several ? `a result of ${describeNode(several)}` : describeNode(node);
  const where = index.length === 0 ? '' : ` at ${formatShape(index)}`;
  return `${which} is ${what}${where}${describeSteps(steps)}`;
}
