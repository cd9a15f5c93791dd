/** The dense layer. */

import { flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { lift, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { add, matmul, reshape } from '../ops/index.js';
import { activationKind, activationOf, applied } from './activations.js';
import { affineParameters, drawn, layerParameter, shared, size } from './layer.js';

const denseOptions = declareOptions('new Dense', {
  /** The number of input features, which is the size of the last dimension of the operand of `apply`. */
  inputs: required(size, 'inputSize', 'inFeatures', 'inputDim'),
  /** The number of output features. */
  units: required(size, 'outputs', 'outFeatures', 'hidden', 'hiddenSize'),
  /** The function applied to x W + b, or its name; the identity by default. */
  activation: optional(activationKind),
  /** Whether the layer has a bias; true by default. */
  bias: optional(flag, 'useBias'),
  ...shared,
});

/** Options of `new Dense`. */
export interface DenseOptions extends OptionsOf<typeof denseOptions> {}

/** The dense layer. It computes activation(x W + b), where W has the shape [inputs, units] and b the shape [units]. */
export class Dense extends Module {
  /** The weight W, named `NAME.weight`, of shape [inputs, units]. */
  readonly weight: Variable;
  /** The bias b, named `NAME.bias`, of shape [units]; undefined if the option `bias` is false. */
  readonly bias: Variable | undefined;
  readonly #activation: (x: Node) => Node;

  /**
   * Makes the layer and draws the initial values of its parameters.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: DenseOptions) {
    super(scope);
    try {
      const read = denseOptions.read(options, `${new.target.name} '${this.name}'`);
      const how = drawn(this.ownScope, read);
      if (read.bias === false) {
        this.weight = layerParameter(this.ownScope, 'weight', [read.inputs, read.units], how);
        this.bias = undefined;
      } else {
        const { weight, bias } = affineParameters(this.ownScope, read.inputs, read.units, how);
        this.weight = weight;
        this.bias = bias;
      }
      this.#activation = activationOf(read.activation);
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Computes activation(x W + b), [.., units]. Users call `apply`.
   * @param x [.., inputs], of rank 1 or more and of the layer's dtype
   * @throws ShapeError if the last dimension of x is not `inputs`; DTypeError if x has another dtype than the layer;
   *   ValueError if x is not a Node, Tensor or number, or if the activation does not return a Node
   */
  forward(x: Operand): Node {
    const [node] = lift('dense', [x]) as [Node];
    // A vector is multiplied as a matrix of one row, and the result is made a vector again.
    const row = node.shape.length === 1 ? reshape(node, [1, ...node.shape]) : node;
    const product = matmul(row, this.weight);
    const affine = this.bias === undefined ? product : add(product, this.bias);
    const sum = row === node ? affine : reshape(affine, affine.shape.slice(1));
    return applied(`${this.constructor.name} '${this.name}'`, this.#activation, sum);
  }
}

/** The dense layer, under its name in the blog post that forebay is based on. */
export class FeedForward extends Dense {}
/** Options of `new FeedForward`. */
export type FeedForwardOptions = DenseOptions;
