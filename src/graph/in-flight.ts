/**
 * Counts, for each parameter and state, the asynchronous runs that use it and have not ended yet. While a run reads or
 * writes a leaf, the leaf cannot be set. While a run writes a leaf, the leaf cannot be saved.
 */

import type { Variable } from './leaf.js';

interface Runs {
  /** The number of runs that read or write the leaf. */
  using: number;
  /** The number of these runs that write it. */
  writing: number;
}

/** The counts of each leaf that a run has used. They are kept after the run, for later runs. */
const runsOf = new WeakMap<Variable, Runs>();

/**
 * Records that an asynchronous run, which now starts, uses these leaves.
 * @param leaves all leaves that the run reads or writes
 * @param written the leaves among them that the run writes
 */
export function holdLeaves(leaves: readonly Variable[], written: readonly Variable[] = []): void {
  for (const leaf of leaves) countsOf(leaf).using++;
  for (const leaf of written) countsOf(leaf).writing++;
}

/** Undoes what `holdLeaves` recorded for a run. It is called with the same arguments after the run has ended. */
export function releaseLeaves(
  leaves: readonly Variable[],
  written: readonly Variable[] = [],
): void {
  for (const leaf of leaves) countsOf(leaf).using--;
  for (const leaf of written) countsOf(leaf).writing--;
}

/** Returns whether an asynchronous run that has not ended yet reads or writes the leaf. */
export function inFlight(leaf: Variable): boolean {
  return (runsOf.get(leaf)?.using ?? 0) > 0;
}

/** Returns whether an asynchronous run that has not ended yet writes the leaf. */
export function writtenInFlight(leaf: Variable): boolean {
  return (runsOf.get(leaf)?.writing ?? 0) > 0;
}

function countsOf(leaf: Variable): Runs {
  let runs = runsOf.get(leaf);
  if (!runs) {
    runs = { using: 0, writing: 0 };
    runsOf.set(leaf, runs);
  }
  return runs;
}
