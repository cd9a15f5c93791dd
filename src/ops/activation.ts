/** Element-wise activation functions. */

import { mul, square, sub } from './arithmetic.js';
import { equal, where } from './comparison.js';
import { unary } from './elementwise.js';

/**
 * Returns the logistic function of x, 1 / (1 + e^-x).
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
 * Returns the hyperbolic tangent of x.
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
 * Returns max(x, 0). Its gradient at 0 is 0.
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
 * Returns log(1 + e^x). To avoid overflow, it is computed as max(x, 0) + log1p(e^-|x|).
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const softplus = unary({
  name: 'softplus',
  domain: { low: -3, high: 3 },
  gradient: (g, x) => mul(g, sigmoid(x)),
});
