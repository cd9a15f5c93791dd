/** Activation functions that are products of x and a gate: `silu`, `mish`, `hardSwish`; and `hardSigmoid`, a gate. */

import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { sigmoid, softplus, tanh } from './activation.js';
import { add, div, mul } from './arithmetic.js';
import { clamp } from './elementary.js';
import { maximum } from './extrema.js';
import { floating } from './rules.js';

// The functions below are products of x and a gate, a function that is exactly 0 or 1 far from 0. There the gate and
// its derivatives are computed at a bound, so that no product of 0 and an infinity occurs.

/** Returns x gate(x). The gate must be exactly 0 below -`bound`, and exactly 1 above `bound`. */
function gated(x: Operand, name: string, bound: number, gate: (x: Node) => Node): Node {
  const node = floating(name, x);
  return mul(maximum(node, -bound), gate(clamp(node, { min: -bound, max: bound })));
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
