/** erf, and forms of the logarithm, the exponential and the square root. */

import { add, div, exp, mul, neg, square } from './arithmetic.js';
import { unary } from './elementwise.js';

const bothSigns = { low: -2, high: 2 };

/**
 * Returns the error function of x, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x. Its error is at most 2 units
 * in the last place.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const erf = unary({
  name: 'erf',
  domain: bothSigns,
  gradient: (g, x) => mul(g, mul(2 / Math.sqrt(Math.PI), exp(neg(square(x))))),
});

/**
 * Returns log(1 + x), accurately also for small x: its error is at most 2 units in the last place. It is NaN if x is
 * below -1, and -Infinity if x is -1.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const log1p = unary({
  name: 'log1p',
  domain: { low: -0.7, high: 2 },
  gradient: (g, x) => div(g, add(x, 1)),
});

/**
 * Returns e^x - 1, accurately also for small x: its error is at most 3 units in the last place.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const expm1 = unary({
  name: 'expm1',
  domain: bothSigns,
  // The sum of the result and 1 would lose digits for negative x.
  gradient: (g, x) => mul(g, exp(x)),
});

/**
 * Returns 1 / sqrt(x). It is NaN if x is below 0, Infinity at 0 and -Infinity at -0. The gradient at 0 is infinite.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const rsqrt = unary({
  name: 'rsqrt',
  domain: { low: 0.3, high: 2 },
  gradient: (g, _x, y) => mul(mul(-0.5, g), mul(y, square(y))),
});
