/** A compile that goes on in slices, for all who wait for its result. */

import type { Sliced } from '../graph/sliced.js';
import { onAbort } from './aborts.js';
import { nextTurn } from './turns.js';

/** How long a slice may take. The garbage collector adds up to a few times as much to some. */
const sliceMilliseconds = 1;

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

export class Preparation<T> {
  readonly #work: Sliced<T>;
  #outcome: Outcome<T> | undefined;
  #waiting = 0;
  #slices: Promise<void> | undefined;

  constructor(work: Sliced<T>) {
    this.#work = work;
  }

  /** True when nobody waits for it. */
  get abandoned(): boolean {
    return this.#waiting === 0;
  }

  /** Does what is left of the work now. @throws what the work throws */
  finish(): T {
    while (!this.#outcome) this.#advance();
    return resultOf(this.#outcome);
  }

  /**
   * Resolves when the work is done. It goes on only while somebody waits.
   * @throws (rejects with) what the work throws; `signal.reason` after an abort
   */
  async wait(signal?: AbortSignal): Promise<T> {
    this.#waiting++;
    try {
      this.#slices ??= this.#run();
      await untilAborted(this.#slices, signal);
    } finally {
      this.#waiting--;
    }
    return resultOf(this.#outcome as Outcome<T>);
  }

  async #run(): Promise<void> {
    do {
      await nextTurn();
      const end = performance.now() + sliceMilliseconds;
      while (!this.#outcome && performance.now() < end) this.#advance();
    } while (!this.#outcome && !this.abandoned);
    this.#slices = undefined;
  }

  /** One slice of the work. */
  #advance(): void {
    try {
      const { done, value } = this.#work.next();
      if (done) this.#outcome = { value };
    } catch (error) {
      this.#outcome = { error };
    }
  }
}

function resultOf<T>(outcome: Outcome<T>): T {
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** The promise, but rejected with `signal.reason` when an abort comes first. */
export function untilAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    const withdraw = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).then(withdraw);
  });
}
