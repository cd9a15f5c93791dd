/** The embedding of tokens. */

import { seedNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { initializer, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { gather } from '../ops/index.js';
import { dtypeName } from '../tensor/dtype.js';
import { initializers } from './initializers.js';
import { drawn, layerParameter, size } from './layer.js';

const embeddingOptions = declareOptions('new Embedding', {
  /** The number of tokens. A token is an index from 0 to `inputs` - 1. */
  inputs: required(size, 'tokens', 'numEmbeddings', 'inputDim', 'vocabulary', 'vocabularySize'),
  /** The number of features of each token. */
  units: required(size, 'outputs', 'embeddingDim', 'outputDim', 'features'),
  /** The initialiser of the weight; that of the scope, or else `initializers.normal(1)`, as in PyTorch, by default. */
  init: optional(initializer, 'initializer'),
  /** The dtype of the weight; `float32` by default. */
  dtype: optional(dtypeName, 'type'),
  /** The seed of the weight. By default, it is derived from the layer's name and from the seed that `setSeed` set. */
  seed: optional(seedNumber),
});

/** Options of `new Embedding`. */
export interface EmbeddingOptions extends OptionsOf<typeof embeddingOptions> {}

/** The embedding of tokens: a table with a row of features for each token. The gradient adds to the rows that were read. */
export class Embedding extends Module {
  /** The table, named `NAME.weight`, of shape [inputs, units]. */
  readonly weight: Variable;

  /**
   * Makes the layer and draws the initial value of its weight.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: EmbeddingOptions) {
    super(scope);
    try {
      const read = embeddingOptions.read(options, `Embedding '${this.name}'`);
      const how = drawn(this.ownScope, read, initializers.normal(1));
      this.weight = layerParameter(this.ownScope, 'weight', [read.inputs, read.units], how);
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Returns the rows of tokens, [.., units]. Users call `apply`.
   * @param tokens indices of any shape [..], of int32 or uint8. As in NumPy, negative ones count from the end
   * @throws DTypeError if the tokens are neither int32 nor uint8; ValueError if `tokens` is not a Node, Tensor or
   *   number. A run throws ValueError if a token is out of range; it then writes nothing
   */
  forward(tokens: Operand): Node {
    return gather(this.weight, tokens);
  }
}
