/** Recurrent operators, each direction of which is one loop. */

import type { Dim } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import { applied as overSequence, withoutPadding } from '../../nn/sequence.js';
import {
  abs,
  add,
  broadcastTo,
  clamp,
  concat,
  div,
  elu,
  greater,
  leakyRelu,
  matmul,
  mul,
  relu,
  reshape,
  sigmoid,
  slice,
  softplus,
  stack,
  sub,
  tanh,
  transpose,
  where,
} from '../../ops/index.js';
import type { Call } from '../call.js';
import { type Rows, row } from './row.js';

type Activation = (x: Node) => Node;

/** Activations by their names in small letters, with the usual values of alpha and beta. */
const activations: Readonly<
  Record<
    string,
    { make: (alpha: number, beta: number) => Activation; alpha?: number; beta?: number }
  >
> = {
  relu: { make: () => relu },
  tanh: { make: () => tanh },
  sigmoid: { make: () => sigmoid },
  affine: { make: (alpha, beta) => (x) => add(mul(alpha, x), beta), alpha: 1, beta: 0 },
  leakyrelu: { make: (slope) => (x) => leakyRelu(x, { slope }), alpha: 0.01 },
  thresholdedrelu: { make: (alpha) => (x) => where(greater(x, alpha), x, 0), alpha: 1 },
  scaledtanh: { make: (alpha, beta) => (x) => mul(alpha, tanh(mul(beta, x))), alpha: 1, beta: 1 },
  hardsigmoid: {
    make: (alpha, beta) => (x) => clamp(add(mul(alpha, x), beta), { min: 0, max: 1 }),
    alpha: 0.2,
    beta: 0.5,
  },
  elu: { make: (alpha) => (x) => elu(x, { alpha }), alpha: 1 },
  softsign: { make: () => (x) => div(x, add(1, abs(x))) },
  softplus: { make: () => softplus },
};

/** What a recurrent operator computes in one time step of one direction. */
interface Cell {
  /** The number of gates: the rows of the weights are a multiple of it. */
  readonly gates: number;
  /** The usual activations. */
  readonly usual: readonly string[];
  /** The number of parts of the state: the hidden state, and what else is carried. */
  readonly states: number;
  readonly step: (
    part: Direction,
    /** The product of the input and its weight, with the bias: [batch, gates units]. */
    fromInput: Node,
    state: readonly Node[],
    activations: readonly Activation[],
    call: Call,
  ) => readonly Node[];
}

/** The weights of a direction. */
interface Direction {
  readonly units: number;
  /** [gates units, units]. */
  readonly recurrent: Node;
  /** The bias of the product of the state; undefined if it is part of that of the input. */
  readonly recurrentBias: Node | undefined;
  /** The weights of the cell state in the gates of an LSTM: [3 units]. */
  readonly peepholes: Node | undefined;
  readonly clip: number | undefined;
}

/** Returns one of several equal parts along the last axis. */
function part(x: Node, index: number, units: number): Node {
  const axis = x.shape.length - 1;
  return slice(x, { axis, start: index * units, end: (index + 1) * units });
}

function limited(x: Node, limit: number | undefined): Node {
  return limit === undefined ? x : clamp(x, { min: -limit, max: limit });
}

const simple: Cell = {
  gates: 1,
  usual: ['Tanh'],
  states: 1,
  step: ({ recurrent, clip }, fromInput, [hidden], [f]) => {
    const sum = add(fromInput, matmul(hidden as Node, recurrent, { transposeB: true }));
    return [(f as Activation)(limited(sum, clip))];
  },
};

