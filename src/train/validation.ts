/** The validation of `fit`: after each epoch, a second program runs over a dataset of its own. */

import type { Stepper } from '../compile/stepper.js';
import { examplesOf } from './dataset.js';
import { type FitOptions, validateOptions } from './fit-options.js';
import { type ValidationMeans, WeightedMeans } from './history.js';
import { Minibatches } from './minibatches.js';
import { askedStepperFor } from './options.js';
import { Slices } from './slices.js';

export interface Validation {
  readonly program: Stepper;
  /** Runs the program over its whole dataset, in order. @returns the means of its outputs and metrics */
  run(): Promise<ValidationMeans>;
}

/**
 * Returns the validation that the option `validate` describes; undefined without this option.
 * @throws ValueError, ShapeError, DTypeError or GraphError if the program or the dataset does not fit
 */
export function validationOf(options: FitOptions): Validation | undefined {
  const { validate, signal, checkFinite = false, stateful } = options;
  if (validate === undefined) return undefined;
  const read = validateOptions.read(validate);
  const { program: given, dataset, batchSize = options.batchSize, buckets } = read;
  const program = askedStepperFor('fit: validate', given);
  const settings = { batchSize, buckets, ...(stateful && { stateful }) };
  const examples = examplesOf('fit: validate', dataset, program, settings);
  const slices = new Slices(program, examples, { batchSize, checkFinite, signal, single: false });
  const minibatches = new Minibatches(examples.rows, batchSize, examples.buckets);
  const run = async () => {
    const means = new WeightedMeans(program);
    await slices.run(await minibatches.plan(), (step) => means.add(step));
    const { outputs, ...others } = means.values();
    return { ...outputs, ...others } as ValidationMeans;
  };
  return { program, run };
}
