/** The long short-term memory (LSTM), built from ordinary nodes, like the one in forebay's seed. */

import { brand, describeValue } from '../arguments/describe.js';
import { declareOptions, type OptionsOf, required } from '../arguments/options.js';
import { assertList, isList } from '../arguments/read.js';
import { GraphError, ShapeError, ValueError } from '../errors.js';
import type { Dim } from '../graph/dimension.js';
import { constant, type Variable } from '../graph/leaf.js';
import { isNode, type Node, nodeOf, withinLayer } from '../graph/node.js';
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
import { affineParameters, contextOf, shared, size } from './layer.js';

const lstmOptions = declareOptions('new LSTM', {
  /** The number of input features of a step. */
  inputs: required(size, 'inputSize', 'inFeatures', 'inputDim'),
  /** The length of the hidden state and of the cell state. */
  units: required(size, 'hiddenSize', 'hidden', 'outputs'),
  ...shared,
});

/** Options of `new LSTM`. */
export interface LSTMOptions extends OptionsOf<typeof lstmOptions> {}

const lstmState = declareOptions('LSTM.step, LSTM.unroll', {
  /** The hidden state, which is the output of the step: [batch, units]. */
  hidden: required(nodeOf('a node [batch, units]'), 'h'),
  /** The cell state, which is the memory: [batch, units]. */
  cell: required(nodeOf('a node [batch, units]'), 'c'),
});

/** The state that an LSTM carries from step to step. Both nodes are [batch, units]. */
export interface LSTMState extends OptionsOf<typeof lstmState> {}

const gates = ['forget', 'input', 'output', 'cell'] as const;
/** For each gate, a weight [inputs + units, units] and a bias [units]. */
export type LSTMGates = Readonly<
  Record<'forget' | 'input' | 'output' | 'cell', { weight: Variable; bias: Variable }>
>;

/**
 * An LSTM layer. With z = concat(x, h), and a weight [inputs + units, units] and a bias [units] for each gate:
 *
 *     f = sigmoid(z Wf + bf)   i = sigmoid(z Wi + bi)   o = sigmoid(z Wo + bo)   g = tanh(z Wc + bc)
 *     c' = f c + i g           h' = o tanh(c')
 *
 * Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000.
 */
export class LSTM {
  static {
    brand(LSTM);
  }

  /** The name of the layer, with which the names of its parameters begin. */
  readonly name: string;
  /** The number of input features of a step. */
  readonly inputs: number;
  /** The length of the hidden state and of the cell state. */
  readonly units: number;
  /** The parameters of each gate, such as `NAME.forget.weight` and `NAME.forget.bias`. */
  readonly gates: LSTMGates;

  /**
   * Makes the layer and draws the initial values of its parameters.
   * @throws ValueError if `name` is not a string or is empty, or if an option is missing, unknown or invalid;
   *   DTypeError if `dtype` is not a dtype
   */
  constructor(name: string, options: LSTMOptions) {
    const read = lstmOptions.read(options, contextOf('LSTM', name));
    const { inputs, units } = read;
    this.name = name;
    this.inputs = inputs;
    this.units = units;
    this.gates = Object.fromEntries(
      gates.map((gate) => [gate, affineParameters(`${name}.${gate}`, inputs + units, units, read)]),
    ) as unknown as LSTMGates;
  }

  /** The weight and the bias of each gate. The order of the gates is forget, input, output, cell. */
  get parameters(): Variable[] {
    return gates.flatMap((gate) => [this.gates[gate].weight, this.gates[gate].bias]);
  }

  /**
   * One step of the sequence. All steps share the parameters.
   * @param x [batch, inputs], of the layer's dtype
   * @param state the state after the previous step; to start from zeros, call `unroll([x])` instead
   * @returns the next state, [batch, units] each
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
    return withinLayer(this.name, () => {
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
   * Applies the steps of a sequence, one after another.
   * @param xs [steps, batch, inputs], or a list of nodes [batch, inputs]
   * @param initial the initial state; zeros by default
   * @returns all hidden states as [steps, batch, units], and the last state
   * @throws GraphError if there are no steps, or a step is not a Node; ShapeError or DTypeError if a step or the state
   *   does not fit the layer, or if the number of steps is a name; ValueError if `initial` is not { hidden, cell }
   */
  unroll(xs: Node | readonly Node[], initial?: LSTMState): { hidden: Node; last: LSTMState } {
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

  #zeros(batch: Dim, dtype: DType): LSTMState {
    const zeros = broadcastTo(constant(0, { dtype }), [batch, this.units]);
    return { hidden: zeros, cell: zeros };
  }
}
