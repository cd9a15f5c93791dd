/** Training: a program's steps over minibatches of a dataset. */

import { callback, checkedLater, flag, seedNumber, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { reading } from '../arguments/read.js';
import type { Program, Stepper } from '../compile/program.js';
import { nextDrawSeed } from '../graph/seed.js';
import type { TypedArray } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import type { Checkpoint } from './checkpoint.js';
import { type Dataset, examplesOf } from './dataset.js';
import { type EpochRecord, type History, type Means, WeightedMeans } from './history.js';
import { abortSignal, askedStepperFor, trainedStepperFor } from './options.js';
import { inOrder, Shuffle } from './order.js';
import { type Progress, startOf } from './progress.js';
import { type FitCheckpoints, Saver } from './saver.js';
import { type SliceOutputs, Slices } from './slices.js';

export type { EpochRecord, History, Means } from './history.js';

/** The result of one training step. */
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

const validateOptions = declareOptions('fit: validate', {
  /** A program over the same parameters, without updates. */
  program: required(checkedLater<Program | Stepper>('a program')),
  /** What it is to be run on after each epoch. */
  dataset: required(checkedLater<Dataset>('a record of tensors by the names of inputs'), 'data'),
  /** As many as in training unless told otherwise. */
  batchSize: optional(wholeNumber(1), 'batch'),
});

/** How `fit` validates. */
export interface FitValidation extends OptionsOf<typeof validateOptions> {}

const fitOptions = declareOptions('fit', {
  /** How often to run over the whole dataset. */
  epochs: required(wholeNumber(0), 'iterations'),
  /** Examples in a step; the last step of an epoch has what is left. */
  batchSize: required(wholeNumber(1), 'batch'),
  /** Whether each epoch takes the examples in an order of its own; it does unless told not to. */
  shuffle: optional(flag),
  /** The orders are functions of it and of the epoch; derived from `setSeed` when left out. */
  seed: optional(seedNumber, 'randomState'),
  /** When it is aborted, the promise rejects with its reason; steps are done whole or not at all. */
  signal: optional(abortSignal, 'abort'),
  /**
   * Whether a step that gives a NaN or an infinity is a NumericError, which names the first node that has one, before
   * anything is written. False by default: such a step then writes what it computed into the parameters. A check of
   * every value makes a step 1.5 to 2.5 times as long.
   */
  checkFinite: optional(flag),
  /** A program over the same parameters, without updates, and what it is to be run on after each epoch. */
  validate: optional(checkedLater<FitValidation>('{ program, dataset, batchSize }'), 'validation'),
  /**
   * Called after every step, before the next: it may set a rate. What it costs is a turn of the event
   * loop for each step, where otherwise many short steps are one call.
   */
  onBatch: optional(callback<(batch: BatchRecord) => void | Promise<void>>(), 'onStep'),
  /** Called after every epoch; `false` ends the training. */
  onEpoch: optional(callback<(record: EpochRecord) => unknown>()),
  /**
   * Where to keep the training on the disk, and how often: parameters, what optimizers carry, and how far it
   * is, between two steps and after the callbacks. A file is complete at any moment.
   */
  checkpoint: optional(checkedLater<FitCheckpoints>('{ file, every }')),
  /**
   * What `resume` returned: the training goes on at the next minibatch as if it had never been interrupted,
   * with the same bits, and its history is that of the whole. `epochs` counts from the very beginning.
   */
  from: optional(checkedLater<Checkpoint>('what resume returned'), 'resume'),
});

/** What `fit` is told. */
export interface FitOptions extends OptionsOf<typeof fitOptions> {}

/**
 * Trains: runs the program once for each minibatch of the dataset, epoch after epoch. Steps run off
 * the JavaScript thread, many in one call, in slices of about 4 ms; the event loop goes on meanwhile.
 *
 * @param program one with updates: a program without them trains nothing, and is refused
 * @param dataset tensors named as the program's inputs, examples along axis 0: for an input
 *   [steps, batch, features] a tensor [examples, steps, features]. Read while the training goes on.
 * @throws (rejects with) ValueError, ShapeError, DTypeError or GraphError, before anything has run,
 *   if an option is unknown, or options or the dataset do not fit, or are not those of the training that is to go on;
 *   `signal.reason` after an abort; whatever a callback throws; NumericError when `checkFinite` is on;
 *   FormatError if a checkpoint cannot be written. Parameters are as the last whole step left them.
 */
export async function fit(
  program: Program | Stepper,
  dataset: Dataset,
  given: FitOptions,
): Promise<History> {
  const steps = trainedStepperFor('fit', program);
  const options = fitOptions.read(given);
  const { epochs, batchSize, shuffle = true, signal, checkFinite = false } = options;
  const { onBatch, onEpoch } = options;
  const examples = examplesOf('fit', dataset, steps.inputs);
  const settings = { batchSize, checkFinite, signal, single: onBatch !== undefined };
  const slices = new Slices(steps, examples, settings);
  const validation = validationOf(options);
  const programs = [steps, ...(validation ? [validation.steps] : [])];
  const { checkpoint, from } = options;
  const saver = checkpoint === undefined ? undefined : new Saver(checkpoint, programs);

  const seed = shuffle ? (options.seed ?? nextDrawSeed()) : undefined;
  const plan = { examples: examples.rows, batchSize, seed };
  const asked = {
    epochs,
    derived: options.seed === undefined,
    outputs: new WeightedMeans(steps).names,
  };
  const { runs, ...start } = reading('fit: from:', from, () => ({
    ...startOf(plan, from, asked),
    runs: from?.progress && [...from.runs],
  }));
  let progress: Progress = start;
  await saver?.open();
  if (runs !== undefined) setRuns(programs, runs);

  const shuffled =
    progress.seed === undefined ? undefined : new Shuffle(examples.rows, progress.seed);
  let order = inOrder(examples.rows);
  const batchesPerEpoch = Math.ceil(examples.rows / batchSize);
  const records = [...progress.epochs];
  progress = { ...progress, epochs: records };
  try {
    while (progress.epoch < epochs && !progress.ended) {
      const { epoch } = progress;
      const batchesBefore = (row: number) => epoch * batchesPerEpoch + row / batchSize;
      const means = new WeightedMeans(steps, progress.sums, progress.row);
      order = (await shuffled?.order(epoch)) ?? order;
      const each = async (slice: SliceOutputs) => {
        means.add(slice);
        const { start, rows } = slice;
        await onBatch?.({ epoch, batch: start / batchSize, rows, outputs: copiesOf(slice) });
        const row = start + slice.steps * rows;
        // What is due at an epoch's end is written when its record is made.
        if (row === examples.rows || !saver?.isDue(batchesBefore(row))) return;
        await saver.save({ ...progress, row, sums: means.sums() });
      };
      const limit = (row: number) => saver?.batchesLeft(batchesBefore(row)) ?? Infinity;
      await slices.run(order, each, { from: progress.row, limit });
      const validated = await validation?.run();
      const record = {
        epoch,
        outputs: means.values(),
        ...(validated && { validation: validated }),
      };
      records.push(record);
      const ended = (await onEpoch?.(record)) === false;
      progress = { ...progress, epoch: epoch + 1, row: 0, sums: {}, ended };
      const last = ended || epoch + 1 === epochs;
      if (last || saver?.isDueAfterEpoch(epoch + 1, (epoch + 1) * batchesPerEpoch)) {
        await saver?.save(progress);
      }
    }
    await saver?.finish();
  } finally {
    // Nothing is left that writes, nor that rejects when nobody listens.
    await saver?.finish().catch(() => {});
  }
  signal?.throwIfAborted();
  return { epochs: records };
}

/** Draws go on where those of the training that is resumed were. */
function setRuns(programs: readonly Stepper[], runs: readonly number[]): void {
  for (const [index, program] of programs.entries()) {
    const run = runs[index];
    // A program that validates only now has none yet.
    if (run !== undefined) program.runs = run;
  }
}

/** Runs the validating program over its whole dataset, in order. */
function validationOf(
  options: FitOptions,
): { readonly steps: Stepper; run(): Promise<Means> } | undefined {
  const { validate, signal, checkFinite = false } = options;
  if (validate === undefined) return undefined;
  const { program, dataset, batchSize = options.batchSize } = validateOptions.read(validate);
  const steps = askedStepperFor('fit: validate', program);
  const examples = examplesOf('fit: validate', dataset, steps.inputs);
  const slices = new Slices(steps, examples, { batchSize, checkFinite, signal, single: false });
  const order = inOrder(examples.rows);
  const run = async () => {
    const means = new WeightedMeans(steps);
    await slices.run(order, (step) => means.add(step));
    return means.values();
  };
  return { steps, run };
}

/** The outputs of a slice of one step, for callers, who may keep them. */
function copiesOf({ outputs, shapes }: SliceOutputs): Record<string, Tensor> {
  return Object.fromEntries(
    [...shapes].map(([name, shape]) => {
      return [name, new Tensor((outputs.get(name) as TypedArray).slice(), shape)];
    }),
  );
}