/** The gates are the input, the output, the forget gate and the cell. */
const lstm: Cell = {
  gates: 4,
  usual: ['Sigmoid', 'Tanh', 'Tanh'],
  states: 2,
  step: ({ units, recurrent, peepholes, clip }, fromInput, [hidden, cell], [f, g, h], call) => {
    const sums = add(fromInput, matmul(hidden as Node, recurrent, { transposeB: true }));
    const [f1, g1, h1] = [f, g, h] as [Activation, Activation, Activation];
    const from = (index: number, state?: Node, at = 0) => {
      const sum = part(sums, index, units);
      const seen =
        peepholes === undefined || state === undefined
          ? sum
          : add(sum, mul(part(peepholes, at, units), state));
      return limited(seen, clip);
    };
    const admit = f1(from(0, cell, 0));
    const forget = call.flag('input_forget') ? sub(1, admit) : f1(from(2, cell, 2));
    const next = add(mul(forget, cell as Node), mul(admit, g1(from(3))));
    const output = f1(from(1, next, 1));
    return [mul(output, h1(next)), next];
  },
};

/** The gates are the update, the reset and the hidden gate. */
const gru: Cell = {
  gates: 3,
  usual: ['Sigmoid', 'Tanh'],
  states: 1,
  step: ({ units, recurrent, recurrentBias, clip }, fromInput, [hidden], [f, g], call) => {
    const [f1, g1] = [f, g] as [Activation, Activation];
    const state = hidden as Node;
    const rows = (from: number, to: number) =>
      slice(recurrent, { axis: 0, start: from * units, end: to * units });
    const after = call.flag('linear_before_reset');
    const bias = recurrentBias && part(recurrentBias, 2, units);
    const product = (weights: Node, x = state) => matmul(x, weights, { transposeB: true });
    const all = after ? product(recurrent) : product(rows(0, 2));
    const gate = (index: number) =>
      f1(limited(add(part(fromInput, index, units), part(all, index, units)), clip));
    const [update, reset] = [gate(0), gate(1)];
    const biased = (x: Node) => (bias === undefined ? x : add(x, bias));
    const inner = after
      ? mul(reset, biased(part(all, 2, units)))
      : biased(product(rows(2, 3), mul(reset, state)));
    const candidate = g1(limited(add(part(fromInput, 2, units), inner), clip));
    return [add(mul(sub(1, update), candidate), mul(update, state))];
  },
};

/** Cuts a direction out of a weight, whose first axis is the directions. */
function ofDirection(weight: Node, index: number): Node {
  const { shape } = weight;
  const one = shape[0] === 1 ? weight : slice(weight, { axis: 0, start: index, end: index + 1 });
  return reshape(one, shape.slice(1));
}

function applied(call: Call, cell: Cell): Node[] {
  const batchFirst = call.flag('layout');
  const given = call.node(0);
  const sequence = batchFirst ? transpose(given, [1, 0, 2]) : given;
  const [weight, recurrence] = [call.weight(1), call.weight(2)];
  const bias = call.has(3) ? call.vector(3) : undefined;
  const lengths = call.optional(4);
  const x = lengths ? withoutPadding(sequence, lengths) : sequence;
  const batch = x.shape[1] as Dim;
  const units = recurrence.shape[2] as number;
  call.int('hidden_size', units);
  const direction = call.text('direction', 'forward');
  const reverse = { forward: [false], reverse: [true], bidirectional: [false, true] }[direction];
  if (reverse === undefined) return call.unsupported(`direction '${direction}'`);
  const clip = call.float('clip', undefined);
  const functions = activationsOf(call, cell, reverse.length);
  const results = reverse.map((backwards, at) => {
    const biases = bias && ofDirection(bias, at);
    const [inputBias, stateBias] = [0, 1].map(
      (half) => biases && part(biases, half, cell.gates * units),
    );
    const direction: Direction = {
      units,
      recurrent: ofDirection(recurrence, at),
      recurrentBias: cell === gru ? stateBias : undefined,
      peepholes: call.has(7) ? ofDirection(call.weight(7), at) : undefined,
      clip,
    };
    const own = functions.slice(at * cell.usual.length, (at + 1) * cell.usual.length);
    const initial = Array.from({ length: cell.states }, (_, index): Node => {
      if (!call.has(5 + index)) {
        return broadcastTo(constant(0, { dtype: x.dtype }), [batch, units]);
      }
      const state = call.node(5 + index);
      return ofDirection(batchFirst ? transpose(state, [1, 0, 2]) : state, at);
    });
    return inLoop(call, cell, direction, {
      x,
      weight: ofDirection(weight, at),
      bias: inputBias && joinedBias(cell, inputBias, stateBias as Node, units),
      initial,
      lengths,
      backwards,
      functions: own,
    });
  });
  // [steps, directions, batch, units], and [directions, batch, units].
  const outputs = stack(
    results.map(({ hidden }) => hidden),
    1,
  );
  const last = Array.from({ length: cell.states }, (_, index) =>
    stack(
      results.map(({ state }) => state[index] as Node),
      0,
    ),
  );
  if (!batchFirst) return [outputs, ...last];
  return [transpose(outputs, [2, 0, 1, 3]), ...last.map((state) => transpose(state, [1, 0, 2]))];
}

