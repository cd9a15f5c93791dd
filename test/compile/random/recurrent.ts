/** Draws unrolled recurrent nets as users write them: gate by gate, of one or two layers, in one or both directions. */

import type { Dim } from '../../../src/graph/dimension.js';
import {
  add,
  broadcastTo,
  cast,
  concat,
  constant,
  greater,
  matmul,
  mul,
  type Node,
  relu,
  reshape,
  sigmoid,
  sign,
  slice,
  stack,
  sub,
  tanh,
  where,
} from '../../../src/index.js';
import type { Draft } from './draft.js';

/** A function that adds nodes to a draft, and returns the nodes from which a loss may be computed. */
export type Structure = (draft: Draft) => Node[];

type Activation = (x: Node) => Node;

const clamped: Activation = (x) => where(greater(x, 1), 1, where(greater(-1, x), -1, x));

/** Returns tanh (`squash`) and sigmoid (`gate`), or similar functions that keep exact numbers exact. */
export function activations({ draws, numbers }: Draft): { squash: Activation; gate: Activation } {
  if (!numbers.exact) return { squash: tanh, gate: draws.chance(0.9) ? sigmoid : relu };
  return {
    squash: draws.pick([clamped, clamped, sign, relu]),
    gate: draws.pick<Activation>([clamped, relu, sign, (x) => cast(greater(x, 0), x.dtype)]),
  };
}

function batchOf(draft: Draft): Dim {
  const { draws, names } = draft;
  return names.length > 0 && draws.chance(0.8)
    ? draws.pick(names)
    : draws.chance(0.5)
      ? 1
      : draft.units(2, 3);
}

/** Returns the initial state of a sequence: constant zeros, which the compiler folds away, or a new leaf. */
function start(draft: Draft, shape: readonly Dim[]): Node {
  const { draws, dtype } = draft;
  if (draws.chance(0.5)) return broadcastTo(constant(0, { dtype }), shape);
  return draws.chance(0.6) ? draft.input(shape) : draft.leaf(shape);
}

/** Returns a node of shape [batch, inputs] for each time step: a separate input, or a slice of one large input. */
function sequence(draft: Draft, steps: number, batch: Dim, inputs: number): Node[] {
  if (draft.draws.chance(0.3)) {
    return Array.from({ length: steps }, () => draft.input([batch, inputs]));
  }
  const xs = draft.input([steps, batch, inputs]);
  return Array.from({ length: steps }, (_, t) =>
    reshape(slice(xs, { axis: 0, start: t, end: t + 1 }), [batch, inputs]),
  );
}

/**
 * Adds a dense layer on each hidden state, or one on all hidden states at once. Sometimes adds no dense layer, and only
 * stacks the hidden states. Returns the new nodes from which a loss may be computed.
 */
function readout(draft: Draft, hidden: readonly Node[], units: number): Node[] {
  const { draws } = draft;
  if (draws.chance(0.2)) return [hidden.at(-1) as Node, draft.keep(stack(hidden, 0))];
  const outputs = draft.units(1, 3);
  const [weight, bias] = [draft.parameter([units, outputs]), draft.parameter([outputs])];
  const dense = (x: Node) => add(matmul(x, weight), bias);
  const all = draws.chance(0.5) ? stack(hidden.map(dense), 0) : dense(stack(hidden, 0));
  return [draft.keep(all)];
}

type Cell = (x: Node) => Node;

function lstmCell(draft: Draft, batch: Dim, inputs: number, units: number): Cell {
  const { squash, gate } = activations(draft);
  const gates = Array.from({ length: 4 }, () => ({
    weight: draft.parameter([inputs + units, units]),
    bias: draft.parameter([units]),
  }));
  const apart = draft.draws.chance(0.2);
  let hidden = start(draft, [batch, units]);
  let cell = start(draft, [batch, units]);
  return (x) => {
    const z = concat([x, hidden], 1);
    const [forget, admit, output, candidate] = gates.map(({ weight, bias }) => {
      // In most nets, the concatenation of x and hidden is multiplied by the weight. In the others, x and hidden are
      // each multiplied by a slice of the weight, because users write both forms.
      if (!apart) return add(matmul(z, weight), bias);
      const own = slice(weight, { axis: 0, end: inputs });
      const back = slice(weight, { axis: 0, start: inputs });
      return add(add(matmul(x, own), matmul(hidden, back)), bias);
    }) as [Node, Node, Node, Node];
    cell = add(mul(gate(forget), cell), mul(gate(admit), squash(candidate)));
    hidden = mul(gate(output), squash(cell));
    return hidden;
  };
}

function gruCell(draft: Draft, batch: Dim, inputs: number, units: number): Cell {
  const { squash, gate } = activations(draft);
  const weight = () => draft.parameter([inputs + units, units]);
  const [reset, update, candidate] = [weight(), weight(), weight()];
  let hidden = start(draft, [batch, units]);
  return (x) => {
    const z = concat([x, hidden], 1);
    const kept = mul(gate(matmul(z, reset)), hidden);
    const next = squash(matmul(concat([x, kept], 1), candidate));
    const share = gate(matmul(z, update));
    hidden = add(mul(share, hidden), mul(sub(1, share), next));
    return hidden;
  };
}

/** Returns a cell that computes h' = squash(x Wx + h Wh + b), with separate weights Wx and Wh. Sometimes h is added. */
function rnnCell(draft: Draft, batch: Dim, inputs: number, units: number): Cell {
  const { squash } = activations(draft);
  const [wx, wh] = [draft.parameter([inputs, units]), draft.parameter([units, units])];
  const bias = draft.parameter([units]);
  const deepens = draft.draws.chance(0.3);
  let hidden = start(draft, [batch, units]);
  return (x) => {
    const next = squash(add(add(matmul(x, wx), matmul(hidden, wh)), bias));
    hidden = deepens ? add(hidden, next) : next;
    return hidden;
  };
}

const cells = [
  [5, lstmCell],
  [1, gruCell],
  [2, rnnCell],
] as const;

export const recurrent: Structure = (draft) => {
  const { draws } = draft;
  const batch = batchOf(draft);
  const layers = draws.chance(0.2) ? 2 : 1;
  const steps = draws.between(2, layers === 1 ? 4 : 3);
  let units = draft.units(1, 3);
  let xs = sequence(draft, steps, batch, units);
  const both = draws.chance(0.15);
  const kind = draws.weighted(cells);
  for (let layer = 0; layer < layers; layer++) {
    const inputs = units;
    units = draft.units(1, 4);
    const forward = kind(draft, batch, inputs, units);
    const backwards = both ? kind(draft, batch, inputs, units) : undefined;
    const ahead = xs.map(forward);
    const back = backwards ? [...xs].reverse().map(backwards).reverse() : undefined;
    xs = back ? ahead.map((hidden, t) => concat([hidden, back[t] as Node], 1)) : ahead;
    if (both) units *= 2;
  }
  for (const hidden of xs) draft.keep(hidden);
  return readout(draft, xs, units);
};
