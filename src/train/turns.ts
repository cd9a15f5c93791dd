/** Long work on the JavaScript thread, in turns: other callbacks have theirs in between. */

import { nextTurn } from '../compile/turns.js';

/** How long one turn may take; a unit of work should take much less. */
const turnMilliseconds = 1;

export class Turns {
  #began = performance.now();

  /** To be awaited after each unit of work: lets the event loop run when the turn is over. */
  async pass(): Promise<void> {
    if (performance.now() - this.#began < turnMilliseconds) return;
    await nextTurn();
    this.#began = performance.now();
  }
}
