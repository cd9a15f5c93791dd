/** Attention with several heads. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, flag, fraction } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { ShapeError, ValueError } from '../errors.js';
import { lift } from '../graph/leaf.js';
import { isTraining } from '../graph/mode.js';
import { isNode, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { attend } from '../ops/attention.js';
import { reshape, transpose } from '../ops/index.js';
import { formatShape } from '../tensor/shape.js';
import { isTensor } from '../tensor/tensor.js';
import { Dense } from './dense.js';
import { dropping } from './dropout.js';
import { shared, size } from './layer.js';

const multiHeadOptions = declareOptions('new MultiHeadAttention', {
  /** The number of features of queries, keys, values and results. The heads divide it. */
  features: required(size, 'embedDim', 'units', 'inputs'),
  /** The number of heads. Each has features / heads features. */
  heads: required(size, 'numHeads'),
  /** The rate with which weights of the values are dropped in `training`; 0 by default. */
  dropout: optional(fraction),
  ...shared,
});

/** Options of `new MultiHeadAttention`. */
export interface MultiHeadAttentionOptions extends OptionsOf<typeof multiHeadOptions> {}

const attendingOptions = declareOptions(
  'MultiHeadAttention.forward, TransformerEncoderLayer.forward',
  {
    /**
     * Which keys each query reads: a mask that broadcasts to [batch, heads, queries, keys]. A bool mask is true where the
     * key takes part, which is the reverse of PyTorch's MultiheadAttention. A mask of the layer's dtype is added to the
     * scores.
     */
    mask: optional(checkedLater<Operand>('a mask'), 'attnMask', 'attentionMask', 'srcMask'),
    /** If true, query i reads only the keys 0 to i. It may be combined with `mask`. The default is false. */
    causal: optional(flag, 'isCausal', 'useCausalMask'),
  },
);

/** Options of the method `apply` of layers with attention. */
export interface AttendingOptions extends OptionsOf<typeof attendingOptions> {}

/** The operands of `MultiHeadAttention`: one for queries, keys and values, or one for each. */
export type AttentionOperands =
  | [x: Operand, options?: AttendingOptions | undefined]
  | [q: Operand, k: Operand, v: Operand, options?: AttendingOptions | undefined];

/**
 * Attention with several heads: Vaswani et al., Attention Is All You Need, 2017. Dense layers compute queries, keys and
 * values from the operands. Each head computes `attention` with its part of their features. A dense layer computes the
 * result from the results of all heads.
 */
export class MultiHeadAttention extends Module {
  /** The layer that computes the queries, with `NAME.query.weight` [features, features] and `NAME.query.bias`. */
  readonly query: Dense;
  /** The layer that computes the keys. */
  readonly key: Dense;
  /** The layer that computes the values. */
  readonly value: Dense;
  /** The layer that computes the result. */
  readonly output: Dense;
  readonly #heads: number;
  readonly #drop: ((x: Operand) => Node) | undefined;

  /**
   * Makes the layer and draws the initial values of its parameters.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, if an option is missing,
   *   unknown or invalid, or if the heads do not divide the features; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: MultiHeadAttentionOptions) {
    super(scope);
    try {
      const { features, heads, dropout, ...others } = multiHeadOptions.read(
        options,
        `MultiHeadAttention '${this.name}'`,
      );
      if (features % heads !== 0) {
        throw new ValueError(
          `MultiHeadAttention '${this.name}': the ${features} features cannot be divided among ${heads} heads`,
        );
      }
      const layer = (key: string) =>
        new Dense(this.scope(key), { inputs: features, units: features, ...others });
      this.query = layer('query');
      this.key = layer('key');
      this.value = layer('value');
      this.output = layer('output');
      this.#heads = heads;
      this.#drop = dropout
        ? dropping(this.ownScope, others.seed ?? this.ownScope.seed, dropout)
        : undefined;
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Computes attention: `apply(x, { mask, causal })`, where x gives the queries, the keys and the values, or
   * `apply(q, k, v, { mask, causal })`. Users call `apply`.
   *
   * The operands are [batch, length, features], of the layer's dtype. There may be more leading axes, or no batch. Keys
   * and values have the same length.
   * @returns a node [batch, length of the queries, features]
   * @throws ShapeError if an operand or the mask does not fit the layer; DTypeError if an operand has another dtype than
   *   the layer, or if the mask is neither bool nor of this dtype; ValueError if there are two operands, if one is not a
   *   Node, Tensor or number, or if an option is unknown or invalid
   */
  forward(...operands: AttentionOperands): Node {
    const where = `MultiHeadAttention '${this.name}' apply`;
    const [first, second, third, last] = operands as readonly unknown[];
    const separate = operands.length > 2 || isOperand(second);
    if (separate && !isOperand(third)) {
      throw new ValueError(
        `${where}: expected x, or q, k and v, but the third operand is ${describeValue(third)}`,
      );
    }
    const options = attendingOptions.read(separate ? last : second, where);
    const [q, k, v] = lift(
      'multiHeadAttention',
      (separate ? [first, second, third] : [first, first, first]) as Operand[],
    ) as [Node, Node, Node];
    const [queries, keys, values] = [
      this.#split(this.query, q),
      this.#split(this.key, k),
      this.#split(this.value, v),
    ];
    // Only weights that nothing is dropped from can be computed in blocks.
    const drop = isTraining() ? this.#drop : undefined;
    return this.output.apply(merged(attend(queries, keys, values, options, drop)));
  }

  /** Applies a layer, and returns the result with an axis of heads: [.., heads, length, features / heads]. */
  #split(layer: Dense, x: Node): Node {
    if (x.shape.length < 2) {
      throw new ShapeError(
        `MultiHeadAttention '${this.name}': expected operands of shape [batch, length, features], but received ${formatShape(x.shape)}`,
      );
    }
    const y = layer.apply(x);
    const width = (y.shape.at(-1) as number) / this.#heads;
    return swapped(reshape(y, [...y.shape.slice(0, -1), this.#heads, width]));
  }
}

const isOperand = (value: unknown) => isNode(value) || isTensor(value) || typeof value === 'number';

/** Swaps the axes -3 and -2. */
function swapped(x: Node): Node {
  const rank = x.shape.length;
  const axes = x.shape.map((_, axis) => axis);
  return transpose(x, [...axes.slice(0, -3), rank - 2, rank - 3, rank - 1]);
}

/** Returns the results of heads, [.., heads, length, width], as [.., length, heads width]. */
function merged(x: Node): Node {
  const together = swapped(x);
  const [heads, width] = together.shape.slice(-2) as [number, number];
  return reshape(together, [...together.shape.slice(0, -2), heads * width]);
}
