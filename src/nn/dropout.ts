/** The layer `Dropout`, and dropout in other layers. */

import { fraction, seedNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { isTraining } from '../graph/mode.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { subSeed } from '../graph/seed.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { dropout } from '../ops/index.js';

/**
 * Returns a function that applies `dropout` in a layer. Each application in `training` has a draw of its own, whose seed
 * is derived from that of the layer. If the layer has no seed, the draws use that of `setSeed`.
 */
export function dropping(
  scope: Scope,
  seed: number | undefined,
  rate: number,
): (x: Operand) => Node {
  let draws = 0;
  return (x) => {
    if (seed === undefined || !isTraining()) return dropout(x, { rate });
    return dropout(x, { rate, seed: subSeed(seed, `${scope.path} draw ${draws++}`) });
  };
}

const dropoutLayerOptions = declareOptions('new Dropout', {
  /** The probability with which an element is dropped: a number from 0 to 1. */
  rate: required(fraction, 'p', 'probability'),
  /**
   * The seed from which those of the draws are derived; by default, that of the scope or of `setSeed`. Each application
   * of the layer has a draw of its own.
   */
  seed: optional(seedNumber),
});

/** Options of `new Dropout`. */
export interface DropoutLayerOptions extends OptionsOf<typeof dropoutLayerOptions> {}

/**
 * Dropout: Srivastava et al., JMLR 2014. In graphs that are built in `training`, the layer drops elements, and scales
 * the others by 1 / (1 - rate), as the op `dropout` does. In all other graphs, it is the identity. It has no variables.
 */
export class Dropout extends Module {
  readonly #drop: (x: Operand) => Node;

  /**
   * Makes the layer.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid
   */
  constructor(scope: string | Scope, options: DropoutLayerOptions) {
    super(scope);
    try {
      const { rate, seed } = dropoutLayerOptions.read(options, `Dropout '${this.name}'`);
      this.#drop = dropping(this.ownScope, seed ?? this.ownScope.seed, rate);
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Drops elements in `training`. Users call `apply`.
   * @param x a node of any shape, float32 or float64
   * @returns a node of the shape of x
   * @throws DTypeError if x is neither float32 nor float64; ValueError if x is not a Node, Tensor or number
   */
  forward(x: Operand): Node {
    return this.#drop(x);
  }
}
