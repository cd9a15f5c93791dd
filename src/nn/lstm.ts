/** Long short-term memory, wired from plain nodes: the seed's LSTM. */

import { brand, describeValue } from '../arguments/describe.js';
import { GraphError, ShapeError } from '../errors.js';
import type { Dim } from '../graph/dimension.js';
import { constant, type Variable } from '../graph/leaf.js';
import { Node, withinLayer } from '../graph/node.js';
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
import { affineParameters, checkLayer, type LayerOptions } from './layer.js';

/** What an LSTM is made of. */
export interface LSTMOptions extends LayerOptions {
  /** Features of a step. */
  readonly inputs: number;
  /** Length of the hidden state and of the cell. */
  readonly units: number;
}

/** What an LSTM carries from step to step; both are [batch, units]. */
export interface LSTMState {
  /** What it gives, [batch, units]. */
  readonly hidden: Node;
  /** What it remembers, [batch, units]. */
  readonly cell: Node;
}

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
   * @throws ValueError for what is no name, size, seed or initialiser; DTypeError for what is no dtype
   */
  constructor(name: string, options: LSTMOptions = {} as LSTMOptions) {
    const { inputs, units } = options;
    checkLayer('LSTM', name, { inputs, units }, options);
    this.name = name;
    this.inputs = inputs;
    this.units = units;
    this.gates = Object.fromEntries(
      gates.map((gate) => [
        gate,
        affineParameters(`${name}.${gate}`, inputs + units, units, options),
      ]),
    ) as unknown as LSTMGates;
  }

  /** Weight and bias of the gates forget, input, output and cell, in this order. */
  get parameters(): Variable[] {
    return gates.flatMap((gate) => [this.gates[gate].weight, this.gates[gate].bias]);
  }

  /**
   * One step: x is [batch, inputs], of the layer's dtype. Every step shares the weights.
   * @throws ShapeError or DTypeError for an x or a state that does not fit
   */
  step(x: Node, { hidden, cell }: LSTMState): LSTMState {
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
   * @throws GraphError for no steps; ShapeError or DTypeError for steps or a state that do not fit, or a number of steps
   *   that is a name
   */
  unroll(xs: Node | readonly Node[], initial?: LSTMState): { hidden: Node; last: LSTMState } {
    const sequence = xs instanceof Node ? this.#split(xs) : xs;
    const [first] = sequence;
    if (!(first instanceof Node)) {
      throw new GraphError(
        `LSTM '${this.name}': expected at least one step, but received ${describeValue(xs)}`,
      );
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
