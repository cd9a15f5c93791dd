/** What the demos share: options, and functions that make, train and measure programs and read model files. */

import * as fb from '../../index.js';
import { InterpretedProgram } from '../../train/interpreted.js';
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

/** A program for `measure`. It counts its steps, because `fit` refuses a program without updates. */
export function measuringProgramOf(
  options: { readonly interpret: boolean },
  outputs: Readonly<Record<string, fb.Node>>,
): DemoProgram {
  const steps = fb.state('steps', 0);
  return programOf(options, { outputs, updates: [[steps, fb.add(steps, 1)]] });
}

/** The means of a program's outputs over a dataset. */
export async function measure(program: DemoProgram, dataset: fb.Dataset): Promise<fb.Means> {
  const once = { epochs: 1, batchSize: 1000, shuffle: false };
  const { epochs } = await train(program, dataset, once);
  return (epochs[0] as fb.EpochRecord).outputs;
}

/** The size of a file's tensor along an axis, to build a model of the saved size; `otherwise` if there is no file. */
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
