/** Recurrent layers, unrolled: one set of nodes for each time step. */

import { FormatError } from '../../errors.js';
import type { Dim } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import type { Pauses } from '../../imports/slices.js';
import {
  add,
  broadcastTo,
  concat,
  flip,
  matmul,
  mul,
  reshape,
  slice,
  stack,
  sub,
  transpose,
  where,
} from '../../ops/index.js';
import { type LayerCall, type Rows, row } from '../call.js';
import type { Layer } from '../topology.js';
import { Value } from '../value.js';
import { type Activation, activationOf } from './activations.js';
import { dropped } from './noise.js';

/** The weights of a layer, and what is made of them once. */
interface Weights {
  readonly units: number;
  /** [units, gates units]. */
  readonly recurrent: Node;
  /** The bias of the product of the state; undefined if it is part of that of the input. */
  readonly bias: Node | undefined;
  readonly activation: Activation;
  readonly gate: Activation;
}

/** What a recurrent layer computes in a time step. */
interface Cell {
  readonly gates: number;
  /** The number of parts of the state. The first is the result of the step. */
  readonly states: number;
  /** Whether the products of the state may have a bias of their own. */
  readonly resets: boolean;
  readonly step: (weights: Weights, fromInput: Node, state: readonly Node[], seen: Node) => Node[];
}

/** Returns one of several equal parts along the last axis, or several of them. */
function part(x: Node, index: number, units: number, count = 1): Node {
  const axis = x.shape.length - 1;
  return slice(x, { axis, start: index * units, end: (index + count) * units });
}

/** `seen` is the state that the products read: in training, some of its elements may be dropped. */
const simple: Cell = {
  gates: 1,
  states: 1,
  resets: false,
  step: ({ recurrent, activation }, fromInput, _state, seen) => [
    activation(add(fromInput, matmul(seen, recurrent)), 1),
  ],
};

/** The gates are the input, the forget gate, the cell and the output. */
const lstm: Cell = {
  gates: 4,
  states: 2,
  resets: false,
  step: ({ units, recurrent, activation, gate }, fromInput, [, cell], seen) => {
    const sums = add(fromInput, matmul(seen, recurrent));
    const [admit, forget, output] = [0, 1, 3].map((i) => gate(part(sums, i, units), 1)) as [
      Node,
      Node,
      Node,
    ];
    const candidate = activation(part(sums, 2, units), 1);
    const next = add(mul(forget, cell as Node), mul(admit, candidate));
    return [mul(output, activation(next, 1)), next];
  },
};

/** The gates are the update, the reset and the candidate. */
const gru: Cell = {
  gates: 3,
  states: 1,
  resets: true,
  step: ({ units, recurrent, bias, activation, gate }, fromInput, [hidden], seen) => {
    // With a bias of its own, the whole product is reset; otherwise, the state is reset before it.
    const after = bias !== undefined;
    const products = after
      ? add(matmul(seen, recurrent), bias)
      : matmul(seen, part(recurrent, 0, units, 2));
    const [update, reset] = [0, 1].map((i) =>
      gate(add(part(fromInput, i, units), part(products, i, units)), 1),
    ) as [Node, Node];
    const inner = after
      ? mul(reset, part(products, 2, units))
      : matmul(mul(reset, seen), part(recurrent, 2, units));
    const candidate = activation(add(part(fromInput, 2, units), inner), 1);
    return [add(mul(update, hidden as Node), mul(sub(1, update), candidate))];
  },
};

/** The largest number of steps. Each has nodes of its own, so that more would take much time and memory. */
const mostSteps = 2 ** 12;

/** The results of all steps in the order in which they are computed, the last state, and the mask of the input. */
interface Unrolled {
  readonly hidden: readonly Node[];
  readonly state: readonly Node[];
  readonly mask: Node | undefined;
}

/**
 * Applies a cell to a sequence. In steps that the mask leaves out, the state does not change, and the result is that of
 * the step before.
 */
