/** `predict` computes the outputs of a program for every example of a dataset. */

import { wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { abortSignal } from '../compile/flight.js';
import type { Program } from '../compile/program.js';
import type { FeedsOf, Signature, TensorsOf } from '../compile/signature.js';
import type { Stepper } from '../compile/stepper.js';
import { ShapeError } from '../errors.js';
import { bindDim, namesOf } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import type { TypedArray } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { allocate, Tensor } from '../tensor/tensor.js';
import { batchName, examplesOf } from './dataset.js';
import { askedStepperFor } from './options.js';
import { inOrder } from './order.js';
import { Slices } from './slices.js';

const predictOptions = declareOptions('predict', {
  /** The number of examples in a run; 128 by default. */
  batchSize: optional(wholeNumber(1), 'batch'),
  /** If this signal is aborted, `predict` rejects with `signal.reason`. */
  signal: optional(abortSignal, 'abort'),
});

/** The options of `predict`. */
export interface PredictOptions extends OptionsOf<typeof predictOptions> {}

/**
 * Runs a program over a dataset in minibatches, off the JavaScript thread.
 *
 * @param dataset tensors by the names of the program's inputs, with examples along axis 0, as for `fit`
 * @returns the outputs for all examples in order, by name, joined along their dimension 'batch'; without the metrics
 * @throws (rejects with) ValueError, ShapeError, DTypeError or GraphError if the dataset does not fit or an option is
 *   unknown; ValueError if the program updates parameters; ShapeError if an output has no dimension 'batch';
 *   `signal.reason` after an abort
 */
export async function predict<T extends Signature>(
  program: Program<T> | Stepper,
  dataset: FeedsOf<T>,
  options?: PredictOptions,
): Promise<TensorsOf<T['outputs']>> {
  const steps = askedStepperFor('predict', program);
  const { batchSize = 128, signal } = predictOptions.read(options);
  const examples = examplesOf('predict', dataset, steps.inputs);
  const bindings = new Map([...examples.bindings, [batchName, examples.rows] as const]);
  const joined = new Map<string, Joined>();
  for (const [name, node] of steps.outputs) {
    if (!steps.metrics.has(name)) joined.set(name, joinedOf(name, node, bindings));
  }
  const slices = new Slices(steps, examples, {
    batchSize,
    checkFinite: false,
    signal,
    single: false,
  });
  await slices.run(inOrder(examples.rows), ({ steps, start, rows, outputs }) => {
    for (const [name, { tensor, outer, inner }] of joined) {
      const data = outputs.get(name) as TypedArray;
      // If `outer` is 1, the outputs of all steps are contiguous in the result, and are copied as one batch.
      const [batches, batch] = outer === 1 ? [1, steps * rows] : [steps, rows];
      for (let index = 0; index < batches * outer; index++) {
        const [step, o] = [Math.floor(index / outer), index % outer];
        const from = index * batch * inner;
        const to = (o * examples.rows + start + step * batch) * inner;
        tensor.data.set(data.subarray(from, from + batch * inner), to);
      }
    }
  });
  const tensors = [...joined].map(([name, { tensor }]) => [name, tensor]);
  return Object.fromEntries(tensors) as TensorsOf<T['outputs']>;
}

/**
 * One output for all examples, of shape [outer, examples, inner]: `outer` and `inner` are the products of the sizes
 * before and after the batch dimension.
 */
interface Joined {
  readonly tensor: Tensor;
  readonly outer: number;
  readonly inner: number;
}

function joinedOf(
  name: string,
  { shape, dtype }: Node,
  bindings: ReadonlyMap<string, number>,
): Joined {
  const axis = shape.indexOf(batchName);
  const others = shape.filter((_, other) => other !== axis);
  if (axis < 0 || others.some((dim) => namesOf(dim).includes(batchName))) {
    throw new ShapeError(
      `predict: output '${name}' is ${dtype} ${formatShape(shape)}: expected exactly one dimension '${batchName}', along which outputs are joined`,
    );
  }
  const bound = shape.map((dim) => bindDim(dim, bindings, `output '${name}': `));
  return {
    tensor: new Tensor(allocate(dtype, bound, `predict: output '${name}':`), bound, dtype),
    outer: sizeOf(bound.slice(0, axis)),
    inner: sizeOf(bound.slice(axis + 1)),
  };
}
