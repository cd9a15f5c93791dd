/** Training: a program's steps over minibatches of a dataset. */

import { callback, checkedLater, flag, seedNumber, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { reading } from '../arguments/read.js';
import { abortSignal } from '../compile/flight.js';
import type { Program, Stepper } from '../compile/program.js';
import { nextDrawSeed } from '../graph/seed.js';
import type { TypedArray } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import type { Checkpoint } from './checkpoint.js';
import { type Dataset, examplesOf } from './dataset.js';
import { type EpochRecord, type History, type Means, WeightedMeans } from './history.js';
import { askedStepperFor, trainedStepperFor } from './options.js';
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
  /** The number of examples of this step. */
  readonly rows: number;
  /** Copies of the outputs of the program. You may keep them. */
  readonly outputs: Readonly<Record<string, Tensor>>;
}

const validateOptions = declareOptions('fit: validate', {
  /** A program over the same parameters, without updates. */
  program: required(checkedLater<Program | Stepper>('a program')),
  /** The dataset that the program runs on after each epoch. */
  dataset: required(checkedLater<Dataset>('a record of tensors by the names of inputs'), 'data'),
  /** The number of examples in a run; by default the batchSize of the training. */
  batchSize: optional(wholeNumber(1), 'batch'),
});

/** How `fit` validates. */
export interface FitValidation extends OptionsOf<typeof validateOptions> {}

const fitOptions = declareOptions('fit', {
  /** How many times to run over the whole dataset. */
  epochs: required(wholeNumber(0), 'iterations'),
  /** The number of examples in a step. The last step of an epoch has the remaining examples. */
  batchSize: required(wholeNumber(1), 'batch'),
  /** Whether to shuffle the examples in each epoch; true by default. */
  shuffle: optional(flag),
  /** The seed of the shuffles, which depend only on it and the epoch. By default derived from `setSeed`. */
  seed: optional(seedNumber, 'randomState'),
  /** If it is aborted, the promise rejects with its reason. Each step is done completely or not at all. */
  signal: optional(abortSignal, 'abort'),
  /**
   * Whether a step that computes a NaN or an infinity rejects with a NumericError, which names the first such node.
   * Then nothing is written. False by default: such a step then writes its results into the parameters. The check of
   * every value makes a step take 1.5 to 2.5 times as long.
   */
  checkFinite: optional(flag),
  /** A program over the same parameters, without updates, and the dataset that it runs on after each epoch. */
  validate: optional(checkedLater<FitValidation>('{ program, dataset, batchSize }'), 'validation'),
  /**
   * Called after every step and before the next. It may set a rate. It costs a turn of the event loop for each step;
   * without it, many short steps are one native call.
   */
  onBatch: optional(callback<(batch: BatchRecord) => void | Promise<void>>(), 'onStep'),
  /** Called after every epoch. If it returns (or resolves to) `false`, the training ends. */
  onEpoch: optional(callback<(record: EpochRecord) => unknown>()),
  /**
   * The file to save the training to, and how often: parameters, states of optimizers, and the progress. Saved
   * between two steps, after the callbacks. The file is complete at any moment.
   */
  checkpoint: optional(checkedLater<FitCheckpoints>('{ file, every }')),
  /**
   * The result of `resume`. The training continues at the next minibatch and gives the same bits as without the
   * interruption. The history includes the earlier epochs, and `epochs` counts from the first epoch.
   */
  from: optional(checkedLater<Checkpoint>('what resume returned'), 'resume'),
});

/** The options of `fit`. */
export interface FitOptions extends OptionsOf<typeof fitOptions> {}

/**
 * Trains a program: runs it once for each minibatch of the dataset, in every epoch. Steps run off
 * the JavaScript thread, many in one call, in slices of about 4 ms, so the event loop continues to run.
 *
 * @param program a program with updates; a program without updates is refused
 * @param dataset tensors by the names of the program's inputs, with examples along axis 0: for an input
 *   [steps, batch, features] a tensor [examples, steps, features]. It is read during the whole training.
 * @returns the means of the outputs of one element, for each epoch
 * @throws (rejects with) ValueError, ShapeError, DTypeError or GraphError, before the first run, if an option is
 *   unknown, if options or the dataset do not fit the program, or if they differ from those of the resumed training;
 *   `signal.reason` after an abort; the error of a callback that throws; NumericError if `checkFinite` is true and a
 *   value is not finite; FormatError if a checkpoint cannot be written. After an error the parameters have the values
 *   of the last complete step.
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
        // A checkpoint due at the end of an epoch is written after the record of the epoch.
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
    // Wait for the last write, so that it cannot reject without a handler.
    await saver?.finish().catch(() => {});
  }
  signal?.throwIfAborted();
  return { epochs: records };
}

/** Sets the run indices of the programs, so that draws continue those of the resumed training. */
function setRuns(programs: readonly Stepper[], runs: readonly number[]): void {
  for (const [index, program] of programs.entries()) {
    const run = runs[index];
    // The checkpoint has no run count for a validating program that was not used before.
    if (run !== undefined) program.runs = run;
  }
}

/** Returns a function that runs the validating program over its whole dataset, in order; undefined without one. */
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

/** Copies the outputs of a slice of one step, so that callers may keep them. */
function copiesOf({ outputs, shapes }: SliceOutputs): Record<string, Tensor> {
  return Object.fromEntries(
    [...shapes].map(([name, shape]) => {
      return [name, new Tensor((outputs.get(name) as TypedArray).slice(), shape)];
    }),
  );
}
