/**
 * Runs a workload in brain.js, whose LSTM can run only one of them. The recurrence of this LSTM is different: it has no
 * cell besides the hidden state. So its gradients are compared with the gradients of the same recurrence in forebay,
 * the form `lstm-brain`.
 */

import { createRequire } from 'node:module';
import { BenchError } from '../errors.js';
import { Tensors, writeTensors } from '../exchange.js';
import { gates } from '../layers.js';
import { type Loaded, type Requests, serve } from '../protocol.js';
import { sizeOf } from '../values.js';
import type { LstmSpec } from '../workloads.js';
import { resetPeak, statusBytes, timeCalls } from './process.js';

/** A row-major matrix of brain.js. A weight has a row for each unit and a column for each input. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly weights: Float32Array;
  readonly deltas: Float32Array;
}

/** The parts of brain.js that its type declarations lack. */
interface Network {
  readonly model: {
    readonly hiddenLayers: readonly Readonly<Record<string, Matrix>>[];
    readonly outputConnector: Matrix;
    readonly output: Matrix;
  };
  initialize(): void;
  trainArrays(sequence: readonly (readonly number[])[]): number;
  trainInput(sequence: readonly (readonly number[])[]): number;
  backpropagate(sequence: readonly (readonly number[])[]): void;
  trainPattern(sequence: readonly (readonly number[])[]): void;
  verifyIsInitialized(data: readonly unknown[]): void;
}
interface Brain {
  readonly recurrent: { readonly LSTMTimeStep: new (options: object) => Network };
}

const require = createRequire(import.meta.url);
const brain = require('brain.js') as Brain;
const { version } = require('brain.js/package.json') as { version: string };
const memoryAtImport = statusBytes('VmRSS');
let step: () => void = () => {};

/** The prefix of the names of the weights of each gate in brain.js. */
const names = {
  forget: 'forget',
  input: 'input',
  output: 'output',
  cell: 'cellActivation',
} as const;

/** A matrix of brain.js, and the rows of a tensor of the workload that it contains. */
interface Part {
  readonly matrix: Matrix;
  readonly tensor: string;
  /** The index of the first of these rows; 0 for biases. */
  readonly row: number;
}

function partsOf({ model }: Network, { inputs }: LstmSpec): Part[] {
  const [layer] = model.hiddenLayers as [Readonly<Record<string, Matrix>>];
  const matrix = (name: string): Matrix => {
    const found = layer[name];
    if (found === undefined) throw new BenchError(`brain.js's LSTM has no ${name}`);
    return found;
  };
  return [
    ...gates.flatMap((gate) => [
      { matrix: matrix(`${names[gate]}Matrix`), tensor: `lstm.${gate}.weight`, row: 0 },
      { matrix: matrix(`${names[gate]}Hidden`), tensor: `lstm.${gate}.weight`, row: inputs },
      { matrix: matrix(`${names[gate]}Bias`), tensor: `lstm.${gate}.bias`, row: 0 },
    ]),
    { matrix: model.outputConnector, tensor: 'readout.weight', row: 0 },
    { matrix: model.output, tensor: 'readout.bias', row: 0 },
  ];
}

/**
 * Calls `visit` for each element of the matrix, with the index of the element in the matrix and in the tensor of the
 * workload. The indices differ, because the matrix is the transpose of the rows of the tensor.
 */
function eachElement({ matrix, row }: Part, visit: (theirs: number, ours: number) => void): void {
  for (let unit = 0; unit < matrix.rows; unit++) {
    for (let input = 0; input < matrix.columns; input++) {
      visit(unit * matrix.columns + input, (row + input) * matrix.rows + unit);
    }
  }
}

/** Returns the points of a sequence as arrays. The sequence has the shape [steps, 1, size]. */
function points(values: ArrayLike<number>, size: number): number[][] {
  return Array.from({ length: values.length / size }, (_, t) =>
    Array.from({ length: size }, (_, index) => values[t * size + index] as number),
  );
}

function load({ spec, folder, manifest }: Requests['load'][0]): Loaded {
  if (spec.kind !== 'lstm-brain') throw new BenchError(`brain.js cannot do '${spec.kind}'`);
  const start = new Tensors(folder, manifest);
  const network = new brain.recurrent.LSTMTimeStep({
    inputSize: spec.inputs,
    hiddenLayers: [spec.units],
    outputSize: spec.outputs,
    // brain.js has no plain gradient descent: it clips each gradient, and scales it by recent squared gradients.
    learningRate: 1e-7,
  });
  const x = points(start.get('x').values, spec.inputs);
  const target = points(start.get('target').values, spec.outputs);
  // brain.js takes one sequence, and predicts each of its points from the points before.
  const sequence = [...x, target.at(-1) as number[]];
  network.verifyIsInitialized([sequence]);
  const parts = partsOf(network, spec);
  for (const part of parts) {
    const { values } = start.get(part.tensor);
    eachElement(part, (theirs, ours) => {
      part.matrix.weights[theirs] = values[ours] as number;
    });
  }
  network.trainInput(sequence);
  network.backpropagate(sequence);
  const gradients = new Map<string, Float32Array>();
  for (const part of parts) {
    const { shape } = start.get(part.tensor);
    const gradient = gradients.get(part.tensor) ?? new Float32Array(sizeOf(shape));
    gradients.set(part.tensor, gradient);
    eachElement(part, (theirs, ours) => {
      gradient[ours] = part.matrix.deltas[theirs] as number;
    });
  }
  const results = [...gradients].map(([name, values]) => {
    const { shape } = start.get(name);
    return { name, dtype: 'float32' as const, shape, values };
  });
  step = () => network.trainPattern(sequence);
  resetPeak();
  // No losses are returned, because brain.js reports a sum of absolute errors, which cannot be compared.
  const written = writeTensors(folder, 'brain', results);
  return { forms: [{ name: 'LSTMTimeStep', losses: [], results: written }] };
}

await serve({
  hello: () => ({ version, capability: null, blas: { files: [], core: null }, threads: 1 }),
  load,
  round: ({ steps }) => ({ seconds: timeCalls(steps, step) }),
  memory: () => ({ growth: statusBytes('VmHWM') - memoryAtImport }),
});
