/** The options of `fit`. */

import { callback, checkedLater, flag, seedNumber, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { abortSignal } from '../compile/flight.js';
import type { Program } from '../compile/program.js';
import type { MetricsField, Signature, TensorsOf } from '../compile/signature.js';
import type { Stepper } from '../compile/stepper.js';
import { bucketSizes } from './buckets.js';
import type { Checkpoint } from './checkpoint.js';
import type { Dataset, DatasetOf } from './dataset.js';
import type { EpochRecord } from './history.js';
import type { FitCheckpoints } from './saver.js';

/** The result of one training step. `T` is the signature of the program. */
export type BatchRecord<T extends Signature = Signature> = {
  /** The index of the epoch, from 0. */
  readonly epoch: number;
  /** The index of the minibatch in its epoch, from 0. */
  readonly batch: number;
  /** The number of examples of this step. */
  readonly rows: number;
  /**
   * 1 if the step was skipped, because the norm of the gradients was not finite, and otherwise 0. Absent if the optimizer
   * has no `clipGlobalNorm`.
   */
  readonly skipped?: number;
  /** Copies of the outputs of the program. You may keep them. */
  readonly outputs: Readonly<TensorsOf<T['outputs']>>;
} & MetricsField<T['metrics'], Readonly<TensorsOf<T['metrics']>>>;

export const validateOptions = declareOptions('fit: validate', {
  /** A program over the same parameters, without updates. */
  program: required(checkedLater<Program | Stepper>('a program')),
  /** The dataset that the program runs on after each epoch. */
  dataset: required(checkedLater<Dataset>('a record of tensors by the names of inputs'), 'data'),
  /** The number of examples in a run of this program; by default the `batchSize` of the training. */
  batchSize: optional(wholeNumber(1), 'batch'),
  /** The sizes to which minibatches of this dataset are padded, as the option `buckets` of `fit`. */
  buckets: optional(bucketSizes),
});

/** The option `validate` of `fit`. `V` is the signature of the program. */
export interface FitValidation<V extends Signature = Signature>
  extends Omit<OptionsOf<typeof validateOptions>, 'program' | 'dataset'> {
  /** A program over the same parameters, without updates. */
  readonly program: Program<V> | Stepper;
  /** The dataset that the program runs on after each epoch. */
  readonly dataset: DatasetOf<V>;
}

export const fitOptions = declareOptions('fit', {
  /** How many times the training runs over the whole dataset. */
  epochs: required(wholeNumber(0), 'iterations'),
  /** The number of examples in a step. The last step of an epoch has the remaining examples. */
  batchSize: required(wholeNumber(1), 'batch'),
  /** Whether to shuffle the examples in each epoch; true by default, but false with `stateful`. */
  shuffle: optional(flag),
  /** The seed of the shuffles. A shuffle depends only on this seed and the epoch. By default derived from `setSeed`. */
  seed: optional(seedNumber, 'randomState'),
  /**
   * The sizes to which minibatches are padded, if the dataset has a list of examples that differ in a dimension: an
   * ascending list of sizes, or a record of such lists by dimension. The last size must hold the largest example. A
   * minibatch has examples of one bucket: those that one size holds, and the size before it does not. By default, at most
   * seven sizes are chosen, each for at least `batchSize` examples, so that the padding is least; with two such
   * dimensions, two sizes for each.
   */
  buckets: optional(bucketSizes, 'bucketBoundaries'),
  /**
   * Whether to carry state from minibatch to minibatch (truncated backpropagation); false by default. An input that has
   * the name of an output, and that is not in the dataset, is then carried: in the first minibatch of an epoch it is 0,
   * and in each other one it has the value of the output in the minibatch before. Row r of a minibatch continues row r of
   * the one before, so the examples are not shuffled, and their number must be a multiple of `batchSize`. The validating
   * program carries its inputs, too.
   */
  stateful: optional(flag),
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
  validate: optional(
    checkedLater<FitValidation>('{ program, dataset, batchSize, buckets }'),
    'validation',
  ),
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

/** The options of `fit`. `T` is the signature of the trained program, `V` that of the validating program. */
export interface FitOptions<T extends Signature = Signature, V extends Signature = Signature>
  extends Omit<OptionsOf<typeof fitOptions>, 'validate' | 'onBatch' | 'onEpoch'> {
  /** A program over the same parameters, without updates, and the dataset that it runs on after each epoch. */
  readonly validate?: FitValidation<V> | undefined;
  /**
   * Called after every step and before the next step, for example to set a rate. With this callback, each step is a
   * native call of its own, and training continues only in a later turn of the event loop. Without it, one native call
   * runs many short steps.
   */
  readonly onBatch?: ((batch: BatchRecord<T>) => void | Promise<void>) | undefined;
  /** Called after every epoch. If it returns (or resolves to) `false`, the training ends. */
  readonly onEpoch?: ((record: EpochRecord<T, V>) => unknown) | undefined;
}
