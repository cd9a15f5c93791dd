/** The interface of a program for `fit` and `predict`: several runs in one call. Not public. */

import type { Updates } from '../evaluate/updates.js';
import type { Bindings } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { TypedArray } from '../tensor/dtype.js';

export interface StepRequest {
  /** The number of runs, which execute one after another. Each is an ordinary run with the program's next index. */
  readonly steps: number;
  /** The binding of the dimension names, for all runs. */
  readonly bindings: Bindings;
  /** By input, on SharedArrayBuffers: the feed of the first run, then of the second, …. Do not change them meanwhile. */
  readonly feeds: ReadonlyMap<string, TypedArray>;
  /** By output, on SharedArrayBuffers: memory for the output of the first run, then of the second, …. */
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
   * Resolves when all runs are done. After an abort it rejects with `signal.reason`, between two runs or before a run
   * has written anything. It rejects with a NumericError at the first run whose results are not finite; the runs
   * before it are complete.
   */
  runSteps(request: StepRequest): Promise<void>;
}
