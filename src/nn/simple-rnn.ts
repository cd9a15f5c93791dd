/** The simple recurrent layer. */

import type { Variable } from '../graph/leaf.js';
import type { Scope } from '../modules/scope.js';
import { add, concat, matmul, tanh } from '../ops/index.js';
import { affineParameters } from './layer.js';
import {
  type Cell,
  type HiddenState,
  hiddenState,
  Recurrent,
  type RecurrentOptions,
  type Stacked,
} from './recurrent.js';

/** Options of `new SimpleRNN`. */
export interface SimpleRNNOptions extends RecurrentOptions {}

/** The parameters of a simple recurrent layer. */
export interface SimpleRNNGates {
  /** The weight W, of shape [inputs + units, units]. */
  readonly weight: Variable;
  /** The bias b, of shape [units]. */
  readonly bias: Variable;
}

const simpleCell: Cell<SimpleRNNGates, HiddenState> = {
  kind: 'SimpleRNN',
  state: hiddenState,
  make: (scope, inputs, units, how) => affineParameters(scope, inputs + units, units, how),
  step: ({ weight, bias }, x, { hidden }) => ({
    hidden: tanh(add(matmul(concat([x, hidden], 1), weight), bias)),
  }),
};

/**
 * A simple recurrent layer: Elman, Finding structure in time, 1990. At each time step, it computes the next hidden state
 * h' = tanh(concat(x, h) W + b) from the input x and the state h. The parameters are named `NAME.weight` and
 * `NAME.bias`; those of several layers and directions have longer paths, as those of `LSTM`.
 */
export class SimpleRNN<L extends number = 1, B extends boolean = false> extends Recurrent<
  SimpleRNNGates,
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
  constructor(scope: string | Scope, options: SimpleRNNOptions & Stacked<L, B>) {
    super(scope, options, simpleCell);
  }
}