/** The bias that is added to the product of the input. The reset gate of a GRU is a factor of the other one. */
function joinedBias(cell: Cell, input: Node, state: Node, units: number): Node {
  if (cell !== gru) return add(input, state);
  const gates = add(part(input, 0, 2 * units), part(state, 0, 2 * units));
  return concat([gates, part(input, 2, units)], 0);
}

interface Sequence {
  /** [steps, batch, inputs]. */
  readonly x: Node;
  /** [gates units, inputs]. */
  readonly weight: Node;
  /** [gates units]. */
  readonly bias: Node | undefined;
  readonly initial: readonly Node[];
  readonly lengths: Node | undefined;
  readonly backwards: boolean;
  readonly functions: readonly Activation[];
}

/**
 * Applies a cell to a sequence. After the end of a row, its state does not change and its outputs are 0. If a row has no
 * steps, its last state is 0.
 */
function inLoop(
  call: Call,
  cell: Cell,
  direction: Direction,
  { x, weight, bias, initial, lengths, backwards, functions }: Sequence,
): { hidden: Node; state: readonly Node[] } {
  const keys = ['hidden', 'cell'].slice(0, cell.states);
  const record = (states: readonly Node[]) =>
    Object.fromEntries(keys.map((key, index) => [key, states[index] as Node]));
  const { hidden, last } = overSequence({
    name: backwards ? `${call.label}.backward` : call.label,
    xs: x,
    initial: record(initial),
    reverse: backwards,
    lengths,
    step: (now, state) => {
      const product = matmul(now, weight, { transposeB: true });
      const sums = bias === undefined ? product : add(product, bias);
      const before = keys.map((key) => state[key] as Node);
      return record(cell.step(direction, sums, before, functions, call));
    },
  });
  const states = keys.map((key) => last[key] as Node);
  if (lengths === undefined) return { hidden, state: states };
  const some = greater(reshape(lengths, [lengths.shape[0] as Dim, 1]), 0);
  return { hidden, state: states.map((value) => where(some, value, 0)) };
}

/** The activations of all directions, one direction after another. */
function activationsOf(call: Call, { usual }: Cell, directions: number): Activation[] {
  const names =
    call.texts('activations', undefined) ?? Array.from({ length: directions }, () => usual).flat();
  const alphas = [...call.floats('activation_alpha', [])];
  const betas = [...call.floats('activation_beta', [])];
  return names.map((name) => {
    const known = Object.hasOwn(activations, name.toLowerCase())
      ? activations[name.toLowerCase()]
      : undefined;
    if (known === undefined) return call.unsupported(`the activation '${name}'`);
    // Only the activations that have an alpha or a beta take one from the lists.
    const alpha = known.alpha === undefined ? 0 : (alphas.shift() ?? known.alpha);
    const beta = known.beta === undefined ? 0 : (betas.shift() ?? known.beta);
    return known.make(alpha, beta);
  });
}

export const recurrent: Rows = {
  RNN: row((call) => applied(call, simple)),
  LSTM: row((call) => applied(call, lstm)),
  GRU: row((call) => applied(call, gru)),
};
