/** The interface through which `fit` and `predict` use a program: one call executes several runs. It is not public. */

import type { Updates } from '../evaluate/updates.js';
import type { Bindings } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { TypedArray } from '../tensor/dtype.js';

export interface StepRequest {
  /** The number of runs. They execute one after another. Each is an ordinary run and has the program's next index. */
  readonly steps: number;
  /** The binding of the dimension names, for all runs. */
  readonly bindings: Bindings;
  /**
   * An array on a SharedArrayBuffer for each input, by name. The array contains the feeds of all runs, one after
   * another. Do not change it during the runs.
   */
  readonly feeds: ReadonlyMap<string, TypedArray>;
  /**
   * An array on a SharedArrayBuffer for each output, by name. The runs write their values of the output to this array,
   * one after another.
   */
  readonly outputs: ReadonlyMap<string, TypedArray>;
  readonly checkFinite: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Executes several runs in one call, off the JavaScript thread, on memory of the caller. */
export interface Stepper {
  readonly inputs: ReadonlyMap<string, Input>;
  readonly outputs: ReadonlyMap<string, Node>;
  readonly updates: Updates;
  /** Whether a run changes a parameter. */
  readonly trains: boolean;
  /** The index of the next run. */
  runs: number;
  /**
   * Resolves when all runs have finished. An abort takes effect between two runs, or during a run that has not written
   * anything yet; the promise then rejects with `signal.reason`. If the results of a run are not finite and
   * `checkFinite` is true, the promise rejects with a NumericError, and the earlier runs remain complete.
   */
  runSteps(request: StepRequest): Promise<void>;
}
