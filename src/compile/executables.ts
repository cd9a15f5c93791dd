/** What a program was compiled to, by binding: the latest ones are kept, and those being compiled are shared. */

import { StateError } from '../errors.js';
import type { Bindings } from '../graph/dimension.js';
import type { Sliced } from '../graph/sliced.js';
import type { Executable } from './executable.js';
import { Preparation } from './preparation.js';

// One for the usual minibatch, one for the last short one, the same for validation; and some to spare.
const maxExecutables = 8;

export class Executables {
  /** The most recently used is the last. */
  readonly #kept = new Map<string, Executable>();
  readonly #preparations = new Map<string, Preparation<Executable>>();
  readonly #compile: (bindings: Bindings) => Sliced<Executable>;
  readonly #end = new AbortController();
  #latest: Executable | undefined;

  constructor(compile: (bindings: Bindings) => Sliced<Executable>) {
    this.#compile = compile;
  }

  /** The one that was used last. */
  get latest(): Executable | undefined {
    return this.#latest;
  }

  get disposed(): boolean {
    return this.#end.signal.aborted;
  }

  /** What was compiled for this binding, if it is kept. It counts as used. */
  find(bindings: Bindings): Executable | undefined {
    const executable = this.#kept.get(keyOf(bindings));
    if (executable) this.#use(executable);
    return executable;
  }

  /** What was compiled for this binding; compiled now where there is none. */
  get(bindings: Bindings): Executable {
    return this.find(bindings) ?? this.#preparationOf(bindings).finish();
  }

  /**
   * The same, compiled in slices where there is none. Nothing is compiled twice, and a compile that nobody waits for
   * any more stops.
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

  /** The same for one who wants it only while the program is in use. @throws (rejects with) StateError after `dispose` */
  prepareUntilDisposed(bindings: Bindings): Promise<Executable> {
    return this.prepare(bindings, this.#end.signal);
  }

  /** Frees what is native; runs in flight finish first. What is compiled from now on is the caller's to dispose of. */
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

  /** Makes it the latest, and disposes of the one that was unused for longest where there are too many. */
  #use(executable: Executable): void {
    const key = keyOf(executable.bindings);
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
