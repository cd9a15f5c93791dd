/**
 * Computes the lower limit of the time of a step on a machine: the time of its matrix products at the peak speed of the
 * machine, plus the time of its memory traffic at the speed of a copy. bench/README.md has the formula.
 */

import { layersOf } from './layers.js';
import { tensorsOf } from './tensors.js';
import type { GruSpec, LstmSpec, ModelSpec } from './workloads.js';

/** The work that one step needs. It is the same for every library. */
export interface Work {
  /** Floating-point operations of the matrix products. */
  readonly operations: number;
  /** The bytes that the step must read from memory, plus the bytes that it must write. */
  readonly traffic: number;
  /** The bytes of all values that the step uses: parameters, states of the optimizer, inputs, activations. */
  readonly footprint: number;
}

const bytesOf = { float32: 4, float64: 8, int32: 4 } as const;

/** The number of state values that the optimizer keeps for each parameter. */
const states = { sgd: 0, adam: 2, adamW: 2 } as const;

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
    // Each activation is written once, and read once by the next layer. None is kept for a backward pass.
    const traffic = parameters + inputs + 2 * activations;
    return { operations, traffic, footprint: parameters + inputs + activations };
  }
  // Each parameter and each state of the optimizer is read and written. Each activation is written in the forward pass
  // and read in the backward pass.
  const carried = parameters * (1 + states[spec.optimizer]);
  const traffic = 2 * carried + inputs + 2 * activations;
  return { operations, traffic, footprint: carried + inputs + activations };
}

/**
 * Returns the number of elements of the outputs of all layers, after their activation functions. For an LSTM it counts
 * the gates, the cell and the hidden state of every time step; for a GRU the gates, the candidate, the part of the
 * candidate that the reset gate multiplies, and the hidden state. For a GPT it counts the output of each attention, but
 * not the weights of the keys, because they need not be kept.
 */
function activationsOf(spec: ModelSpec): number {
  const outputs = layersOf(spec).reduce((sum, { rows, units }) => sum + rows * units, 0);
  const carried = 'steps' in spec ? carriedOf(spec) : 0;
  const attended = spec.kind === 'gpt' ? spec.blocks * spec.batch * spec.tokens * spec.width : 0;
  return outputs + carried + attended;
}

/** Returns the number of elements that are kept besides the outputs of the layers. It is negative for a GRU. */
function carriedOf({ kind, units, steps, batch }: LstmSpec | GruSpec): number {
  const size = units * steps * batch;
  // A GRU also keeps its hidden state. Of the two layers of its reset gate only the sum is kept, as of its update gate.
  return kind === 'gru' ? size - 2 * size : 2 * size;
}

/**
 * Returns the number of floating-point operations of the products of one step. Each layer has one product in the
 * forward pass. In training it has two more in the backward pass: for the gradient of its weight, and for the gradient
 * of its input. The input of the network needs no gradient.
 *
 * Each attention has two products forward: of queries and keys, and of weights and values. It has four backward: for the
 * gradients of all their operands. It is causal, so half of the pairs of a query and a key count.
 */
function operationsOf(spec: ModelSpec): number {
  const training = spec.kind !== 'predict';
  const ofLayers = layersOf(spec).reduce((sum, { inputs, units, rows, differentiated }) => {
    const products = training ? 2 * inputs + differentiated : inputs;
    return sum + 2 * rows * products * units;
  }, 0);
  if (spec.kind !== 'gpt') return ofLayers;
  const { blocks, batch, tokens, width } = spec;
  const pairs = (batch * tokens ** 2) / 2;
  return ofLayers + blocks * 6 * 2 * pairs * width;
}

/** The measured speed of the machine in one round. */
export interface MachineRate {
  readonly gflops: number;
  /** The speed of a copy in GB/s, read and written, in a buffer as large as the footprint of the workload. */
  readonly gigabytes: number;
}

/** Returns the lower limit of the time of a step, in microseconds. */
export function limitOf({ operations, traffic }: Work, { gflops, gigabytes }: MachineRate): number {
  // 1 GFLOP/s is 1,000 operations per microsecond, and 1 GB/s is 1,000 bytes per microsecond.
  return operations / gflops / 1e3 + traffic / gigabytes / 1e3;
}
