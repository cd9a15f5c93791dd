/**
 * The long short-term memory (LSTM). It is built from ordinary nodes, like the LSTM in the blog post that forebay is
 * based on.
 */

import { describeValue } from '../arguments/describe.js';
import { declareOptions, type OptionsOf, required } from '../arguments/options.js';
import { assertList, isList } from '../arguments/read.js';
import { GraphError, ShapeError, ValueError } from '../errors.js';
import type { Dim } from '../graph/dimension.js';
import { constant, type Variable } from '../graph/leaf.js';
import { isNode, type Node, nodeOf } from '../graph/node.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import {
  add,
  broadcastTo,
  concat,
  matmul,
  mul,
  reshape,
  sigmoid,
  slice,
  stack,
  tanh,
} from '../ops/index.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { affineParameters, drawn, shared, size } from './layer.js';

const lstmOptions = declareOptions('new LSTM', {
  /** The number of input features at each time step. */
  inputs: required(size, 'inputSize', 'inFeatures', 'inputDim'),
  /** The length of the hidden state and of the cell state. */
  units: required(size, 'hiddenSize', 'hidden', 'outputs'),
  ...shared,
});

/** Options of `new LSTM`. */
export interface LSTMOptions extends OptionsOf<typeof lstmOptions> {}

const lstmState = declareOptions('LSTM.step, LSTM.unroll', {
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

/**
 * An LSTM layer. Each gate has a weight [inputs + units, units] and a bias [units]. At each time step, the layer
 * computes the next hidden state h' and cell state c' from the input x and the states h and c, with z = concat(x, h):
 *
 *     f = sigmoid(z Wf + bf)   i = sigmoid(z Wi + bi)   o = sigmoid(z Wo + bo)   g = tanh(z Wc + bc)
 *     c' = f c + i g           h' = o tanh(c')
 *
 * The LSTM is that of Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000.
 */
export class LSTM extends Module {
  /** The number of input features at each time step. */
  readonly inputs: number;
  /** The length of the hidden state and of the cell state. */
  readonly units: number;
  /** The parameters of each gate, such as `NAME.forget.weight` and `NAME.forget.bias`. */
  readonly gates: LSTMGates;

  /**
   * Makes the layer and draws the initial values of its parameters.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: LSTMOptions) {
    super(scope);
    const read = lstmOptions.read(options, `LSTM '${this.name}'`);
    const { inputs, units } = read;
    const how = drawn(this.ownScope, read);
    this.inputs = inputs;
    this.units = units;
    this.gates = Object.fromEntries(
      gates.map((gate) => [gate, affineParameters(this.scope(gate), inputs + units, units, how)]),
    ) as unknown as LSTMGates;
  }

  /**
   * Applies the layer to one time step of a sequence. All time steps share the parameters.
   * @param x the input of this time step: [batch, inputs], of the layer's dtype
   * @param state the state after the previous time step; to start from zeros, call `unroll([x])` instead
   * @returns the state after this time step; its nodes have the shape [batch, units]
   * @throws ValueError if x is not a Node, or `state` is not { hidden, cell }; ShapeError or DTypeError if x or the
   *   state does not fit the layer
   */
  step(x: Node, state: LSTMState): LSTMState {
    if (state === undefined) {
      throw new ValueError(
        `LSTM '${this.name}' step: expected a state { hidden, cell } as the second argument, but received undefined; unroll([x]) starts from zeros`,
      );
    }
    const { hidden, cell } = lstmState.read(state, `LSTM '${this.name}' step`);
    return this.within(() => {
      const z = concat([x, hidden], 1);
      const gate = (name: keyof LSTMGates, activation: (x: Node) => Node) => {
        const { weight, bias } = this.gates[name];
        return activation(add(matmul(z, weight), bias));
      };
      const [forget, admit, output] = [
        gate('forget', sigmoid),
        gate('input', sigmoid),
        gate('output', sigmoid),
      ];
      const next = add(mul(forget, cell), mul(admit, gate('cell', tanh)));
      return { hidden: mul(output, tanh(next)), cell: next };
    });
  }

  /**
   * Applies the layer to all time steps of a sequence, one after another.
   * @param xs the inputs: a node [steps, batch, inputs], or a list with a node [batch, inputs] for each time step
   * @param initial the state before the first time step; zeros by default
   * @returns `hidden`, the hidden states of all time steps, [steps, batch, units], and `last`, the state after the last
   *   time step
   * @throws GraphError if there are no time steps, or the input of a time step is not a Node; ShapeError or DTypeError
   *   if an input or the state does not fit the layer, or if the number of time steps is not a number; ValueError if
   *   `initial` is not { hidden, cell }
   */
  unroll(xs: Node | readonly Node[], initial?: LSTMState): { hidden: Node; last: LSTMState } {
    return this.within(() => this.forward(xs, initial), [xs, initial]);
  }

  /** Does the work of `unroll`. */
  forward(xs: Node | readonly Node[], initial?: LSTMState): { hidden: Node; last: LSTMState } {
    const expected = `LSTM '${this.name}' unroll: expected a node [steps, batch, inputs], or a list of at least one node [batch, inputs],`;
    const sequence = isNode(xs) ? this.#split(xs) : isList(xs) ? assertList(xs, expected) : [];
    const odd = sequence.find((x) => !isNode(x));
    const [first] = sequence;
    if (first === undefined || odd !== undefined) {
      const came = odd === undefined ? describeValue(xs) : `a list with ${describeValue(odd)}`;
      throw new GraphError(`${expected} but received ${came}`);
    }
    let last = initial ?? this.#zeros(first.shape[0] as Dim, first.dtype);
    const hidden = sequence.map((x) => {
      last = this.step(x, last);
      return last.hidden;
    });
    return { hidden: stack(hidden, 0), last };
  }

  /** Returns a node [batch, inputs] for each time step of `xs`. */
  #split(xs: Node): Node[] {
    const [steps, batch] = xs.shape;
    if (xs.shape.length !== 3 || typeof steps !== 'number' || batch === undefined) {
      throw new ShapeError(
        `LSTM '${this.name}': expected [steps, batch, ${this.inputs}] with a number of steps, but received ${xs} of ${formatShape(xs.shape)}`,
      );
    }
    return Array.from({ length: steps }, (_, t) =>
      reshape(slice(xs, { axis: 0, start: t, end: t + 1 }), xs.shape.slice(1)),
    );
  }

  /** Returns a state of zeros. */
  #zeros(batch: Dim, dtype: DType): LSTMState {
    const zeros = broadcastTo(constant(0, { dtype }), [batch, this.units]);
    return { hidden: zeros, cell: zeros };
  }
}
