/**
 * The long short-term memory (LSTM). It is built from ordinary nodes, like the LSTM in the blog post that forebay is
 * based on.
 */

import { declareOptions, type OptionsOf, required } from '../arguments/options.js';
import type { Variable } from '../graph/leaf.js';
import { type Node, nodeOf } from '../graph/node.js';
import type { Scope } from '../modules/scope.js';
import { add, concat, matmul, mul, sigmoid, tanh } from '../ops/index.js';
import { affineParameters } from './layer.js';
import { type Cell, Recurrent, type RecurrentOptions, type Stacked } from './recurrent.js';

/** Options of `new LSTM`. */
export interface LSTMOptions extends RecurrentOptions {}

const lstmState = declareOptions('Recurrent.step, Recurrent.unroll', {
  /** The hidden state, which is the output of the layer at this time step: [batch, units]. */
  hidden: required(nodeOf('a node [batch, units]'), 'h'),
  /** The cell state, the memory of the layer: [batch, units]. */
  cell: required(nodeOf('a node [batch, units]'), 'c'),
});

/** The state that an LSTM carries from one time step to the next. Both nodes have the shape [batch, units]. */
export interface LSTMState extends OptionsOf<typeof lstmState> {}

const gates = ['forget', 'input', 'output', 'cell'] as const;
/** For each gate, a weight [inputs + units, units] and a bias [units]. */
export type LSTMGates = Readonly<
  Record<'forget' | 'input' | 'output' | 'cell', { weight: Variable; bias: Variable }>
>;

const lstmCell: Cell<LSTMGates, LSTMState> = {
  kind: 'LSTM',
  state: lstmState,
  make: (scope, inputs, units, how) =>
    Object.fromEntries(
      gates.map((gate) => [gate, affineParameters(scope.scope(gate), inputs + units, units, how)]),
    ) as unknown as LSTMGates,
  step: (parameters, x, { hidden, cell }) => {
    const z = concat([x, hidden], 1);
    const gate = (name: keyof LSTMGates, activation: (x: Node) => Node) => {
      const { weight, bias } = parameters[name];
      return activation(add(matmul(z, weight), bias));
    };
    const [forget, admit, output] = [
      gate('forget', sigmoid),
      gate('input', sigmoid),
      gate('output', sigmoid),
    ];
    const next = add(mul(forget, cell), mul(admit, gate('cell', tanh)));
    return { hidden: mul(output, tanh(next)), cell: next };
  },
};

/**
 * An LSTM layer. Each gate has a weight [inputs + units, units] and a bias [units]. At each time step, the layer
 * computes the next hidden state h' and cell state c' from the input x and the states h and c, with z = concat(x, h):
 *
 *     f = sigmoid(z Wf + bf)   i = sigmoid(z Wi + bi)   o = sigmoid(z Wo + bo)   g = tanh(z Wc + bc)
 *     c' = f c + i g           h' = o tanh(c')
 *
 * The LSTM is that of Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000. The
 * parameters are named `NAME.forget.weight` and so on; those of several layers `NAME.layers.0.forget.weight`, those of
 * two directions `NAME.forward.forget.weight`, and those of both `NAME.layers.0.forward.forget.weight`.
 */
export class LSTM<L extends number = 1, B extends boolean = false> extends Recurrent<
  LSTMGates,
  LSTMState,
  L,
  B
> {
  /**
   * Makes the layer and draws the initial values of its parameters.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: LSTMOptions & Stacked<L, B>) {
    super(scope, options, lstmCell);
  }
}
