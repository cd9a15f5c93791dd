/**
 * The least time that a workload's step could take on a machine: its matrix products at the machine's
 * peak, and its memory traffic at the rate of a copy. bench/README.md states the formula.
 */

import { gates, layersOf, type ModelSpec, tensorsOf } from './workloads.js';

/** What a step has to do, whoever does it. */
export interface Work {
  /** Floating-point operations of its matrix products. */
  readonly operations: number;
  /** Bytes that are read and written, each once. */
  readonly traffic: number;
  /** Bytes of all that it needs: parameters, states of the optimizer, inputs, activations. */
  readonly footprint: number;
}

const bytesOf = { float32: 4, float64: 8, int32: 4 } as const;

/** Values of each parameter that the optimizer carries from step to step. */
const states = { sgd: 0, adam: 2 } as const;

const product = (shape: readonly number[]) => shape.reduce((size, dim) => size * dim, 1);

export function workOf(spec: ModelSpec): Work {
  const size = bytesOf[spec.dtype];
  const bytes = (role: 'parameter' | 'input') =>
    tensorsOf(spec)
      .filter((tensor) => tensor.role === role)
      .reduce((sum, { shape, dtype }) => sum + product(shape) * bytesOf[dtype], 0);
  const [parameters, inputs] = [bytes('parameter'), bytes('input')];
  const activations = activationsOf(spec) * size;
  const operations = operationsOf(spec);
  if (spec.kind === 'predict') {
    // Nothing needs to be kept: an activation is written and read by the next layer.
    const traffic = parameters + inputs + 2 * activations;
    return { operations, traffic, footprint: parameters + inputs + activations };
  }
  // A parameter and its states are read and written; an activation is written and read again.
  const carried = parameters * (1 + states[spec.optimizer]);
  const traffic = 2 * carried + inputs + 2 * activations;
  return { operations, traffic, footprint: carried + inputs + activations };
}

/** Rows that a layer's weight is multiplied with in one step. */
const rowsOf = (spec: ModelSpec) => spec.batch * ('steps' in spec ? spec.steps : 1);

/**
 * The elements of every layer's output, after its activation function. Of an LSTM: each gate, the cell
 * and the hidden state of every step.
 */
function activationsOf(spec: ModelSpec): number {
  const outputs = layersOf(spec).reduce((sum, [, , units]) => sum + units, 0);
  const carried = 'units' in spec ? 2 * spec.units : 0;
  return rowsOf(spec) * (outputs + carried);
}

/**
 * A product forward; backward one for the weight's gradient, and one for the gradient of the layer's
 * input, unless that is the network's input, which needs none.
 */
function operationsOf(spec: ModelSpec): number {
  const rows = rowsOf(spec);
  const training = spec.kind !== 'predict';
  return layersOf(spec).reduce((sum, [name, inputs, units], index) => {
    const forward = 2 * rows * inputs * units;
    if (!training) return sum + forward;
    // Of [x, h], which an LSTM's gates read, only h has a gradient.
    const isGate = gates.some((gate) => name === `lstm.${gate}`);
    const differentiated = isGate && 'units' in spec ? spec.units : index === 0 ? 0 : inputs;
    return sum + 2 * forward + 2 * rows * differentiated * units;
  }, 0);
}

/** What the machine was measured to do in one round. */
export interface MachineRate {
  readonly gflops: number;
  /** GB/s, read and written, within the workload's footprint. */
  readonly gigabytes: number;
}

/** The limit in microseconds. */
export function limitOf({ operations, traffic }: Work, { gflops, gigabytes }: MachineRate): number {
  // 1 GFLOP/s is 1,000 operations a microsecond, and so are GB/s and bytes.
  return operations / gflops / 1e3 + traffic / gigabytes / 1e3;
}
