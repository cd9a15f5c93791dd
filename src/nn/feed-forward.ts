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
  /** How many numbers an example has: the last dimension of what the layer is applied to. */
  inputs: required(size, 'inputSize', 'inFeatures', 'inputDim'),
  /** How many numbers it gives. */
  units: required(size, 'outputs', 'outFeatures', 'hidden', 'hiddenSize'),
  /** Applied to x W + b; the identity unless given. */
  activation: optional(callback<(x: Node) => Node>('a function such as relu or tanh')),
  ...shared,
});

/** What a dense layer is made of. */
export interface FeedForwardOptions extends OptionsOf<typeof feedForwardOptions> {}

/** activation(x W + b), with W of shape [inputs, units] and b of shape [units]. */
export class FeedForward {
  static {
    brand(FeedForward);
  }

  /** What its parameters are named after. */
  readonly name: string;
  /** `NAME.weight`, [inputs, units]. */
  readonly weight: Variable;
  /** `NAME.bias`, [units]. */
  readonly bias: Variable;
  readonly #activation: (x: Node) => Node;

  /**
   * Makes the layer and draws its parameters.
   * @throws ValueError if `name` is not a string or is empty, and for an unknown or unacceptable option; DTypeError if
   *   the dtype is not one
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

  /** Weight and bias. */
  get parameters(): Variable[] {
    return [this.weight, this.bias];
  }

  /**
   * Applies the layer; applying it again shares its parameters.
   * @param x of any rank from 1 and of the layer's dtype: [.., inputs] gives [.., units]
   * @throws ShapeError if the last dimension is not `inputs`; DTypeError for another dtype; ValueError if x is not a
   *   node, a tensor or a number, or the activation gives something else than a node
   */
  apply(x: Operand): Node {
    return withinLayer(this.name, () => {
      const [node] = lift('feedForward', [x]) as [Node];
      // A single example is a row for the product, and a vector again after it.
      const row = node.shape.length === 1 ? reshape(node, [1, ...node.shape]) : node;
      const affine = add(matmul(row, this.weight), this.bias);
      const sum = row === node ? affine : reshape(affine, this.bias.shape);
      return applied(`FeedForward '${this.name}'`, this.#activation, sum);
    });
  }
}
