/** Runs off the JavaScript thread: started, perhaps aborted, and landed. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { holdLeaves, releaseLeaves, type Variable } from '../graph/leaf.js';
import { cancelled, cancelRun, type StartedRun, startProgram } from '../native/program.js';
import { onAbort } from './aborts.js';

export interface Landed {
  /** `done`, or the instruction whose result was not finite. */
  readonly status: number;
  readonly steps: number;
  /** The index of the last run that was begun. */
  readonly run: number;
}

export interface Flight extends Omit<StartedRun, 'done'> {
  /** What the runs read or write: it cannot be set meanwhile. */
  readonly variables: readonly Variable[];
  /** Those of them that the runs write: they cannot be saved meanwhile. */
  readonly written: readonly Variable[];
  /** An abort ends the flight, unless its last run has begun to write. */
  readonly signal: AbortSignal | undefined;
  /** Called when it has started, if it does. */
  readonly launched: () => void;
  /** Called when it has landed, however it did, before the promise is settled. */
  readonly landed: (steps: number) => void;
}

/** Rejects with `signal.reason` after an abort that came in time. */
export function fly({
  variables,
  written,
  signal,
  launched,
  landed,
  ...start
}: Flight): Promise<Landed> {
  return new Promise((resolve, reject) => {
    // It may have been aborted since it was checked, while its feeds were read; from here on nobody can.
    signal?.throwIfAborted();
    const done = (status: number, steps: number, run: number) => {
      withdraw?.();
      releaseLeaves(variables, written);
      landed(steps);
      if (status === cancelled) reject(signal?.reason);
      else resolve({ status, steps, run });
    };
    const number = startProgram({ ...start, done });
    // Nothing of it is called before this function returns.
    holdLeaves(variables, written);
    launched();
    const withdraw = signal && onAbort(signal, () => cancelRun(number));
  });
}

const methods = ['throwIfAborted', 'addEventListener', 'removeEventListener'] as const;

/** An option that is an AbortSignal, recognised by its methods: it may come from another realm. */
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
      return false; // a proxy whose traps throw
    }
  },
};

/** @throws ValueError if `signal` is neither an AbortSignal nor undefined */
export function assertSignal(
  context: string,
  signal: unknown,
): asserts signal is AbortSignal | undefined {
  if (signal === undefined || abortSignal.accepts(signal)) return;
  throw new ValueError(
    `${context}: signal must be ${abortSignal.expected}, but is ${describeValue(signal)}`,
  );
}
