/** The gated recurrent unit (GRU). */

import type { Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Scope } from '../modules/scope.js';
import { add, concat, matmul, mul, sigmoid, sub, tanh } from '../ops/index.js';
import { initializers } from './initializers.js';
import { affineParameters, layerParameter } from './layer.js';
import {
  type Cell,
  type HiddenState,
  hiddenState,
  Recurrent,
  type RecurrentOptions,
  type Stacked,
} from './recurrent.js';

/** Options of `new GRU`. */
export interface GRUOptions extends RecurrentOptions {}

/** The parameters of a GRU: those of its two gates, and those of the candidate for the next hidden state. */
export interface GRUGates {
  /** The reset gate: a weight [inputs + units, units] and a bias [units]. */
  readonly reset: { readonly weight: Variable; readonly bias: Variable };
  /** The update gate: a weight [inputs + units, units] and a bias [units]. */
  readonly update: { readonly weight: Variable; readonly bias: Variable };
  /** The candidate: weights [inputs, units] and [units, units], and two biases [units]. */
  readonly candidate: {
    readonly inputWeight: Variable;
    readonly recurrentWeight: Variable;
    readonly bias: Variable;
    readonly recurrentBias: Variable;
  };
}

const gruCell: Cell<GRUGates, HiddenState> = {
  kind: 'GRU',
  state: hiddenState,
  make: (scope, inputs, units, how) => {
    const gate = (key: string) => affineParameters(scope.scope(key), inputs + units, units, how);
    const candidate = scope.scope('candidate');
    const weight = (key: string, rows: number) =>
      layerParameter(candidate, key, [rows, units], how);
    const bias = (key: string) =>
      layerParameter(candidate, key, [units], { ...how, init: initializers.zeros() });
    return {
      reset: gate('reset'),
      update: gate('update'),
      candidate: {
        inputWeight: weight('inputWeight', inputs),
        recurrentWeight: weight('recurrentWeight', units),
        bias: bias('bias'),
        recurrentBias: bias('recurrentBias'),
      },
    };
  },
  step: ({ reset, update, candidate }, x, { hidden }) => {
    const z = concat([x, hidden], 1);
    const affine = (operand: Node, weight: Variable, bias: Variable) =>
      add(matmul(operand, weight), bias);
    const r = sigmoid(affine(z, reset.weight, reset.bias));
    const u = sigmoid(affine(z, update.weight, update.bias));
    const recurrent = affine(hidden, candidate.recurrentWeight, candidate.recurrentBias);
    const n = tanh(add(affine(x, candidate.inputWeight, candidate.bias), mul(r, recurrent)));
    return { hidden: add(n, mul(u, sub(hidden, n))) };
  },
};

/**
 * A GRU layer: Cho et al., EMNLP 2014. At each time step, it computes the next hidden state h' from the input x and the
 * state h, with z = concat(x, h):
 *
 *     r = sigmoid(z Wr + br)                 u = sigmoid(z Wu + bu)
 *     n = tanh(x Wx + bx + r (h Wh + bh))    h' = (1 - u) n + u h
 *
 * As in PyTorch, Keras and cuDNN, the reset gate r is applied after the product with Wh. (In ONNX, this is
 * `linear_before_reset` = 1.) The parameters are named `NAME.reset.weight`, `NAME.update.weight`,
 * `NAME.candidate.inputWeight` (Wx), `NAME.candidate.recurrentWeight` (Wh), `NAME.candidate.bias` (bx),
 * `NAME.candidate.recurrentBias` (bh) and so on; those of several layers and directions have longer paths, as those of
 * `LSTM`.
 */
export class GRU<L extends number = 1, B extends boolean = false> extends Recurrent<
  GRUGates,
  HiddenState,
  L,
  B
> {
  /**
   * Makes the layer and draws the initial values of its parameters.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: GRUOptions & Stacked<L, B>) {
    super(scope, options, gruCell);
  }
}
