/** `fit` trains a program: it runs the steps of the program over the minibatches of a dataset. */

import type { Program } from '../compile/program.js';
import type { Signature } from '../compile/signature.js';
import type { Stepper } from '../compile/stepper.js';
import type { DatasetOf } from './dataset.js';
import { type FitOptions, fitOptions } from './fit-options.js';
import type { History } from './history.js';
import { trainedStepperFor } from './options.js';
import { Training } from './training.js';

export type { BatchRecord, FitOptions, FitValidation } from './fit-options.js';
export type { EpochRecord, History, Means, ProgramMeans, ValidationMeans } from './history.js';

/**
 * Trains a program: in every epoch, runs the program once for each minibatch of the dataset. Steps run off the
 * JavaScript thread, so the event loop continues to run. Without `onBatch`, one native call runs several short steps,
 * which take about 4 ms together.
 *
 * @param program a program with updates; a program without updates is refused
 * @param dataset tensors by the names of the program's inputs, with examples along axis 0. An input of shape
 *   [steps, batch, features] needs a tensor of shape [examples, steps, features], or a list with a tensor [steps, features]
 *   for each example, which may differ in the sizes of named dimensions. The examples of a minibatch are then padded with
 *   zeros at their ends to one size of the option `buckets`. The tensors are read during the whole training.
 *   With the option `stateful`, inputs that have the names of outputs are left out.
 * @returns for each epoch, the means of those outputs and metrics of the program that have only one element
 * @throws (rejects with) ValueError, ShapeError, DTypeError or GraphError, before the first run, if an option is
 *   unknown, if the options or the dataset do not fit the program, or if they do not fit the training that `from`
 *   continues; `signal.reason` after an abort; the error of a callback that throws; NumericError if `checkFinite` is
 *   true and a value is not finite; FormatError if a checkpoint cannot be written. After an error the
 *   parameters have the values of the last complete step.
 */
export async function fit<T extends Signature, V extends Signature = Signature>(
  program: Program<T> | Stepper,
  dataset: DatasetOf<T>,
  given: FitOptions<T, V>,
): Promise<History<T, V>> {
  const steps = trainedStepperFor('fit', program);
  const options = fitOptions.read(given);
  const training = new Training(steps, dataset, options);
  await training.begin();
  try {
    while (!training.isOver) {
      const means = await training.runSteps();
      const validation = await training.validate();
      await training.endEpoch(means, validation);
      await training.saveIfDue();
    }
    await training.finishSaving();
  } finally {
    await training.settle();
  }
  options.signal?.throwIfAborted();
  return training.history as History<T, V>;
}
