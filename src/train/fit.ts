/** `fit` trains a program: it runs the steps of the program over the minibatches of a dataset. */

import { callback, checkedLater, flag, seedNumber, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { reading } from '../arguments/read.js';
import { abortSignal } from '../compile/flight.js';
import type { Program } from '../compile/program.js';
import type { Stepper } from '../compile/stepper.js';
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
  /** The index of the epoch, from 0. */
  readonly epoch: number;
  /** The index of the minibatch in its epoch, from 0. */
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
  /** The number of examples in a run of this program; by default the `batchSize` of the training. */
  batchSize: optional(wholeNumber(1), 'batch'),
});

/** The option `validate` of `fit`. */
export interface FitValidation extends OptionsOf<typeof validateOptions> {}

const fitOptions = declareOptions('fit', {
  /** How many times the training runs over the whole dataset. */
  epochs: required(wholeNumber(0), 'iterations'),
  /** The number of examples in a step. The last step of an epoch has the remaining examples. */
  batchSize: required(wholeNumber(1), 'batch'),
  /** Whether to shuffle the examples in each epoch; true by default. */
  shuffle: optional(flag),
  /** The seed of the shuffles. A shuffle depends only on this seed and the epoch. By default derived from `setSeed`. */
  seed: optional(seedNumber, 'randomState'),
  /** If this signal is aborted, `fit` rejects with `signal.reason`. Each step is done completely or not at all. */
  signal: optional(abortSignal, 'abort'),
  /**
   * Whether to check every value of every step; false by default. With the check, if a step computes a NaN or an
   * infinity, the step writes nothing, and `fit` rejects with a NumericError, which names the first node with such a
   * value. Without the check, such a step writes its results into the parameters. With the check, a step takes 1.5 to
   * 2.5 times as long.
   */
  checkFinite: optional(flag),
  /** A program over the same parameters, without updates, and the dataset that it runs on after each epoch. */
  validate: optional(checkedLater<FitValidation>('{ program, dataset, batchSize }'), 'validation'),
  /**
   * Called after every step and before the next step, for example to set a rate. With this callback, each step is a
   * native call of its own, and training continues only in a later turn of the event loop. Without it, one native call
   * runs many short steps.
   */
  onBatch: optional(callback<(batch: BatchRecord) => void | Promise<void>>(), 'onStep'),
  /** Called after every epoch. If it returns (or resolves to) `false`, the training ends. */
  onEpoch: optional(callback<(record: EpochRecord) => unknown>()),
  /**
   * The file to which the training is saved (parameters, states of optimizers, and the progress), and how often. `fit`
   * saves between two steps, after the callbacks. The file is complete at any moment.
   */
  checkpoint: optional(checkedLater<FitCheckpoints>('{ file, every }')),
  /**
   * The result of `resume`. The training continues at the next minibatch and gives the same bits as without the
   * interruption. The history includes the earlier epochs, and the option `epochs` counts them, too.
   */
  from: optional(checkedLater<Checkpoint>('what resume returned'), 'resume'),
});

/** The options of `fit`. */
export interface FitOptions extends OptionsOf<typeof fitOptions> {}

/**
 * Trains a program: in every epoch, runs the program once for each minibatch of the dataset. Steps run off the
 * JavaScript thread, so the event loop continues to run. Without `onBatch`, one native call runs several short steps,
 * which take about 4 ms together.
 *
 * @param program a program with updates; a program without updates is refused
 * @param dataset tensors by the names of the program's inputs, with examples along axis 0. An input of shape
 *   [steps, batch, features] needs a tensor of shape [examples, steps, features]. The tensors are read during the whole
 *   training.
 * @returns for each epoch, the means of those outputs of the program that have only one element
 * @throws (rejects with) ValueError, ShapeError, DTypeError or GraphError, before the first run, if an option is
 *   unknown, if the options or the dataset do not fit the program, or if they do not fit the training that `from`
 *   continues; `signal.reason` after an abort; the error of a callback that throws; NumericError if `checkFinite` is
 *   true and a value is not finite; FormatError if a checkpoint cannot be written. After an error the
 *   parameters have the values of the last complete step.
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
        // A checkpoint at the end of an epoch is written below, because it includes the record of the epoch.
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
    // After an error, wait for the last write and ignore its failure, so that its promise does not reject unhandled.
    await saver?.finish().catch(() => {});
  }
  signal?.throwIfAborted();
  return { epochs: records };
}

/**
 * Sets the index of the next run of each program. Random numbers depend on this index, so they are the same as if the
 * earlier training had not been interrupted.
 */
function setRuns(programs: readonly Stepper[], runs: readonly number[]): void {
  for (const [index, program] of programs.entries()) {
    const run = runs[index];
    // If the earlier training did not validate, the checkpoint has no run count for the validating program.
    if (run !== undefined) program.runs = run;
  }
}

/**
 * Returns the validating program, with a function that runs it over its whole dataset, in order. Returns undefined
 * without the option `validate`.
 */
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

/** Returns copies of the outputs of a slice that has one step. The callback may keep them. */
function copiesOf({ outputs, shapes }: SliceOutputs): Record<string, Tensor> {
  return Object.fromEntries(
    [...shapes].map(([name, shape]) => {
      return [name, new Tensor((outputs.get(name) as TypedArray).slice(), shape)];
    }),
  );
}
