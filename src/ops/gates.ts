/**
 * Activation functions that are products of x and a gate: `gelu`, `silu`, `mish`,
 * `hardSwish`; and `hardSigmoid`, a gate.
 */

import { oneOf } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { sigmoid, softplus, tanh } from './activation.js';
import { add, div, mul, square } from './arithmetic.js';
import { clamp } from './elementary.js';
import { maximum } from './extrema.js';
import { floating } from './rules.js';
import { erf } from './special.js';

// The functions below are products of x and a gate, a function that is exactly 0 or 1 far from 0. There the gate and
// its derivatives are computed at a bound, so that no product of 0 and an infinity occurs.

/** Returns x gate(x). The gate must be exactly 0 below -`bound`, and exactly 1 above `bound`. */
function gated(x: Operand, name: string, bound: number, gate: (x: Node) => Node): Node {
  const node = floating(name, x);
  return mul(maximum(node, -bound), gate(clamp(node, { min: -bound, max: bound })));
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
  const { approximate = 'none' } = geluOptions.read(options, '[gelu]');
  if (approximate === 'none') {
    return gated(x, 'gelu', 100, (inner) => mul(0.5, add(1, erf(mul(inner, Math.SQRT1_2)))));
  }
  // (1 + tanh(u)) / 2 is sigmoid(2 u), which loses no digits where tanh(u) is near -1.
  const factor = 2 * Math.sqrt(2 / Math.PI);
  return gated(x, 'gelu', 100, (inner) =>
    sigmoid(mul(mul(factor, inner), add(1, mul(0.044715, square(inner))))),
  );
}

/**
 * Returns x sigmoid(x), which is also called swish. It is 0 at -Infinity, where PyTorch gives NaN.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 */
export function silu(x: Operand): Node {
  return gated(x, 'silu', 1000, sigmoid);
}

/**
 * Returns x tanh(softplus(x)). It is 0 at -Infinity, where PyTorch gives NaN.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 */
export function mish(x: Operand): Node {
  return gated(x, 'mish', 1000, (inner) => tanh(softplus(inner)));
}

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
  return gated(x, 'hardSwish', 3, hardSigmoid);
}
