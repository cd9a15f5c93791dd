/** Rounding to integers, and the remainder of a division. */

import { DTypeError } from '../errors.js';
import { input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { notDifferentiable } from '../graph/op.js';
import { abs, div, mul, neg, sub } from './arithmetic.js';
import { equal, where } from './comparison.js';
import { declare } from './declare.js';
import { binary } from './elementwise.js';
import { floatingDType, numberDType, sameDType } from './rules.js';
import { type Unary, unarySamples } from './samples.js';

const stepwise = notDifferentiable('it is piecewise constant');

/** Declares a rounding function. The kernel has the name of the op. Integers are returned as they are. */
function rounding(name: string): Unary {
  const function_: Unary = (x) => {
    const [node] = lift(name, [x]) as [Node];
    return node.dtype === 'int32' || node.dtype === 'uint8' ? node : apply([node], {});
  };
  const apply = declare({
    name,
    arity: 1,
    dtype: floatingDType,
    shape: ([x]) => (x as Node).shape,
    lowering: { kind: 'map', kernel: name },
    gradient: stepwise,
    samples: unarySamples((x) => function_(x), { low: -3, high: 3 }),
    refused: [
      {
        build: () => function_(input('x', [2], { dtype: 'bool' })),
        error: DTypeError,
        message: new RegExp(`^\\[${name}\\] is defined for float32 and float64, but received bool`),
      },
    ],
  });
  return function_;
}

/**
 * Returns the largest integer that is not greater than x, as a number of the dtype of x. The result has the shape and
 * dtype of x. If x is int32 or uint8, the result is x itself. No gradient flows through `floor`.
 * @throws DTypeError if x is bool; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const floor = rounding('floor');

/**
 * Returns the smallest integer that is not less than x, as a number of the dtype of x. The result has the shape and
 * dtype of x. If x is int32 or uint8, the result is x itself. No gradient flows through `ceil`.
 * @throws DTypeError if x is bool; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const ceil = rounding('ceil');

/**
 * Returns the integer nearest to x, as a number of the dtype of x. If two integers are equally near, it is the even one:
 * 0.5 becomes 0, and 1.5 becomes 2. The result has the shape and dtype of x. If x is int32 or uint8, the result is x
 * itself. No gradient flows through `round`.
 * @throws DTypeError if x is bool; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const round = rounding('round');

/**
 * Returns x without its fractional part, as a number of the dtype of x. The result has the shape and dtype of x. If x is
 * int32 or uint8, the result is x itself. No gradient flows through `trunc`.
 * @throws DTypeError if x is bool; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const trunc = rounding('trunc');

/**
 * Returns a modulo b: a - b floor(a / b), the remainder with the sign of the divisor b, as `numpy.mod` and
 * `torch.remainder`. It is computed exactly, and rounded at most once. If b is 0, the result is NaN; for int32, it is 0.
 * The gradient for a is 1, and the gradient for b is -floor(a / b), also where the result jumps.
 * The shapes broadcast. Both operands must have the same dtype, float32, float64 or int32. The result has this dtype.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ, or are bool or uint8; ValueError if
 *   an operand is not a Node, Tensor or number
 * @function
 */
export const mod = binary({
  name: 'mod',
  domains: [
    { low: -2, high: 2 },
    { low: -2, high: 2, gap: 0.4 },
  ],
  dtype: (inputs, attributes, fail) => {
    sameDType(inputs, attributes, fail);
    return numberDType(inputs, attributes, fail);
  },
  gradient: (g, a, b, y) => {
    // a / b may be rounded to an integer that the exact quotient does not reach, but (a - y) / b is near the floor.
    const quotient = where(equal(b, 0), div(a, b), round(div(sub(a, y), b)));
    // The remainder is infinite if b is, and has the other sign than a.
    return [g, neg(mul(g, where(equal(abs(y), Infinity), -1, quotient)))];
  },
});
