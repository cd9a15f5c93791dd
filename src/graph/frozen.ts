/**
 * Parameters that are frozen: optimizers leave them out. This is read when the updates of an optimizer are built, so a
 * parameter that existing updates train cannot be frozen any more.
 */

import { StateError } from '../errors.js';
import type { Variable } from './leaf.js';

const frozen = new WeakSet<Variable>();
const trained = new WeakSet<Variable>();

/** Returns whether a parameter is frozen. */
export function isFrozen(parameter: Variable): boolean {
  return frozen.has(parameter);
}

/** Records that updates exist that train these parameters. */
export function noteTrained(parameters: Iterable<Variable>): void {
  for (const parameter of parameters) trained.add(parameter);
}

/**
 * Freezes parameters: all of them or, if it throws, none.
 * @throws StateError if updates of an optimizer that were built before train one of the parameters
 */
export function freezeAll(parameters: readonly Variable[], context: string): void {
  const late = parameters.find((parameter) => trained.has(parameter));
  if (late !== undefined) {
    throw new StateError(
      `${context}: updates that were built before train ${late}, and would still train it; freeze it before the optimizer is built`,
    );
  }
  for (const parameter of parameters) frozen.add(parameter);
}

/**
 * Freezes parameters for updates that are built later, also those that earlier updates train and will still train: for
 * modules that put something else in place of the parameters.
 */
export function freezeForLater(parameters: readonly Variable[]): void {
  for (const parameter of parameters) frozen.add(parameter);
}

/** Undoes `freezeAll`. Updates that were built before are not changed. */
export function unfreezeAll(parameters: readonly Variable[]): void {
  for (const parameter of parameters) frozen.delete(parameter);
}
