/** The executables of a program, by binding. The latest ones are kept, and a compile in progress is shared. */

import { StateError } from '../errors.js';
import type { Bindings } from '../graph/dimension.js';
import type { Sliced } from '../graph/sliced.js';
import type { Executable } from './executable.js';
import { Preparation } from './preparation.js';

// Training needs four: a full and a last, shorter minibatch, for training and for validation.
const maxExecutables = 8;

export class Executables {
  /** In the order of use; the most recently used is the last. */
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

  /** The executable for this binding, if it is kept. It then counts as the latest. */
  find(bindings: Bindings): Executable | undefined {
    const executable = this.#kept.get(keyOf(bindings));
    if (executable) this.#use(executable);
    return executable;
  }

  /** The executable for this binding, compiled now if there is none. */
  get(bindings: Bindings): Executable {
    return this.find(bindings) ?? this.#preparationOf(bindings).finish();
  }

  /**
   * The executable for this binding, compiled in slices if there is none. No binding is compiled twice at once. A
   * compile stops when no caller waits for it any more.
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

  /** As `prepare`, but it ends when the program is disposed. @throws (rejects with) StateError after `dispose` */
  prepareUntilDisposed(bindings: Bindings): Promise<Executable> {
    return this.prepare(bindings, this.#end.signal);
  }

  /** Frees native memory, after the runs in flight. The caller must dispose of executables that are compiled later. */
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

  /** Makes the executable the latest. If there are too many, disposes of the least recently used one. */
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
