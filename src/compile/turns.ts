/** Turns of the event loop, for long work on the JavaScript thread. */

import { setImmediate } from 'node:timers';

const waiting: (() => void)[] = [];

/**
 * Resolves in a later turn of the event loop: timers, input and output come before. One caller is resumed in each
 * turn, in the order of calling, so that many long works at once block the loop no longer than one.
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
