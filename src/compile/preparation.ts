/** Runs a compile in slices. All callers that wait for the compile share its result. */

import { type Sliced, withoutPauses } from '../graph/sliced.js';
import { onAbort } from './aborts.js';
import { Pauses } from './pauses.js';
import { nextTurn } from './turns.js';

/** The planned time of a slice, in milliseconds. A garbage collection can make a slice several times as long. */
const sliceMilliseconds = 1;

const allPauses = new Pauses();

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

export class Preparation<T> {
  readonly #work: Sliced<T>;
  #outcome: Outcome<T> | undefined;
  #waiting = 0;
  #slices: Promise<void> | undefined;

  constructor(work: Sliced<T>) {
    this.#work = work;
  }

  /** Whether no caller waits for the result. */
  get abandoned(): boolean {
    return this.#waiting === 0;
  }

  /** Does the rest of the work without a pause, and returns its result. @throws the error of the work, if it fails */
  finish(): T {
    withoutPauses(() => {
      while (!this.#outcome) this.#advance();
    });
    return resultOf(this.#outcome as Outcome<T>);
  }

  /**
   * Resolves with the result when the work is done. The work continues only while at least one caller waits.
   * @throws (rejects with) the error of the work; `signal.reason` after an abort
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
    const pauses = allPauses.ofCompile();
    do {
      await nextTurn();
      if (this.abandoned) break;
      const begin = performance.now();
      const end = begin + sliceMilliseconds;
      while (!this.#outcome && performance.now() < end) this.#advance();
      if (!this.#outcome) await pauses.after(performance.now() - begin);
    } while (!this.#outcome && !this.abandoned);
    this.#slices = undefined;
  }

  /** Runs the work until it yields. */
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

/** Settles as `promise` does, but rejects with `signal.reason` if the signal is aborted earlier. */
export function untilAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    const withdraw = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).then(withdraw);
  });
}
