/** The dense layer. */

import { brand } from '../arguments/describe.js';
import type { Variable } from '../graph/leaf.js';
import { lift } from '../graph/leaf.js';
import { type Node, withinLayer } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { add, matmul, reshape } from '../ops/index.js';
import { affineParameters, checkLayer, type LayerOptions } from './layer.js';

/** What a dense layer is made of. */
export interface FeedForwardOptions extends LayerOptions {
  /** How many numbers an example has: the last dimension of what the layer is applied to. */
  readonly inputs: number;
  /** How many numbers it gives. */
  readonly units: number;
  /** Applied to x W + b; the identity when left out. */
  readonly activation?: ((x: Node) => Node) | undefined;
}

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
   * @throws ValueError for what is no name, size, seed or initialiser; DTypeError for what is no dtype
   */
  constructor(name: string, options: FeedForwardOptions = {} as FeedForwardOptions) {
    const { inputs, units, activation = (x) => x } = options;
    checkLayer('FeedForward', name, { inputs, units }, options);
    this.name = name;
    const { weight, bias } = affineParameters(name, inputs, units, options);
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
   * @throws ShapeError when the last dimension is not `inputs`; DTypeError for another dtype; ValueError for what is no
   *   operand
   */
  apply(x: Operand): Node {
    return withinLayer(this.name, () => {
      const [node] = lift('feedForward', [x]) as [Node];
      // A single example is a row for the product, and a vector again after it.
      const row = node.shape.length === 1 ? reshape(node, [1, ...node.shape]) : node;
      const affine = add(matmul(row, this.weight), this.bias);
      return this.#activation(row === node ? affine : reshape(affine, this.bias.shape));
    });
  }
}
