/** Sets the number of threads that a run may use, for all programs of the process that do not set their own number. */

import { describeValue } from '../arguments/describe.js';
import { wholeNumber } from '../arguments/kinds.js';
import { ValueError } from '../errors.js';
import { load } from './addon.js';

/** The kind of an option that is a number of threads. */
export const threadCount = wholeNumber(1);

/**
 * Sets how many threads a run may use, including the thread that runs it. The default is the number of processors
 * that the process may use, or the CPU quota of the container if that is smaller. A number above 64 counts as 64. The
 * bits of a program's results may depend on this number.
 * @throws ValueError if `threads` is not a positive integer; NativeError if the addon does not load
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
 * Returns how many threads a run may use, unless its program sets another number.
 * @throws NativeError if the addon does not load
 */
export function getThreads(): number {
  return load().addon.getThreads();
}
