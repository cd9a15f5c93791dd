/** The results of a training, epoch by epoch. */

import type { Stepper } from '../compile/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { SliceOutputs } from './slices.js';

/** Outputs of one element, each its mean over examples. */
export type Means = Readonly<Record<string, number>>;

/** The results of one epoch. */
export interface EpochRecord {
  /** Counted from 0. */
  readonly epoch: number;
  /** The program's outputs as its steps gave them, each step weighted by its examples. */
  readonly outputs: Means;
  /** Those of the program that validates, after the epoch. */
  readonly validation?: Means;
}

/** The results of a training. */
export interface History {
  /** One for each epoch, in order. */
  readonly epochs: readonly EpochRecord[];
}

/** Means over examples of the outputs that have one element, whatever the batch is. */
export class WeightedMeans {
  readonly names: ReadonlySet<string>;
  readonly #sums: Map<string, number>;
  #rows: number;

  /** @param sums, rows what `add` was given before, in another process maybe */
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
