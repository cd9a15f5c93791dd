/** Several runs in one call: what `fit` and `predict` ask of a program. Not public. */

import type { Updates } from '../evaluate/updates.js';
import type { Bindings } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { TypedArray } from '../tensor/dtype.js';

export interface StepRequest {
  /** How many runs: one after another, each like any other, with the program's next index. */
  readonly steps: number;
  /** What the names of dimensions are, in all of them. */
  readonly bindings: Bindings;
  /** By input, on SharedArrayBuffers: the first run's feed, then the second's, …. Not to be touched meanwhile. */
  readonly feeds: ReadonlyMap<string, TypedArray>;
  /** By output, likewise: where the first run's value goes, then the second's, …. */
  readonly outputs: ReadonlyMap<string, TypedArray>;
  readonly checkFinite: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Several runs in one call, off the JavaScript thread, on memory that the caller gives. */
export interface Stepper {
  readonly inputs: ReadonlyMap<string, Input>;
  readonly outputs: ReadonlyMap<string, Node>;
  readonly updates: Updates;
  /** Whether a step changes a parameter. */
  readonly trains: boolean;
  /** The index of the next run. */
  runs: number;
  /**
   * Resolves when all steps are done. Rejects with `signal.reason` after an abort, between two steps or before
   * one has written anything; with a NumericError for the first step that went wrong: those before it are
   * done.
   */
  runSteps(request: StepRequest): Promise<void>;
}
