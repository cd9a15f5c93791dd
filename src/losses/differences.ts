/** Losses of the difference between an output and a target. */

import { positiveNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { calledAs } from '../graph/calls.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { abs, clamp, mul, square, sub } from '../ops/index.js';
import { pair, reduced, reductionOption } from './shared.js';

const lossOptions = declareOptions('mse, mae, klDivergence', reductionOption);

/** Options of `mse`, `mae` and `klDivergence`. */
export interface ReductionOptions extends OptionsOf<typeof lossOptions> {}

/** Reads the options of a loss that has only the option `reduction`. */
export function reductionOf(name: string, options: ReductionOptions | undefined) {
  return lossOptions.read(options, `[${name}]`).reduction;
}

/**
 * Returns the mean squared error: by default the mean of (y - target)^2 over all elements, which is NaN if there are
 * none. Both operands must have the same shape and the same dtype, float32 or float64. The target may also be a number.
 * The result is a scalar or, with the reduction `'none'`, has the shape of y.
 * @throws ShapeError if the shapes differ; DTypeError if the dtypes differ or are int32; ValueError if an operand is
 *   not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function mse(y: Operand, target: Operand, options?: ReductionOptions): Node {
  return calledAs('mse', () => {
    const reduction = reductionOf('mse', options);
    const [output, wanted] = pair('mse', y, target);
    return reduced(square(sub(output, wanted)), reduction);
  });
}

/**
 * Returns the mean absolute error: by default the mean of |y - target| over all elements, which is NaN if there are
 * none. Its gradient where y equals the target is 0. Both operands must have the same shape and the same dtype, float32
 * or float64. The target may also be a number. The result is a scalar or, with the reduction `'none'`, has the shape of
 * y.
 * @throws ShapeError if the shapes differ; DTypeError if the dtypes differ or are int32; ValueError if an operand is
 *   not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function mae(y: Operand, target: Operand, options?: ReductionOptions): Node {
  return calledAs('mae', () => {
    const reduction = reductionOf('mae', options);
    const [output, wanted] = pair('mae', y, target);
    return reduced(abs(sub(output, wanted)), reduction);
  });
}

const huberOptions = declareOptions('huber', {
  /** The absolute difference at which the loss changes from a square to a line. The default is 1. */
  delta: optional(positiveNumber, 'beta'),
  ...reductionOption,
});

/** Options of `huber`. */
export interface HuberOptions extends OptionsOf<typeof huberOptions> {}

/**
 * Returns the Huber loss: by default the mean over all elements of d^2 / 2 where |d| is at most `delta`, and of
 * delta (|d| - delta / 2) elsewhere, where d = y - target. The mean of no elements is NaN. The gradient for an infinite
 * d is `delta` with the sign of d. Both operands must have the same shape and the same dtype, float32 or float64. The
 * target may also be a number. The result is a scalar or, with the reduction `'none'`, has the shape of y.
 * @throws ShapeError if the shapes differ; DTypeError if the dtypes differ or are int32; ValueError if an operand is
 *   not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function huber(y: Operand, target: Operand, options?: HuberOptions): Node {
  return calledAs('huber', () => {
    const { delta = 1, reduction } = huberOptions.read(options, '[huber]');
    const [output, wanted] = pair('huber', y, target);
    const difference = sub(output, wanted);
    // With c, the difference clamped to [-delta, delta], both cases are c (d - c / 2). Its gradient is c.
    const clamped = clamp(difference, { min: -delta, max: delta });
    return reduced(mul(clamped, sub(difference, mul(0.5, clamped))), reduction);
  });
}
