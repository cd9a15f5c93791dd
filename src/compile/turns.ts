/** Splits long work on the JavaScript thread into turns of the event loop. */

import { setImmediate } from 'node:timers';

const waiting: (() => void)[] = [];

/**
 * Resolves in a later turn of the event loop, after pending timers and I/O. Each turn resumes one caller, in the order of
 * the calls, so that several long tasks block the event loop no longer than one.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(resumeFirst);
  });
}

function resumeFirst(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(resumeFirst);
}