function* unrolled(call: LayerCall, cell: Cell): Pauses<Unrolled> {
  const { config, inputs } = call;
  const [input, ...initial] = inputs;
  if (input?.rank !== 3) {
    throw new FormatError(`expected a sequence with 3 axes, but it has ${input?.rank ?? 0}`);
  }
  if (initial.length > 0 && initial.length !== cell.states) {
    throw new FormatError(
      `expected a sequence, and ${cell.states} states or none, but there are ${inputs.length} inputs`,
    );
  }
  const { plain, mask } = input;
  if (mask !== undefined && mask.shape.length !== 2) {
    return call.unsupported(`a mask with ${mask.shape.length} axes`);
  }
  if (config.flag('stateful', false)) return call.unsupported('stateful');
  const [batch, length, width] = plain.shape as [Dim, Dim, Dim];
  const steps = call.size(length, 'the number of steps of its input');
  if (steps === 0 || steps > mostSteps) {
    return call.unsupported(`${steps} steps; there may be 1 to ${mostSteps}`);
  }
  const features = call.size(width, 'the last dimension of its input');
  const backwards = config.flag('go_backwards', false);
  if (config.flag('zero_output_for_mask', false) && mask !== undefined) {
    return call.unsupported('zero_output_for_mask, which TensorFlow.js ignores');
  }
  const factor = dropped([batch, 1, features], plain, config.rate('dropout'));
  const x = factor === undefined ? plain : mul(plain, factor);
  const { weights, kernel, bias } = weightsOf(call, cell, features);
  const { units } = weights;
  const forgets = dropped([batch, units], plain, config.rate('recurrent_dropout'));
  // Time first, so that the products of all steps are one product whose rows follow one another.
  const rows = matmul(reshape(transpose(x, [1, 0, 2]), [-1, features]), kernel);
  const sums = bias === undefined ? rows : add(rows, bias);
  const fromInput = reshape(sums, [steps, batch, cell.gates * units]);
  const at = (node: Node, step: number) =>
    reshape(slice(node, { axis: 0, start: step, end: step + 1 }), node.shape.slice(1));
  const counts = mask && reshape(transpose(mask, [1, 0]), [steps, batch, 1]);
  let state: readonly Node[] =
    initial.length > 0
      ? initial.map((value) => value.plain)
      : Array.from({ length: cell.states }, () =>
          broadcastTo(constant(0, { dtype: plain.dtype }), [batch, units]),
        );
  const hidden: Node[] = [];
  for (let i = 0; i < steps; i++) {
    yield;
    const step = backwards ? steps - 1 - i : i;
    const before = state;
    const seen = before[0] as Node;
    const next = cell.step(
      weights,
      at(fromInput, step),
      before,
      forgets === undefined ? seen : mul(seen, forgets),
    );
    const takes = counts && at(counts, step);
    state =
      takes === undefined
        ? next
        : next.map((value, index) => where(takes, value, before[index] as Node));
    hidden.push(state[0] as Node);
  }
  return { hidden, state, mask };
}

function weightsOf(
  call: LayerCall,
  cell: Cell,
  features: number,
): { weights: Weights; kernel: Node; bias: Node | undefined } {
  const { config } = call;
  const units = config.needed('units');
  const all = cell.gates * units;
  const activation = activationOf(call, 'activation', 'tanh');
  const gate =
    cell === simple ? activation : activationOf(call, 'recurrent_activation', 'hard_sigmoid');
  const kernel = call.cellWeight('kernel', [features, all]);
  const recurrent = call.cellWeight('recurrent_kernel', [units, all]);
  const biased = config.flag('use_bias', true);
  const after = cell.resets && config.flag('reset_after', false);
  const plain = { units, recurrent, activation, gate };
  if (!after) {
    const bias = biased ? call.cellWeight('bias', [all]) : undefined;
    return { weights: { ...plain, bias: undefined }, kernel, bias };
  }
  if (!biased) {
    const none = broadcastTo(constant(0, { dtype: call.dtype }), [all]);
    return { weights: { ...plain, bias: none }, kernel, bias: undefined };
  }
  const both = call.cellWeight('bias', [2, all]);
  const [bias, own] = [0, 1].map((row) =>
    reshape(slice(both, { axis: 0, start: row, end: row + 1 }), [all]),
  ) as [Node, Node];
  return { weights: { ...plain, bias: own }, kernel, bias };
}

