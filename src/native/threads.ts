/** How many threads a run may use, for all programs of the process that say nothing else. */

import { describeValue } from '../arguments/describe.js';
import { wholeNumber } from '../arguments/kinds.js';
import { ValueError } from '../errors.js';
import { load } from './addon.js';

/** A number of threads. */
export const threadCount = wholeNumber(1);

/**
 * Sets how many threads a run may use, the one that it is made on included. At first it is as many
 * as the process may run on at once, or as a container's quota of processor time suffices for, if that
 * is fewer; more than 64 count as 64. A program's bits may depend on it.
 * @throws ValueError unless `threads` is a positive integer; NativeError if the addon does not load
 */
export function setThreads(threads: number): void {
  if (!threadCount.accepts(threads)) {
    throw new ValueError(
      `setThreads: threads must be ${threadCount.expected}, but is ${describeValue(threads)}`,
    );
  }
  load().addon.setThreads(threads);
}

/**
 * How many threads a run may use, unless its program says otherwise.
 * @throws NativeError if the addon does not load
 */
export function getThreads(): number {
  return load().addon.getThreads();
}
