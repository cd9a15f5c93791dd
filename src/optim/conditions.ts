/** Conditions: bool nodes of shape []. A list of conditions holds if all of them hold. */

import { constant } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { where } from '../ops/index.js';

const bool = (value: 0 | 1) => constant(value, { dtype: 'bool' });

/** Returns whether all conditions hold; undefined for an empty list, which always holds. */
export function allOf(conditions: readonly Node[]): Node | undefined {
  if (conditions.length === 0) return undefined;
  return conditions.reduce((all, one) => where(all, one, bool(0)));
}

/** Returns whether `then` holds, or not all of `conditions` hold. */
export function impliedBy(conditions: readonly Node[], then: Node): Node {
  const all = allOf(conditions);
  return all === undefined ? then : where(all, then, bool(1));
}
