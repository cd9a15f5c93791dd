/** Splits long work on the JavaScript thread into turns of the event loop, so that other callbacks run in between. */

import { nextTurn } from '../compile/turns.js';

/** The duration of one turn. A unit of work should take much less. */
const turnMilliseconds = 1;

export class Turns {
  #began = performance.now();

  /** Lets the event loop run if the current turn is over. Await this after each unit of work. */
  async pass(): Promise<void> {
    if (performance.now() - this.#began < turnMilliseconds) return;
    await nextTurn();
    this.#began = performance.now();
  }
}
