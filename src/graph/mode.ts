/**
 * The mode in which a graph is built: `training` or `inference`. Ops and layers that do different things in the two,
 * such as dropout and batch normalisation, read it when their nodes are made.
 */

import { describeValue } from '../arguments/describe.js';
import { ValueError } from '../errors.js';

type Mode = 'training' | 'inference';

let current: Mode | undefined;

/**
 * Calls `build`, and returns its result. Graphs that `build` makes are for training: `dropout` drops elements, and
 * `BatchNorm` uses the statistics of the batch. An inner call of `inference` overrides this. Outside of both functions,
 * graphs are for inference.
 * @throws ValueError if `build` is not a function, or returns a promise: the mode ends when `build` returns; any error
 *   that `build` throws
 */
export function training<T>(build: () => T): T {
  return within('training', build);
}

/**
 * Calls `build`, and returns its result. Graphs that `build` makes are for inference: `dropout` is the identity, and
 * `BatchNorm` uses its running statistics. An inner call of `training` overrides this.
 * @throws ValueError if `build` is not a function, or returns a promise: the mode ends when `build` returns; any error
 *   that `build` throws
 */
export function inference<T>(build: () => T): T {
  return within('inference', build);
}

/** Returns whether graphs that are built now are for training. */
export function isTraining(): boolean {
  return current === 'training';
}

function within<T>(mode: Mode, build: () => T): T {
  if (typeof build !== 'function') {
    throw new ValueError(
      `${mode}: expected a function that builds a graph, but received ${describeValue(build)}`,
    );
  }
  const before = current;
  current = mode;
  try {
    const built = build();
    if (built instanceof Promise) {
      // The error below is thrown in its place, so nobody waits for the promise.
      built.catch(() => {});
      throw new ValueError(
        `${mode}: the function returned a promise, but the mode has ended before the promise is settled; build the graph in a function that is not async`,
      );
    }
    return built;
  } finally {
    current = before;
  }
}
