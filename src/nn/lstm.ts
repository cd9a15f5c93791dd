/** Long short-term memory, wired from plain nodes: the seed's LSTM. */

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
  /** Features of a step. */
  inputs: required(size, 'inputSize', 'inFeatures', 'inputDim'),
  /** Length of the hidden state and of the cell. */
  units: required(size, 'hiddenSize', 'hidden', 'outputs'),
  ...shared,
});

/** What an LSTM is made of. */
export interface LSTMOptions extends OptionsOf<typeof lstmOptions> {}

const lstmState = declareOptions('LSTM.step, LSTM.unroll', {
  /** The output of the step, [batch, units]. */
  hidden: required(nodeOf('a node [batch, units]'), 'h'),
  /** The memory of the step, [batch, units]. */
  cell: required(nodeOf('a node [batch, units]'), 'c'),
});

/** What an LSTM carries from step to step; both are [batch, units]. */
export interface LSTMState extends OptionsOf<typeof lstmState> {}

const gates = ['forget', 'input', 'output', 'cell'] as const;
/** A weight [inputs + units, units] and a bias [units] by gate. */
export type LSTMGates = Readonly<
  Record<'forget' | 'input' | 'output' | 'cell', { weight: Variable; bias: Variable }>
>;

/**
 * With z = concat(x, h) and a weight [inputs + units, units] and bias [units] for each gate:
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

  /** What its parameters are named after. */
  readonly name: string;
  /** Features of a step. */
  readonly inputs: number;
  /** Length of the hidden state and of the cell. */
  readonly units: number;
  /** The parameters of each gate, such as `NAME.forget.weight` and `NAME.forget.bias`. */
  readonly gates: LSTMGates;

  /**
   * Makes the layer and draws its parameters.
   * @throws ValueError if `name` is not a string or is empty, and for an unknown or unacceptable option; DTypeError if
   *   the dtype is not one
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

  /** Weight and bias of the gates forget, input, output and cell, in this order. */
  get parameters(): Variable[] {
    return gates.flatMap((gate) => [this.gates[gate].weight, this.gates[gate].bias]);
  }

  /**
   * One step: x is [batch, inputs], of the layer's dtype. Every step shares the weights.
   * @param state of the step before; `unroll([x])` starts from zeros
   * @throws ValueError if x is not a node, or `state` is not a hidden state and a cell; ShapeError or DTypeError if they
   *   do not fit
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
   * Steps over a sequence.
   * @param xs [steps, batch, inputs], or a list of [batch, inputs]
   * @param initial where to start; zeros unless told otherwise
   * @returns all hidden states as [steps, batch, units], and the last state
   * @throws GraphError if there are no steps, or one is not a node; ShapeError or DTypeError if steps or the state do not
   *   fit, or the number of steps is a name; ValueError if `initial` is not a hidden state and a cell
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
