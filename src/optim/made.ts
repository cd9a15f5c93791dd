/** What is known of updates besides their pairs. It belongs to the pairs, so it is found in any list that has them. */

import type { Updates } from '../evaluate/updates.js';
import type { Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Counter } from './context.js';

/** What one call of an optimizer made. */
export interface Made {
  readonly rates: readonly Node[];
  readonly averages: ReadonlyMap<Variable, Node>;
  /** The counters of the rules that may skip steps. */
  readonly skipping: ReadonlySet<Counter>;
}

const madeWith = new WeakMap<Node, Made>();

/** Records what was made together with these updates. */
export function noteMade(updates: Updates, made: Made): void {
  for (const [, value] of updates) madeWith.set(value, made);
}

/** Returns what was made together with updates, in the order of the updates. */
export function madeFor(updates: Updates): ReadonlySet<Made> {
  const found = new Set<Made>();
  for (const [, value] of updates) {
    const made = madeWith.get(value);
    if (made !== undefined) found.add(made);
  }
  return found;
}
