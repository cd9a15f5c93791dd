/** Starts asynchronous runs of native programs, aborts them, and handles their end. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { holdLeaves, releaseLeaves } from '../graph/in-flight.js';
import type { Variable } from '../graph/leaf.js';
import {
  cancelled,
  cancelRun,
  type Outcome,
  type RunStatus,
  type StartedRun,
  startProgram,
} from '../native/program.js';
import { onAbort } from './aborts.js';

export interface Landed {
  /** `done` if the runs succeeded; otherwise the failure of an instruction. */
  readonly status: Outcome;
  /** The number of runs that were completed. */
  readonly steps: number;
  /** The index of the last run that was started. */
  readonly run: number;
}

export interface Flight extends Omit<StartedRun, 'done'> {
  /** The leaves that the runs read or write. They cannot be set during the runs. */
  readonly variables: readonly Variable[];
  /** The leaves that the runs write, a subset of `variables`. They cannot be saved during the runs. */
  readonly written: readonly Variable[];
  /** An abort ends the runs, unless the last one has begun to write. */
  readonly signal: AbortSignal | undefined;
  /** Called after the runs have started. Not called if they cannot start. */
  readonly launched: () => void;
  /**
   * Called after the runs have ended, with or without an error, before the promise settles. `steps` is the number of
   * runs that were completed.
   */
  readonly landed: (steps: number) => void;
}

/**
 * Starts runs, and resolves when they end. Rejects with `signal.reason` if the signal is aborted before the last run
 * begins to write.
 */
export function fly({
  variables,
  written,
  signal,
  launched,
  landed,
  ...start
}: Flight): Promise<Landed> {
  return new Promise((resolve, reject) => {
    const done = (status: RunStatus, steps: number, run: number) => {
      releaseLeaves(variables, written);
      landed(steps);
      try {
        withdraw?.();
        if (status === cancelled) reject(signal?.reason);
        else resolve({ status: status as Outcome, steps, run });
      } catch (error) {
        reject(error); // `removeEventListener` of a signal that the user wrote may throw.
      }
    };
    let number: number | undefined;
    const withdraw = signal && onAbort(signal, () => number !== undefined && cancelRun(number));
    try {
      // A getter among the feeds may have aborted the signal. From here to the start, no code of the user runs.
      signal?.throwIfAborted();
      number = startProgram({ ...start, done });
    } catch (error) {
      withdraw?.();
      throw error;
    }
    // `startProgram` does not call `done` before this function returns, so the leaves are held before they are
    // released.
    holdLeaves(variables, written);
    launched();
  });
}

const methods = ['throwIfAborted', 'addEventListener', 'removeEventListener'] as const;

/**
 * The kind of an option that is an AbortSignal. A signal is recognised by its methods, not by `instanceof`, because it
 * may come from another realm.
 */
export const abortSignal: Kind<AbortSignal> = {
  expected: 'an AbortSignal',
  accepts: (value) => {
    if (typeof value !== 'object' || value === null) return false;
    try {
      const signal = value as AbortSignal;
      return (
        typeof signal.aborted === 'boolean' &&
        methods.every((method) => typeof signal[method] === 'function')
      );
    } catch {
      return false; // The value is a proxy whose traps throw.
    }
  },
};

/** Checks the option `signal`. @throws ValueError if it is neither an AbortSignal nor undefined */
export function assertSignal(
  context: string,
  signal: unknown,
): asserts signal is AbortSignal | undefined {
  if (signal === undefined || abortSignal.accepts(signal)) return;
  throw new ValueError(
    `${context}: signal must be ${abortSignal.expected}, but is ${describeValue(signal)}`,
  );
}
