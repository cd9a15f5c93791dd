/**
 * Counts, for each parameter and state, the changes that JavaScript makes to it. Programs compare these counts to find
 * out whether the values that they keep are still those of the leaves. Changes by compiled programs are not counted
 * here: the addon observes them itself.
 */

import type { Variable } from './leaf.js';

const changesOfLeaf = new WeakMap<Variable, number>();
let all = 0;

/** Records that the value of a leaf has changed. */
export function noteChange(leaf: Variable): void {
  changesOfLeaf.set(leaf, changesOf(leaf) + 1);
  all++;
}

/** Returns the number of changes of a leaf. */
export function changesOf(leaf: Variable): number {
  return changesOfLeaf.get(leaf) ?? 0;
}

/** Returns the number of changes of all leaves together. */
export function allChanges(): number {
  return all;
}
