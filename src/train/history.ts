/** The results of a training, epoch by epoch. */

import type { Stepper } from '../compile/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { SliceOutputs } from './slices.js';

/** For each output of one element, its mean over examples. */
export type Means = Readonly<Record<string, number>>;

/** The results of one epoch. */
export interface EpochRecord {
  /** Counted from 0. */
  readonly epoch: number;
  /** The means of the program's outputs over the steps, each step weighted by its number of examples. */
  readonly outputs: Means;
  /** The means of the validating program, run after the epoch. */
  readonly validation?: Means;
}

/** The results of a training. */
export interface History {
  /** One for each epoch, in order. */
  readonly epochs: readonly EpochRecord[];
}

/** Computes means over examples, for the outputs that have one element for every batch size. */
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
