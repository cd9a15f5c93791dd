/**
 * Makes the executables of a program, one for each binding of its dimension names, and keeps the most recently used
 * ones. Callers that need the same binding share one compile.
 */

import { StateError } from '../errors.js';
import type { Bindings } from '../graph/dimension.js';
import type { Sliced } from '../graph/sliced.js';
import type { Executable } from './executable.js';
import { Preparation } from './preparation.js';

// The maximum number of executables that are kept. Training needs four: one for full minibatches and one for the
// shorter last minibatch, in training and in validation.
const maxExecutables = 8;

export class Executables {
  /** The executables in the order of their last use; the most recently used one is at the end. */
  readonly #kept = new Map<string, Executable>();
  readonly #preparations = new Map<string, Preparation<Executable>>();
  readonly #compile: (bindings: Bindings) => Sliced<Executable>;
  readonly #end = new AbortController();
  #latest: Executable | undefined;

  constructor(compile: (bindings: Bindings) => Sliced<Executable>) {
    this.#compile = compile;
  }

  /** The executable that was used last. */
  get latest(): Executable | undefined {
    return this.#latest;
  }

  get disposed(): boolean {
    return this.#end.signal.aborted;
  }

  /** Returns the executable for this binding and makes it the latest one; undefined if it is not kept. */
  find(bindings: Bindings): Executable | undefined {
    const executable = this.#kept.get(keyOf(bindings));
    if (executable) this.#use(executable);
    return executable;
  }

  /** Returns the executable for this binding. If it is not kept, it is compiled without interruption. */
  get(bindings: Bindings): Executable {
    return this.find(bindings) ?? this.#preparationOf(bindings).finish();
  }

  /**
   * Resolves with the executable for this binding. If it is not kept, it is compiled in slices. Concurrent calls for
   * one binding share one compile. A compile stops when no caller waits for it any more.
   * @throws (rejects with) `signal.reason` after an abort
   */
  async prepare(bindings: Bindings, signal?: AbortSignal): Promise<Executable> {
    const known = this.find(bindings);
    if (known) return known;
    const preparation = this.#preparationOf(bindings);
    try {
      return await preparation.wait(signal);
    } finally {
      const key = keyOf(bindings);
      if (preparation.abandoned && this.#preparations.get(key) === preparation) {
        this.#preparations.delete(key);
      }
    }
  }

  /** Does the same as `prepare` until the program is disposed. @throws (rejects with) StateError after `dispose` */
  prepareUntilDisposed(bindings: Bindings): Promise<Executable> {
    return this.prepare(bindings, this.#end.signal);
  }

  /**
   * Frees native memory when the runs in flight have finished. The caller must dispose of executables whose compile
   * ends after this call.
   */
  dispose(): void {
    this.#end.abort(new StateError('prepare: the program was disposed of while it was prepared'));
    for (const executable of this.#kept.values()) executable.dispose();
    this.#kept.clear();
    this.#latest = undefined;
  }

  #preparationOf(bindings: Bindings): Preparation<Executable> {
    const key = keyOf(bindings);
    let preparation = this.#preparations.get(key);
    if (!preparation) {
      preparation = new Preparation(this.#compiled(key, bindings));
      this.#preparations.set(key, preparation);
    }
    return preparation;
  }

  *#compiled(key: string, bindings: Bindings): Sliced<Executable> {
    try {
      const made = yield* this.#compile(bindings);
      if (!this.disposed) this.#use(made);
      return made;
    } finally {
      this.#preparations.delete(key);
    }
  }

  /** Makes this executable the latest one. If too many are kept, disposes of the least recently used one. */
  #use(executable: Executable): void {
    const key = keyOf(executable.bindings);
    const replaced = this.#kept.get(key);
    if (replaced !== executable) replaced?.dispose();
    this.#kept.delete(key);
    this.#kept.set(key, executable);
    if (this.#kept.size > maxExecutables) {
      const [[oldest, unused]] = this.#kept as unknown as [[string, Executable]];
      this.#kept.delete(oldest);
      unused.dispose();
    }
    this.#latest = executable;
  }
}

function keyOf(bindings: Bindings): string {
  const names = [...bindings].map(([name, value]) => `${name}=${value}`);
  return names.sort().join(' ');
}
