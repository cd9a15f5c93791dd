/** The code that all demos use: options, and functions that make, train and measure programs and read model files. */

import * as fb from '../../index.js';
import { examplesOf } from '../../train/dataset.js';
import { WeightedMeans } from '../../train/history.js';
import { InterpretedProgram } from '../../train/interpreted.js';
import { Minibatches } from '../../train/minibatches.js';
import { askedStepperFor } from '../../train/options.js';
import { Slices } from '../../train/slices.js';
import { file, flag } from '../options.js';

/** `fit` under another name, because the linter mistakes a call of `fit` for a focused test. */
export const train = fb.fit;

/** The options of every demo. */
export const modelOptions = {
  load: file({ help: 'a model.safetensors to predict from, without training' }),
  interpret: flag({ help: 'run node by node on the reference executor, not compiled' }),
};

export type DemoProgram = fb.Program | InterpretedProgram;

/** Compiles a graph, or makes a program for the reference executor if `interpret` is true. */
export function programOf(
  { interpret }: { readonly interpret: boolean },
  graph: { readonly outputs: Readonly<Record<string, fb.Node>>; readonly updates?: fb.Updates },
): DemoProgram {
  return interpret ? new InterpretedProgram(graph) : fb.compile(graph);
}

/** Runs a program without updates over a dataset. Returns the means of its outputs over the examples. */
export async function measure(program: DemoProgram, dataset: fb.Dataset): Promise<fb.Means> {
  const steps = askedStepperFor('measure', program);
  const batchSize = 1000;
  const examples = examplesOf('measure', dataset, steps, { batchSize });
  const settings = { batchSize, checkFinite: false, signal: undefined, single: false };
  const means = new WeightedMeans(steps);
  const slices = new Slices(steps, examples, settings);
  const minibatches = new Minibatches(examples.rows, batchSize, examples.buckets);
  await slices.run(await minibatches.plan(), (slice) => means.add(slice));
  return means.values().outputs;
}

/**
 * Returns the size of a tensor in a model file along an axis, so that a demo can build a model of the saved size.
 * Returns `otherwise` if no file is given.
 */
export function sizeIn(
  file: string | undefined,
  tensor: string,
  axis: number,
  otherwise: number,
): number {
  if (file === undefined) return otherwise;
  // If the tensor is missing, loading the parameters throws an error that lists the tensors in the file.
  return fb.load(file)[tensor]?.shape[axis] ?? otherwise;
}
