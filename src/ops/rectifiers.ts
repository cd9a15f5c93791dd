/** Activation functions that are x for positive x: `elu`, `selu` and `leakyRelu`. */

import { finiteNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { mul } from './arithmetic.js';
import { greater, where } from './comparison.js';
import { floating } from './rules.js';
import { expm1 } from './special.js';

const eluOptions = declareOptions('elu', {
  /** The negative of the limit at -Infinity. The default is 1. */
  alpha: optional(finiteNumber),
});

/** Options of `elu`. */
export interface EluOptions extends OptionsOf<typeof eluOptions> {}

/**
 * Returns x where x is greater than 0, and `alpha` (e^x - 1) elsewhere. Its gradient at 0 is `alpha`.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number, or if an option is unknown or
 *   invalid
 */
export function elu(x: Operand, options?: EluOptions): Node {
  const { alpha = 1 } = eluOptions.read(options, '[elu]');
  return scaledElu(floating('elu', x), 1, alpha);
}

/** Returns scale x where x is greater than 0, and scale alpha (e^x - 1) elsewhere. */
function scaledElu(x: Node, scale: number, alpha: number): Node {
  const positive = greater(x, 0);
  // Where x is positive, its exponential may overflow, and the gradient of that branch would be NaN.
  const negative = mul(scale * alpha, expm1(where(positive, 0, x)));
  return where(positive, scale === 1 ? x : mul(scale, x), negative);
}

/**
 * Returns 1.0507 x where x is greater than 0, and 1.0507 · 1.6733 (e^x - 1) elsewhere. Its gradient at 0 is
 * 1.0507 · 1.6733. The constants are those of Klambauer et al., "Self-Normalizing Neural Networks", to all digits.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 */
export function selu(x: Operand): Node {
  return scaledElu(floating('selu', x), 1.0507009873554805, 1.6732632423543772);
}

const leakyOptions = declareOptions('leakyRelu', {
  /** The slope for negative x. The default is 0.01. */
  slope: optional(finiteNumber, 'alpha', 'negativeSlope'),
});

/** Options of `leakyRelu`. */
export interface LeakyReluOptions extends OptionsOf<typeof leakyOptions> {}

/**
 * Returns x where x is greater than 0, and `slope` x elsewhere. Its gradient at 0 is `slope`.
 * If `slope` is 0, the result at -Infinity is NaN.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number, or if an option is unknown or
 *   invalid
 */
export function leakyRelu(x: Operand, options?: LeakyReluOptions): Node {
  const { slope = 0.01 } = leakyOptions.read(options, '[leakyRelu]');
  const node = floating('leakyRelu', x);
  return where(greater(node, 0), node, mul(slope, node));
}