/** The results of a layer: all steps or the last one and, if it returns its state, the parts of the state. */
function recurring(cell: Cell) {
  return row(
    function* (call) {
      const sequences = call.config.flag('return_sequences', false);
      const states = call.config.flag('return_state', false);
      const { hidden, state, mask } = yield* unrolled(call, cell);
      const output = sequences
        ? Value.plain(stack(hidden, 1), mask)
        : Value.plain(hidden.at(-1) as Node);
      return [output, ...(states ? state.map((node) => Value.plain(node)) : [])];
    },
    {
      mask: 'own',
      without: '`stateful`, more than 4,096 steps, a number of steps that is not known',
    },
  );
}

/** How the results of the two directions are combined. */
const merged: Readonly<Record<string, (forward: Node, backward: Node) => Node>> = {
  concat: (a, b) => concat([a, b], a.shape.length - 1),
  sum: (a, b) => add(a, b),
  ave: (a, b) => mul(add(a, b), 0.5),
  mul: (a, b) => mul(a, b),
};

/** Applies a recurrent layer forwards, and another one with the same options backwards. */
function* bidirectional(call: LayerCall): Pauses<Value[]> {
  const { config, layer, inputs } = call;
  for (const key of ['layer', 'backward_layer']) config.raw(key);
  const { inner, backward } = layer;
  if (inner === undefined) throw new FormatError("'layer' is missing");
  for (const { kind } of [inner, backward ?? inner]) {
    if (!Object.hasOwn(cells, kind)) return call.unsupported(`a layer that is a ${kind}`);
  }
  const mode = config.raw('merge_mode');
  const name = mode === undefined ? 'concat' : mode;
  const combine =
    typeof name === 'string' && Object.hasOwn(merged, name) ? merged[name] : undefined;
  if (combine === undefined && name !== null) return call.unsupported(`merge_mode ${String(name)}`);
  const [sequence, ...states] = inputs;
  if (states.length % 2 !== 0) {
    throw new FormatError(
      `expected as many initial states for each direction, but there are ${states.length}`,
    );
  }
  const half = states.length / 2;
  const forwards = { layer: inner, states: states.slice(0, half), prefix: 'forward_' };
  const backwards = {
    layer: backward ?? turned(inner),
    states: states.slice(half),
    prefix: 'backward_',
  };
  const of = function* ({ layer: directed, states: initial, prefix }: typeof forwards) {
    // Keras 3 writes the names of the two layers with their prefixes.
    const { name: own } = directed;
    const path = own.startsWith(prefix) ? own : `${prefix}${own}`;
    return yield* call.applyInner(directed, [sequence as Value, ...initial], path);
  };
  const [first, ...forwardStates] = (yield* of(forwards)) as [Value, ...Value[]];
  const [second, ...backwardStates] = (yield* of(backwards)) as [Value, ...Value[]];
  // The results of the backward layer are in the order in which it reads the steps.
  const sequences = first.rank === 3;
  const other = sequences ? flip(second.plain, 1) : second.plain;
  const outputs = combine === undefined ? [first.plain, other] : [combine(first.plain, other)];
  const results = outputs.map((node) => Value.plain(node, first.mask));
  return [...results, ...forwardStates, ...backwardStates];
}

/** The same layer in the other direction. */
function turned(layer: Layer): Layer {
  return { ...layer, config: () => layer.config().with('go_backwards', (given) => given !== true) };
}

const cells: Rows = {
  SimpleRNN: recurring(simple),
  LSTM: recurring(lstm),
  GRU: recurring(gru),
};

export const recurrent: Rows = {
  ...cells,
  Bidirectional: row(bidirectional, { mask: 'own' }),
};
