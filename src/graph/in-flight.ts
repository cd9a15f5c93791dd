/**
 * Counts, for each parameter and state, the asynchronous runs that use it and have not ended yet. While a run reads or
 * writes a leaf, the leaf cannot be set. While a run writes a leaf, the leaf cannot be saved.
 */

import { StateError } from '../errors.js';
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

/**
 * Checks that no run in flight writes a variable that will be saved, because a file must not contain half an update.
 * Runs in flight may read the variable.
 * @throws StateError if a run in flight writes it
 */
export function assertUnwritten(context: string, variable: Variable): void {
  if (!writtenInFlight(variable)) return;
  throw new StateError(`${context}: a run that writes ${variable} is in flight; await it first`);
}

/**
 * Checks that no run in flight reads or writes a variable that will be set from a file, because its values must not
 * change during a run.
 * @throws StateError if a run in flight reads or writes it
 */
export function assertAtRest(context: string, variable: Variable): void {
  if (!inFlight(variable)) return;
  throw new StateError(
    `${context}: a run that reads or writes ${variable} is in flight; await it first`,
  );
}
