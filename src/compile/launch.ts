/** Asynchronous runs, which execute off the JavaScript thread: the request to start them, and their results. */

import type { Bindings } from '../graph/dimension.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Executable } from './executable.js';
import type { Flight, Landed } from './flight.js';

/** A request to start runs. */
export interface LaunchRequest extends Pick<Flight, 'steps' | 'checkFinite' | 'signal'> {
  /** Returns the memory for the feeds and outputs of the runs, in native order. */
  readonly memoryOf: (executable: Executable) => TypedArray[];
}

/** Runs that have finished. */
export interface Launched {
  readonly executable: Executable;
  readonly memory: TypedArray[];
  readonly landed: Landed;
}

/**
 * Copies the feeds that are set in an executable, and clears them in the executable. Returns the binding of the
 * executable, and a function that returns the arrays of the run: the copies, followed by memory for the outputs.
 */
export function stagedIn(executable: Executable): {
  bindings: Bindings;
  memoryOf: LaunchRequest['memoryOf'];
} {
  const { bindings } = executable;
  try {
    const memory = executable.stage();
    return { bindings, memoryOf: () => memory };
  } finally {
    executable.forget();
  }
}
