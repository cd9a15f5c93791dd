/** What the demos share: their programs, how they are trained and measured, and models in files. */

import * as fb from '../../index.js';
import { InterpretedProgram } from '../../train/interpreted.js';
import { file, flag } from '../options.js';

/** `fit` by another name: our linter takes a call of that one for a test that was left focused. */
export const train = fb.fit;

/** The options of every demo. */
export const modelOptions = {
  load: file({ help: 'a model.safetensors to predict from, without training' }),
  interpret: flag({ help: 'run node by node on the reference executor, not compiled' }),
};

export type DemoProgram = fb.Program | InterpretedProgram;

/** Compiled, or for the reference executor. */
export function programOf(
  { interpret }: { readonly interpret: boolean },
  graph: { readonly outputs: Readonly<Record<string, fb.Node>>; readonly updates?: fb.Updates },
): DemoProgram {
  return interpret ? new InterpretedProgram(graph) : fb.compile(graph);
}

/** A program for `measure`: it counts its steps, because `fit` refuses a program without updates. */
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

/** The size of a tensor in a file along an axis, so that a model can be made as it was; or `otherwise`. */
export function sizeIn(
  file: string | undefined,
  tensor: string,
  axis: number,
  otherwise: number,
): number {
  if (file === undefined) return otherwise;
  // Where there is no such tensor, restoring the parameters says so, and what there is.
  return fb.load(file)[tensor]?.shape[axis] ?? otherwise;
}
