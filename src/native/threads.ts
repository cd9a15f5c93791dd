/** How many threads a run may use, for all programs of the process that say nothing else. */

import { describeValue } from '../arguments/describe.js';
import { ValueError } from '../errors.js';
import { load } from './addon.js';

/**
 * Sets how many threads a run may use, the one that it is made on included. At first it is as many
 * as the process may run on at once, or as a container's quota of processor time suffices for, if that
 * is fewer; more than 64 count as 64. A program's bits may depend on it.
 * @throws ValueError unless `threads` is a positive integer; NativeError when the addon does not load
 */
export function setThreads(threads: number): void {
  assertThreads(threads, 'setThreads:');
  load().addon.setThreads(threads);
}

/**
 * How many threads a run may use, unless its program says otherwise.
 * @throws NativeError when the addon does not load
 */
export function getThreads(): number {
  return load().addon.getThreads();
}

/** @throws ValueError unless it is a positive integer */
export function assertThreads(threads: unknown, context: string): asserts threads is number {
  if (!Number.isSafeInteger(threads) || (threads as number) < 1) {
    throw new ValueError(
      `${context} threads must be a positive integer, but is ${describeValue(threads)}`,
    );
  }
}
