/** The results of a training, epoch by epoch. */

import type { MeansOf, MetricsField, Signature } from '../compile/signature.js';
import type { Stepper } from '../compile/stepper.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { SliceOutputs } from './slices.js';

/** Means over examples, by the names of the outputs. Only outputs with one element have a mean. */
export type Means = Readonly<Record<string, number>>;

/**
 * The means of the outputs of a validating program, by name. If the program has metrics, their means are in the field
 * `metrics`, by name.
 */
export type ValidationMeans<V extends Signature = Signature> = MeansOf<V['outputs']> &
  MetricsField<V['metrics'], MeansOf<V['metrics']>>;

/**
 * The means of the outputs and metrics of a program, weighted by the number of examples in each step. The field
 * `metrics` is absent if the program has no metrics.
 */
export type ProgramMeans<T extends Signature = Signature> = {
  /** The means of the outputs, by name. */
  readonly outputs: MeansOf<T['outputs']>;
} & MetricsField<T['metrics'], MeansOf<T['metrics']>>;

/**
 * The results of one epoch: the means of the trained program over the steps of the epoch, and those of the validating
 * program. `T` is the signature of the trained program, `V` that of the validating program.
 */
export type EpochRecord<
  T extends Signature = Signature,
  V extends Signature = Signature,
> = ProgramMeans<T> & {
  /** The index of the epoch, from 0. */
  readonly epoch: number;
  /**
   * The number of steps of the epoch that were skipped, because the norm of the gradients was not finite. Absent if the
   * optimizer has no `clipGlobalNorm`.
   */
  readonly skipped?: number;
  /** The means of the validating program, which runs after the epoch. Absent without validation. */
  readonly validation?: ValidationMeans<V>;
};

/** The results of a training. `T` is the signature of the trained program, `V` that of the validating program. */
export interface History<T extends Signature = Signature, V extends Signature = Signature> {
  /** The records of the epochs, in order. */
  readonly epochs: readonly EpochRecord<T, V>[];
}

/** Computes means over examples, for those outputs and metrics that have one element whatever the batch size is. */
export class WeightedMeans {
  readonly names: ReadonlySet<string>;
  readonly #metrics: ReadonlySet<string>;
  readonly #sums: Map<string, number>;
  #rows: number;

  /**
   * @param sums the sums of earlier calls of `add`, for a resumed epoch
   * @param rows the number of examples in these sums
   */
  constructor({ outputs, metrics }: Stepper, sums: Means = {}, rows = 0) {
    const single = [...outputs].filter(([, { shape }]) => shape.every((dim) => dim === 1));
    this.names = new Set(single.map(([name]) => name));
    this.#metrics = metrics;
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

  values(): ProgramMeans {
    const of = (metric: boolean) => {
      const sums = [...this.#sums].filter(([name]) => this.#metrics.has(name) === metric);
      return Object.fromEntries(sums.map(([name, sum]) => [name, sum / this.#rows]));
    };
    return { outputs: of(false), ...(this.#metrics.size > 0 && { metrics: of(true) }) };
  }
}
