/** The encoder layer of a transformer. */

import { flag, fraction } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { add, relu } from '../ops/index.js';
import { activationKind } from './activations.js';
import { Dense } from './dense.js';
import { dropping } from './dropout.js';
import { shared, size } from './layer.js';
import { type AttendingOptions, MultiHeadAttention } from './multi-head-attention.js';
import { LayerNorm } from './normalization.js';

const transformerOptions = declareOptions('new TransformerEncoderLayer', {
  /** The number of features of each position. The heads divide it. */
  features: required(size, 'dModel', 'embedDim', 'units', 'inputs'),
  /** The number of heads of the attention. */
  heads: required(size, 'nhead', 'numHeads'),
  /** The number of units of the hidden layer. */
  hidden: required(size, 'dimFeedforward', 'intermediateDim'),
  /** The activation of the hidden layer, or its name; `relu` by default. */
  activation: optional(activationKind),
  /** Whether the operands of attention and of the hidden layer are normalised, instead of the sums; false by default. */
  normFirst: optional(flag, 'normalizeFirst'),
  /**
   * The rate with which weights of the attention, elements of the hidden layer and what is added to x are dropped in
   * `training`; 0.1 by default.
   */
  dropout: optional(fraction),
  ...shared,
});

/** Options of `new TransformerEncoderLayer`. */
export interface TransformerEncoderLayerOptions extends OptionsOf<typeof transformerOptions> {}

/**
 * The encoder layer of a transformer: Vaswani et al., Attention Is All You Need, 2017. With f = output(activation(hidden)),
 * it computes
 *
 *     y = norm1(x + attention(x))          z = norm2(y + f(y))           by default, and
 *     y = x + attention(norm1(x))          z = y + f(norm2(y))           with normFirst
 *
 * With `causal`, it is also the layer of a decoder that has no encoder, such as GPT.
 */
export class TransformerEncoderLayer extends Module {
  /** The attention. */
  readonly attention: MultiHeadAttention;
  /** The normalisation at the attention. */
  readonly norm1: LayerNorm;
  /** The normalisation at the hidden layer. */
  readonly norm2: LayerNorm;
  /** The hidden layer. */
  readonly hidden: Dense;
  /** The layer that reads the hidden layer. */
  readonly output: Dense;
  readonly #normFirst: boolean;
  readonly #drop: (x: Operand) => Node;

  /**
   * Makes the layer and draws the initial values of its parameters.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, if an option is missing,
   *   unknown or invalid, or if the heads do not divide the features; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: TransformerEncoderLayerOptions) {
    super(scope);
    try {
      const read = transformerOptions.read(options, `TransformerEncoderLayer '${this.name}'`);
      const { features, heads, hidden, activation = relu, normFirst = false } = read;
      const { dropout = 0.1, init, dtype, seed } = read;
      const others = { init, dtype, seed };
      this.attention = new MultiHeadAttention(this.scope('attention'), {
        features,
        heads,
        dropout,
        ...others,
      });
      this.norm1 = new LayerNorm(this.scope('norm1'), { features, dtype });
      this.norm2 = new LayerNorm(this.scope('norm2'), { features, dtype });
      this.hidden = new Dense(this.scope('hidden'), {
        inputs: features,
        units: hidden,
        activation,
        ...others,
      });
      this.output = new Dense(this.scope('output'), { inputs: hidden, units: features, ...others });
      this.#normFirst = normFirst;
      this.#drop = dropping(this.ownScope, seed ?? this.ownScope.seed, dropout);
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Applies the layer to sequences. Users call `apply`.
   * @param x [batch, length, features], of the layer's dtype. There may be more leading axes, or no batch
   * @param options `{ mask, causal }`, as those of `MultiHeadAttention`
   * @returns a node of the shape of x
   * @throws ShapeError if x or the mask does not fit the layer; DTypeError if x has another dtype than the layer, or if
   *   the mask is neither bool nor of this dtype; ValueError if x is not a Node, Tensor or number, if an option is
   *   unknown or invalid, or if the activation does not return a Node
   */
  forward(x: Operand, options?: AttendingOptions): Node {
    const [node] = lift('transformerEncoderLayer', [x]) as [Node];
    const attended = (of: Node) => this.#drop(this.attention.apply(of, options));
    const fed = (of: Node) => this.#drop(this.output.apply(this.#drop(this.hidden.apply(of))));
    if (this.#normFirst) {
      const y = add(node, attended(this.norm1.apply(node)));
      return add(y, fed(this.norm2.apply(y)));
    }
    const y = this.norm1.apply(add(node, attended(node)));
    return this.norm2.apply(add(y, fed(y)));
  }
}
