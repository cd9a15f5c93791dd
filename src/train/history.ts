/** The results of a training, epoch by epoch. */

import type { Stepper } from '../compile/stepper.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { SliceOutputs } from './slices.js';

/** Means over examples, by the names of the outputs. Only outputs with one element have a mean. */
export type Means = Readonly<Record<string, number>>;

/** The results of one epoch. */
export interface EpochRecord {
  /** The index of the epoch, from 0. */
  readonly epoch: number;
  /** The means of the outputs over the steps of the epoch, weighted by the number of examples in each step. */
  readonly outputs: Means;
  /** The means of the outputs of the validating program, which runs after the epoch. Absent without validation. */
  readonly validation?: Means;
}

/** The results of a training. */
export interface History {
  /** The records of the epochs, in order. */
  readonly epochs: readonly EpochRecord[];
}

/** Computes means over examples, for those outputs that have one element whatever the batch size is. */
export class WeightedMeans {
  readonly names: ReadonlySet<string>;
  readonly #sums: Map<string, number>;
  #rows: number;

  /**
   * @param sums the sums of earlier calls of `add`, for a resumed epoch
   * @param rows the number of examples in these sums
   */
  constructor({ outputs }: Stepper, sums: Means = {}, rows = 0) {
    const single = [...outputs].filter(([, { shape }]) => shape.every((dim) => dim === 1));
    this.names = new Set(single.map(([name]) => name));
    this.#sums = new Map(Object.entries(sums));
    this.#rows = rows;
  }

  add({ steps, rows, outputs }: SliceOutputs): void {
    this.#rows += steps * rows;
    for (const name of this.names) {
      const values = outputs.get(name) as TypedArray;
      let sum = this.#sums.get(name) ?? 0;
      for (let step = 0; step < steps; step++) sum += rows * (values[step] as number);
      this.#sums.set(name, sum);
    }
  }

  sums(): Means {
    return Object.fromEntries(this.#sums);
  }

  values(): Means {
    return Object.fromEntries([...this.#sums].map(([name, sum]) => [name, sum / this.#rows]));
  }
}
