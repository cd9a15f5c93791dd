/** The dense layer. */

import { brand } from '../arguments/describe.js';
import { callback } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import type { Variable } from '../graph/leaf.js';
import { lift } from '../graph/leaf.js';
import { type Node, withinLayer } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { add, matmul, reshape } from '../ops/index.js';
import { affineParameters, applied, contextOf, shared, size } from './layer.js';

const feedForwardOptions = declareOptions('new FeedForward', {
  /** The number of input features, which is the size of the last dimension of the operand of `apply`. */
  inputs: required(size, 'inputSize', 'inFeatures', 'inputDim'),
  /** The number of output features. */
  units: required(size, 'outputs', 'outFeatures', 'hidden', 'hiddenSize'),
  /** The function applied to x W + b; the identity by default. */
  activation: optional(callback<(x: Node) => Node>('a function such as relu or tanh')),
  ...shared,
});

/** Options of `new FeedForward`. */
export interface FeedForwardOptions extends OptionsOf<typeof feedForwardOptions> {}

/** The dense layer. It computes activation(x W + b), where W has the shape [inputs, units] and b the shape [units]. */
export class FeedForward {
  static {
    brand(FeedForward);
  }

  /** The name of the layer. The names of its parameters begin with this name. */
  readonly name: string;
  /** The weight W, named `NAME.weight`, of shape [inputs, units]. */
  readonly weight: Variable;
  /** The bias b, named `NAME.bias`, of shape [units]. */
  readonly bias: Variable;
  readonly #activation: (x: Node) => Node;

  /**
   * Makes the layer and draws the initial values of its parameters.
   * @throws ValueError if `name` is not a string or is empty, or if an option is missing, unknown or invalid;
   *   DTypeError if `dtype` is not a dtype
   */
  constructor(name: string, options: FeedForwardOptions) {
    const read = feedForwardOptions.read(options, contextOf('FeedForward', name));
    const { inputs, units, activation = (x) => x } = read;
    this.name = name;
    const { weight, bias } = affineParameters(name, inputs, units, read);
    this.weight = weight;
    this.bias = bias;
    this.#activation = activation;
  }

  /** The weight and the bias, in this order. */
  get parameters(): Variable[] {
    return [this.weight, this.bias];
  }

  /**
   * Applies the layer to x, and returns the result, [.., units]. All applications of a layer share its parameters.
   * @param x [.., inputs], of rank 1 or more and of the layer's dtype
   * @throws ShapeError if the last dimension of x is not `inputs`; DTypeError if x has another dtype than the layer;
   *   ValueError if x is not a Node, Tensor or number, or if the activation does not return a Node
   */
  apply(x: Operand): Node {
    return withinLayer(this.name, () => {
      const [node] = lift('feedForward', [x]) as [Node];
      // A vector is multiplied as a matrix of one row, and the result is made a vector again.
      const row = node.shape.length === 1 ? reshape(node, [1, ...node.shape]) : node;
      const affine = add(matmul(row, this.weight), this.bias);
      const sum = row === node ? affine : reshape(affine, this.bias.shape);
      return applied(`FeedForward '${this.name}'`, this.#activation, sum);
    });
  }
}
