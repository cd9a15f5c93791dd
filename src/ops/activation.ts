/** Element-wise activation functions. */

import { mul, square, sub } from './arithmetic.js';
import { equal, where } from './comparison.js';
import { unary } from './elementwise.js';

/**
 * The logistic function, 1 / (1 + e^-x).
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const sigmoid = unary({
  name: 'sigmoid',
  domain: { low: -3, high: 3 },
  gradient: (g, _x, y) => mul(g, mul(y, sub(1, y))),
});

/**
 * The hyperbolic tangent.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const tanh = unary({
  name: 'tanh',
  domain: { low: -2, high: 2 },
  gradient: (g, _x, y) => mul(g, sub(1, square(y))),
});

/**
 * max(x, 0); the gradient at 0 is 0.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const relu = unary({
  name: 'relu',
  domain: { low: -2, high: 2, gap: 0.1 },
  gradient: (g, _x, y) => where(equal(y, 0), 0, g),
});

/**
 * log(1 + e^x), computed without overflow as max(x, 0) + log1p(e^-|x|).
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const softplus = unary({
  name: 'softplus',
  domain: { low: -3, high: 3 },
  gradient: (g, x) => mul(g, sigmoid(x)),
});
