/**
 * The values that the runs of one program keep for later runs. The executables for several bindings of the dimension
 * names often compute the same values, for instance the same packed weights. Such executables share them.
 */

import { allChanges, changesOf } from '../graph/changes.js';
import { createKept, disposeKept, expireKept, type NativeKept } from '../native/program.js';
import type { Encoded, EncodedKept } from './encoded.js';

/** The kept values of one program, by their keys. */
export class KeptStore {
  readonly #values = new Map<string, KeptValues>();

  /**
   * Returns the kept values of an executable; undefined if it keeps none. The executable must release them.
   * @throws ValueError if there is not enough memory
   */
  take({ kept }: Pick<Encoded, 'kept'>): KeptValues | undefined {
    if (kept === undefined) return undefined;
    let values = this.#values.get(kept.key);
    if (!values) {
      values = new KeptValues(kept, () => this.#values.delete(kept.key));
      this.#values.set(kept.key, values);
    }
    values.users++;
    return values;
  }
}

export class KeptValues {
  readonly native: NativeKept;
  /** The number of executables that use the values. */
  users = 0;
  readonly #variables: EncodedKept['variables'];
  /** The changes of the variables when they were compared last, and those of all variables. */
  #changes: number[];
  #allChanges = allChanges();

  constructor(
    { bytes, variables }: EncodedKept,
    private readonly released: () => void,
  ) {
    this.native = createKept(bytes);
    this.#variables = variables;
    this.#changes = variables.map(changesOf);
  }

  /** If JavaScript has changed a variable since the last call, makes the next run compute the values again. */
  refresh(): void {
    const all = allChanges();
    if (all === this.#allChanges) return;
    this.#allChanges = all;
    const changes = this.#variables.map(changesOf);
    if (changes.every((count, i) => count === this.#changes[i])) return;
    this.#changes = changes;
    expireKept(this.native);
  }

  /** Called by each executable when it does not use the values any more. */
  release(): void {
    if (--this.users > 0) return;
    disposeKept(this.native);
    this.released();
  }
}
