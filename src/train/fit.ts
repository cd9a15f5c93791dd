/** Training: a program's steps over minibatches of a dataset. */

import { assertSignal } from '../compile/flight.js';
import type { Program, Stepper } from '../compile/program.js';
import { describeValue, ValueError } from '../errors.js';
import { assertSeed, nextDrawSeed } from '../graph/seed.js';
import type { TypedArray } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { type Dataset, examplesOf } from './dataset.js';
import { askedStepperFor, assertCallback, assertCount, stepperFor } from './options.js';
import { inOrder, Shuffle } from './order.js';
import { type SliceOutputs, Slices } from './slices.js';

/** Outputs of one element, each its mean over examples. */
export type Means = Readonly<Record<string, number>>;

/** What an epoch came to. */
export interface EpochRecord {
  /** Counted from 0. */
  readonly epoch: number;
  /** The program's outputs as its steps gave them, each step weighted by its examples. */
  readonly outputs: Means;
  /** Those of the program that validates, after the epoch. */
  readonly validation?: Means;
}

/** What a training came to. */
export interface History {
  /** One for each epoch, in order. */
  readonly epochs: readonly EpochRecord[];
}

/** What a step came to. */
export interface BatchRecord {
  /** Counted from 0. */
  readonly epoch: number;
  /** Counted from 0 in each epoch. */
  readonly batch: number;
  /** How many examples it has. */
  readonly rows: number;
  /** The program's outputs, copies that may be kept. */
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** What `fit` is told. */
export interface FitOptions {
  /** Passes over the dataset. */
  readonly epochs: number;
  /** Examples in a step; the last step of an epoch has what is left. */
  readonly batchSize: number;
  /** Whether each epoch takes the examples in an order of its own; it does unless told not to. */
  readonly shuffle?: boolean | undefined;
  /** The orders are functions of it and of the epoch; derived from `setSeed` when left out. */
  readonly seed?: number | undefined;
  /** Its abort rejects with its reason; steps are done whole or not at all. */
  readonly signal?: AbortSignal | undefined;
  /** A NumericError names the first node that is NaN or infinite, before anything is written. */
  readonly checkFinite?: boolean | undefined;
  /** A program over the same parameters, without updates, and what it is to be run on after each epoch. */
  readonly validate?:
    | {
        readonly program: Program | Stepper;
        readonly dataset: Dataset;
        /** As many as in training unless told otherwise. */
        readonly batchSize?: number | undefined;
      }
    | undefined;
  /**
   * Called after every step, before the next: it may set a rate. What it costs is a turn of the event
   * loop for each step, where otherwise many short steps are one call.
   */
  readonly onBatch?: ((batch: BatchRecord) => void | Promise<void>) | undefined;
  /** Called after every epoch; `false` ends the training. */
  readonly onEpoch?: ((record: EpochRecord) => unknown) | undefined;
}

/**
 * Trains: runs the program once for each minibatch of the dataset, epoch after epoch. Steps run off
 * the JavaScript thread, many in one call, in slices of about 4 ms; the event loop goes on meanwhile.
 *
 * @param dataset tensors named as the program's inputs, examples along axis 0: for an input
 *   [steps, batch, features] a tensor [examples, steps, features]. Read while the training goes on.
 * @throws (rejects with) ValueError, ShapeError, DTypeError or GraphError, before anything has run,
 *   for options or a dataset that do not fit; `signal.reason` after an abort; whatever a callback
 *   throws; NumericError when `checkFinite` is on. Parameters are as the last whole step left them.
 */
export async function fit(
  program: Program | Stepper,
  dataset: Dataset,
  options: FitOptions,
): Promise<History> {
  const steps = stepperFor('fit', program);
  if (typeof options !== 'object' || options === null) {
    throw new ValueError(
      `fit: expected options, at least epochs and batchSize, but received ${describeValue(options)}`,
    );
  }
  const { epochs, batchSize, shuffle = true, signal, checkFinite = false } = options;
  const { onBatch, onEpoch } = options;
  assertCount('fit', 'epochs', epochs, 0);
  assertCount('fit', 'batchSize', batchSize, 1);
  assertSignal('fit', signal);
  assertCallback('fit', 'onBatch', onBatch);
  assertCallback('fit', 'onEpoch', onEpoch);
  if (options.seed !== undefined) assertSeed(options.seed, 'fit:');
  const examples = examplesOf('fit', dataset, steps.inputs);
  const settings = { batchSize, checkFinite, signal, single: onBatch !== undefined };
  const slices = new Slices(steps, examples, settings);
  const validation = validationOf(options);

  const shuffled = shuffle ? new Shuffle(examples.rows, options.seed ?? nextDrawSeed()) : undefined;
  let order = inOrder(examples.rows);
  const records: EpochRecord[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    order = (await shuffled?.order(epoch)) ?? order;
    const means = new WeightedMeans(steps);
    await slices.run(order, (slice) => {
      means.add(slice);
      const { start, rows } = slice;
      return onBatch?.({ epoch, batch: start / batchSize, rows, outputs: copiesOf(slice) });
    });
    const validated = await validation?.();
    const record = {
      epoch,
      outputs: means.values(),
      ...(validated && { validation: validated }),
    };
    records.push(record);
    if ((await onEpoch?.(record)) === false) break;
  }
  signal?.throwIfAborted();
  return { epochs: records };
}

/** Runs the validating program over its whole dataset, in order. */
function validationOf(options: FitOptions): (() => Promise<Means>) | undefined {
  const { validate, signal, checkFinite = false } = options;
  if (validate === undefined) return undefined;
  if (typeof validate !== 'object' || validate === null) {
    throw new ValueError(
      `fit: validate must be {program, dataset, batchSize?}, but is ${describeValue(validate)}`,
    );
  }
  const { program, dataset, batchSize = options.batchSize } = validate;
  const steps = askedStepperFor('fit: validate', program);
  assertCount('fit: validate', 'batchSize', batchSize, 1);
  const examples = examplesOf('fit: validate', dataset, steps.inputs);
  const slices = new Slices(steps, examples, { batchSize, checkFinite, signal, single: false });
  const order = inOrder(examples.rows);
  return async () => {
    const means = new WeightedMeans(steps);
    await slices.run(order, (step) => means.add(step));
    return means.values();
  };
}

/** Means over examples of the outputs that have one element, whatever the batch is. */
class WeightedMeans {
  readonly #names: ReadonlySet<string>;
  readonly #sums = new Map<string, number>();
  #rows = 0;

  constructor({ outputs }: Stepper) {
    const single = [...outputs].filter(([, { shape }]) => shape.every((dim) => dim === 1));
    this.#names = new Set(single.map(([name]) => name));
  }

  add({ steps, rows, outputs }: SliceOutputs): void {
    this.#rows += steps * rows;
    for (const name of this.#names) {
      const values = outputs.get(name) as TypedArray;
      let sum = this.#sums.get(name) ?? 0;
      for (let step = 0; step < steps; step++) sum += rows * (values[step] as number);
      this.#sums.set(name, sum);
    }
  }

  values(): Means {
    return Object.fromEntries([...this.#sums].map(([name, sum]) => [name, sum / this.#rows]));
  }
}

/** The outputs of a slice of one step, for callers, who may keep them. */
function copiesOf({ outputs, shapes }: SliceOutputs): Record<string, Tensor> {
  return Object.fromEntries(
    [...shapes].map(([name, shape]) => {
      return [name, new Tensor((outputs.get(name) as TypedArray).slice(), shape)];
    }),
  );
}
