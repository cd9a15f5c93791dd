/**
 * Activation functions that are products of x and a gate: `gelu`, `silu`, `mish`,
 * `hardSwish`; and `hardSigmoid`, a gate.
 */

import { oneOf } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { calledAs } from '../graph/calls.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { sigmoid, softplus, tanh } from './activation.js';
import { add, div, exp, mul, square, sub } from './arithmetic.js';
import { clamp } from './elementary.js';
import { unary } from './elementwise.js';
import { maximum, minimum } from './extrema.js';
import { floating } from './rules.js';
import type { Unary } from './samples.js';
import { erf } from './special.js';

// These functions are products of x and a gate, a function that is exactly 0 or 1 far from 0. There the gate and its
// derivatives are computed at a bound, so that no product of 0 and an infinite x occurs.
//
// The gradient rule of a function that `gated` declares multiplies the gradient by the derivative, which is a function
// of x alone. So a program computes the derivative in the loop that computes the function, and keeps only these two for
// the gradient. An infinite gradient times a derivative of 0 is NaN, as in PyTorch.

interface Gate {
  readonly name: string;
  /** The gate must be exactly 0 below -`bound`, and exactly 1 above `bound`; its slope is 0 there. */
  readonly bound: number;
  readonly gate: (x: Node) => Node;
  /** Returns the derivative of the gate. @param value the gate at x */
  readonly slope: (x: Node, value: Node) => Node;
}

/** Declares a function that returns x gate(x). */
function gated({ name, bound, gate, slope }: Gate): Unary {
  const above = (x: Node) => maximum(x, -bound);
  const within = (x: Node) => minimum(above(x), bound);
  return unary({
    name,
    domain: { low: -3, high: 3 },
    expand: (x) => mul(above(x), gate(within(x))),
    gradient: (g, x) => {
      const inner = within(x);
      const value = gate(inner);
      return mul(g, add(value, mul(inner, slope(inner, value))));
    },
  });
}

const geluOptions = declareOptions('gelu', {
  /** `'none'` (the default) for the exact function, or `'tanh'` for the approximation by a hyperbolic tangent. */
  approximate: optional(oneOf('none', 'tanh')),
});

/** Options of `gelu`. */
export interface GeluOptions extends OptionsOf<typeof geluOptions> {}

/**
 * Returns the Gaussian error linear unit, x (1 + erf(x / sqrt(2))) / 2. With `approximate: 'tanh'`, it is
 * x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2. It is 0 at -Infinity, where PyTorch gives NaN.
 * For large negative x, the exact function cancels: its absolute error is at most about |x| 2^-23 in float32 and
 * |x| 2^-52 in float64, which can be more than the function itself.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number, or if an option is unknown or
 *   invalid
 */
export function gelu(x: Operand, options?: GeluOptions): Node {
  return calledAs('gelu', () => {
    const { approximate = 'none' } = geluOptions.read(options, '[gelu]');
    const node = floating('gelu', x);
    return approximate === 'none' ? exactGelu(node) : tanhGelu(node);
  });
}

const exactGelu = gated({
  name: 'gelu',
  bound: 100,
  gate: (x) => mul(0.5, add(1, erf(mul(x, Math.SQRT1_2)))),
  slope: (x) => mul(1 / Math.sqrt(2 * Math.PI), exp(mul(-0.5, square(x)))),
});

const tanhFactor = 2 * Math.sqrt(2 / Math.PI);
const cubic = 0.044715;

// (1 + tanh(u)) / 2 is sigmoid(2 u), which loses no digits where tanh(u) is near -1.
const tanhGelu = gated({
  name: 'tanhGelu',
  bound: 100,
  gate: (x) => sigmoid(mul(mul(tanhFactor, x), add(1, mul(cubic, square(x))))),
  slope: (x, value) =>
    mul(mul(value, sub(1, value)), mul(tanhFactor, add(1, mul(3 * cubic, square(x))))),
});

/**
 * Returns x sigmoid(x), which is also called swish. It is 0 at -Infinity, where PyTorch gives NaN.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const silu = gated({
  name: 'silu',
  bound: 1000,
  gate: sigmoid,
  slope: (_x, value) => mul(value, sub(1, value)),
});

/**
 * Returns x tanh(softplus(x)). It is 0 at -Infinity, where PyTorch gives NaN.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const mish = gated({
  name: 'mish',
  bound: 1000,
  gate: (x) => tanh(softplus(x)),
  slope: (x, value) => mul(sub(1, square(value)), sigmoid(x)),
});

/**
 * Returns max(0, min(1, x / 6 + 1 / 2)). Its gradient is 1 / 6 between -3 and 3, and 0 elsewhere, also at -3 and 3.
 * (PyTorch 2.15 rounds 1 / 6 to float32 also in float64.)
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 */
export function hardSigmoid(x: Operand): Node {
  return div(add(clamp(floating('hardSigmoid', x), { min: -3, max: 3 }), 3), 6);
}

/**
 * Returns x hardSigmoid(x). Its gradient is 0 at -3 and 1 at 3. It is 0 at -Infinity, where PyTorch gives NaN.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 */
export function hardSwish(x: Operand): Node {
  const node = floating('hardSwish', x);
  return mul(maximum(node, -3), hardSigmoid(node));
}
