/** The op `dropout`. */

import { fraction, seedNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { constant, lift } from '../graph/leaf.js';
import { isTraining } from '../graph/mode.js';
import type { Node } from '../graph/node.js';
import { failFor } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { mul } from './arithmetic.js';
import { greater, where } from './comparison.js';
import { randomUniform } from './random.js';
import { floatingDType } from './rules.js';

const dropoutOptions = declareOptions('dropout', {
  /** The probability with which an element is dropped: a number from 0 to 1. */
  rate: required(fraction, 'p', 'probability'),
  /**
   * The seed of the draw. By default, it is derived from the seed that `setSeed` set, and from the number of draws
   * without a seed since then.
   */
  seed: optional(seedNumber),
});

/** Options of `dropout`. */
export interface DropoutOptions extends OptionsOf<typeof dropoutOptions> {}

/**
 * In a graph that is built within `training`, drops each element of x with the probability `rate`, independently of the
 * others, and returns the other elements times 1 / (1 - rate). In all other graphs, returns x. Each run of a program
 * drops other elements.
 *
 * A dropped element is 0, even if it is infinite or NaN. (PyTorch multiplies it by 0, so that it becomes NaN.) Its
 * gradient is 0. With the rate 1, all elements and gradients are 0. The result has the shape and dtype of x, which is
 * float32 or float64.
 * @throws DTypeError if x is neither float32 nor float64; ValueError if x is not a Node, Tensor or number, if `rate` is
 *   missing or not from 0 to 1, if `seed` is not a valid seed, or if an option is unknown
 */
export function dropout(x: Operand, options: DropoutOptions): Node {
  const { rate, seed } = dropoutOptions.read(options, '[dropout]');
  const [node] = lift('dropout', [x]) as [Node];
  const dtype = floatingDType([node], {}, failFor({ name: 'dropout' }, [node]));
  if (!isTraining() || rate === 0) return node;
  // 1 / (1 - rate) is not finite here, so that its product with a gradient of 0 would be NaN.
  if (rate === 1) return where(constant(0, { dtype: 'bool' }), node, 0);
  const drawn = randomUniform(node.shape, { dtype, ...(seed !== undefined && { seed }) });
  return where(greater(rate, drawn), 0, mul(node, 1 / (1 - rate)));
}
