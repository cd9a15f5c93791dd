/** Splits long work on the JavaScript thread into turns of the event loop. */

import { setImmediate } from 'node:timers';

const waiting: (() => void)[] = [];

/**
 * Resolves in a later turn of the event loop, after pending timers and I/O. Each turn resumes only one caller, in the
 * order of the calls. Several long tasks therefore do not block the event loop for longer than one task does.
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
