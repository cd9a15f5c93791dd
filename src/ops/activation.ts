/** Activations, element by element. */

import { mul, square, sub } from './arithmetic.js';
import { equal, where } from './comparison.js';
import { unary } from './elementwise.js';

/**
 * 1 / (1 + e^-x).
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const sigmoid = unary({
  name: 'sigmoid',
  domain: { low: -3, high: 3 },
  gradient: (g, _x, y) => mul(g, mul(y, sub(1, y))),
});

/**
 * The hyperbolic tangent.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const tanh = unary({
  name: 'tanh',
  domain: { low: -2, high: 2 },
  gradient: (g, _x, y) => mul(g, sub(1, square(y))),
});

/**
 * max(x, 0); the gradient at 0 is 0.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const relu = unary({
  name: 'relu',
  domain: { low: -2, high: 2, gap: 0.1 },
  gradient: (g, _x, y) => where(equal(y, 0), 0, g),
});

/**
 * log(1 + e^x), computed without overflow as max(x, 0) + log1p(e^-|x|).
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const softplus = unary({
  name: 'softplus',
  domain: { low: -3, high: 3 },
  gradient: (g, x) => mul(g, sigmoid(x)),
});
