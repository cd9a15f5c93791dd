/** The tangent, and the inverse trigonometric functions. (The sine and the cosine are in `arithmetic.ts`.) */

import type { Node } from '../graph/node.js';
import { abs, add, div, mul, neg, square, sub } from './arithmetic.js';
import { equal, where } from './comparison.js';
import { binary, unary } from './elementwise.js';
import { maximum } from './extrema.js';
import { or } from './logic.js';
import { rsqrt } from './special.js';
import { stopGradient } from './views.js';

const inside = { low: -0.9, high: 0.9 };
const bothSigns = { low: -2, high: 2 };

/** Returns 1 / sqrt(1 - x^2). The product of the factors loses no digits near 1 and -1. */
const slope = (x: Node): Node => rsqrt(mul(sub(1, x), add(1, x)));

/**
 * Returns the tangent of x, where x is in radians. Its error is at most 3 units in the last place, also for huge x.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const tan = unary({
  name: 'tan',
  domain: { low: -1.2, high: 1.2 },
  gradient: (g, _x, y) => mul(g, add(1, square(y))),
});

/**
 * Returns the angle in radians whose sine is x, from -pi / 2 to pi / 2. It is NaN if |x| is above 1. Its error is at
 * most 3 units in the last place. The gradient at 1 and -1 is infinite.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const asin = unary({
  name: 'asin',
  domain: inside,
  gradient: (g, x) => mul(g, slope(x)),
});

/**
 * Returns the angle in radians whose cosine is x, from 0 to pi. It is NaN if |x| is above 1. Its error is at most 2
 * units in the last place. The gradient at 1 and -1 is infinite.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const acos = unary({
  name: 'acos',
  domain: inside,
  gradient: (g, x) => neg(mul(g, slope(x))),
});

/**
 * Returns the angle in radians whose tangent is x, from -pi / 2 to pi / 2. Its error is at most 2.5 units in the last
 * place.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const atan = unary({
  name: 'atan',
  domain: bothSigns,
  gradient: (g, x) => div(g, add(1, square(x))),
});

/**
 * Returns the angle in radians between the positive x axis and the point (x, y), from -pi to pi, as C's `atan2(y, x)`.
 * Its error is at most 3 units in the last place. The gradients, x / (x^2 + y^2) for y and
 * -y / (x^2 + y^2) for x, are computed without overflow or underflow of the squares. If both operands are 0, the
 * gradients are 0. If one is infinite, its gradient is 0, and that of the other is NaN, as in PyTorch.
 * The shapes broadcast. Both operands must have the same dtype, float32 or float64. The result has this dtype.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ or are int32; ValueError if an
 *   operand is not a Node, Tensor or number
 * @function
 */
export const atan2 = binary({
  name: 'atan2',
  domains: [bothSigns, { low: -2, high: 2, gap: 0.4 }],
  gradient: (g, y, x) => {
    // The gradients do not depend on the scale, so that its own derivative is not needed.
    const scale = stopGradient(maximum(abs(x), abs(y)));
    const flat = or(equal(scale, 0), equal(scale, Infinity));
    const kept = where(flat, 1, scale);
    const [u, v] = [div(where(flat, 1, x), kept), div(where(flat, 1, y), kept)];
    const radius = add(square(u), square(v));
    const share = (own: Node, part: Node) =>
      where(flat, mul(mul(0, g), own), div(div(mul(g, part), radius), kept));
    return [share(x, u), neg(share(y, v))];
  },
});
