/** Reductions by powers and exponentials: `norm` and `logSumExp`. */

import { checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { ShapeError, ValueError } from '../errors.js';
import { type Dim, sizeOfDims } from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { abs, add, div, exp, log, mul, pow, sqrt, square, sub } from './arithmetic.js';
import {
  type Axes,
  keepAxes,
  keptShape,
  type ReduceOptions,
  reducedShape,
  reduceOptions,
  resolveAxes,
  sum,
} from './broadcast.js';
import { equal, greater, sign, where } from './comparison.js';
import { declare } from './declare.js';
import { max, maximum } from './extrema.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';
import { reshape, stopGradient } from './views.js';

const keepDims = { keepDims: true } as const;

const exponent: Kind<number> = {
  expected: 'a number greater than 0, or Infinity',
  accepts: (value) => typeof value === 'number' && value > 0,
};

const normOptions = declareOptions('norm', {
  /** The exponent, a number greater than 0 or Infinity; 2 by default. */
  p: optional(exponent, 'ord'),
  /** The axes to reduce; all axes by default. */
  axes: optional(checkedLater<Axes>('an axis or a list of axes'), 'axis', 'dim'),
  /** If true, the reduced axes stay in the shape of the result, with length 1. The default is false. */
  keepDims: optional(flag, 'keepdim', 'keepdims'),
});

/** Options of `norm`. */
export interface NormOptions extends OptionsOf<typeof normOptions> {}

const powerNorm = declare<{ readonly p: number; readonly axes: readonly number[] }>({
  name: 'norm',
  arity: 1,
  dtype: floatingDType,
  shape: ([x], { axes }) => reducedShape((x as Node).shape, axes),
  lowering: {
    kind: 'compose',
    expand: ([x], { p, axes }) => {
      // The elements are divided by the largest of them, so that their powers neither overflow nor underflow.
      const magnitudes = abs(x as Node);
      const most = max(magnitudes, axes, keepDims);
      const scale = where(greater(most, 0), where(greater(Infinity, most), most, 1), 1);
      const scaled = div(magnitudes, scale);
      const powers = sum(p === 2 ? square(scaled) : pow(scaled, p), axes);
      const root = p === 2 ? sqrt(powers) : pow(powers, 1 / p);
      return mul(reshape(scale, root.shape), root);
    },
  },
  gradient: ({ node, inputs, attributes: { p, axes }, gradient }) => {
    const [x] = inputs as [Node];
    const kept = keptShape(x.shape, axes);
    const [y, g] = [reshape(node, kept), reshape(gradient, kept)];
    const zero = equal(y, 0);
    const ratio = div(x, where(zero, 1, y));
    if (p === 2) return [mul(g, ratio)];
    // Zeros are left out, because their powers are infinite if p is less than 1.
    const base = where(equal(x, 0), 1, abs(ratio));
    return [mul(g, mul(sign(x), pow(base, p - 1)))];
  },
  label: ({ p, axes }) => `${p}: ${axes.join(' ')}`,
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => norm(x as Node) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => norm(x as Node, { axes: [0, -1] }) },
    {
      inputs: [{ shape: [2, 3], low: -2, high: 2, gap: 0.3 }],
      build: (x) => norm(x as Node, { p: 3, axes: 1, keepDims: true }),
    },
    {
      inputs: [{ shape: [2, 3], low: -2, high: 2, gap: 0.3 }],
      build: (x) => norm(x as Node, { p: 0.5, axes: 0 }),
    },
    { inputs: [{ shape: [0, 3] }], build: (x) => norm(x as Node, { axes: 0 }) },
  ],
  refused: [
    refusesIntegers('norm', (x) => norm(x)),
    {
      build: () => norm(input('x', [2]), { p: 0 }),
      error: ValueError,
      message: /^\[norm\]: p must be a number greater than 0, or Infinity, but is number 0/,
    },
    {
      build: () => norm(input('x', [2]), { axes: 1 }),
      error: ShapeError,
      message: /^\[norm\] axis 1 is out of range/,
    },
  ],
});

/**
 * Returns the p-norm over axes: the sum of |x|^p, raised to the power 1 / p. With p = Infinity, it is the largest |x|.
 * The norm of no elements is 0. Powers do not overflow or underflow, because the elements are divided by the largest
 * first. (PyTorch and NumPy do not do that.)
 *
 * The gradient at a zero vector is 0, as in PyTorch, and so is the gradient for an element that is 0. If p is Infinity,
 * the elements that are as large as the largest share the gradient evenly.
 *
 * The result has the dtype of x, float32 or float64, and the shape of x without the reduced axes; if `keepDims` is true,
 * these axes stay, with length 1.
 * @throws ShapeError if an axis is out of range or appears twice; DTypeError if x is int32; ValueError if x is not a
 *   Node, Tensor or number, or if an option is unknown or invalid
 */
export function norm(x: Operand, options?: NormOptions): Node {
  const { p = 2, axes, keepDims } = normOptions.read(options, '[norm]');
  const [node] = lift('norm', [x]) as [Node];
  const resolved = resolveAxes('norm', node, axes);
  const result =
    p === 1
      ? sum(abs(node), resolved)
      : p === Infinity
        ? largest(node, resolved)
        : powerNorm([node], { p, axes: resolved });
  return keepAxes(result, node.shape, resolved, keepDims);
}

/** Returns the largest |x| over axes; 0 if there are no elements. */
function largest(x: Node, axes: readonly number[]): Node {
  const most = max(abs(x), axes);
  const count = sizeOfDims(axes.map((axis) => x.shape[axis] as Dim));
  return typeof count === 'number' && count > 0 ? most : maximum(most, 0);
}

const greatest = { float32: (2 - 2 ** -23) * 2 ** 127, float64: Number.MAX_VALUE };

/**
 * Returns the maximum of x over axes as a finite number, `shift`, with the lengths 1; and e^(x - shift) and its sum. The
 * results of `logSumExp` do not depend on the shift, so that its derivative is not needed.
 */
function powersOf(x: Node, axes: readonly number[]): Record<'shift' | 'powers' | 'total', Node> {
  const bound = greatest[x.dtype as 'float32'];
  const most = max(x, axes, keepDims);
  const limited = where(equal(most, Infinity), bound, where(equal(most, -Infinity), -bound, most));
  const shift = stopGradient(limited);
  const powers = exp(sub(x, shift));
  return { shift, powers, total: sum(powers, axes) };
}

const logarithm = declare<{ readonly axes: readonly number[] }>({
  name: 'logSumExp',
  arity: 1,
  dtype: floatingDType,
  shape: ([x], { axes }) => reducedShape((x as Node).shape, axes),
  lowering: {
    kind: 'compose',
    expand: ([x], { axes }) => {
      const { shift, total } = powersOf(x as Node, axes);
      return add(reshape(shift, total.shape), log(total));
    },
  },
  gradient: ({ inputs, attributes: { axes }, gradient }) => {
    const [x] = inputs as [Node];
    const kept = keptShape(x.shape, axes);
    // e^(x - y) would add up to 1 only with the rounding error of the result y. If all elements are -Infinity, the sum
    // is 0, and so are the powers.
    const { powers, total } = powersOf(x, axes);
    const divisor = reshape(where(equal(total, 0), 1, total), kept);
    return [mul(reshape(gradient, kept), div(powers, divisor))];
  },
  label: ({ axes }) => axes.join(' '),
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => logSumExp(x as Node) },
    { inputs: [{ shape: [2, 3] }], build: (x) => logSumExp(x as Node, 1, { keepDims: true }) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => logSumExp(x as Node, [0, -1]) },
    { inputs: [{ shape: [0, 3] }], build: (x) => logSumExp(x as Node, 1) },
  ],
  refused: [
    refusesIntegers('logSumExp', (x) => logSumExp(x)),
    {
      build: () => logSumExp(input('x', [2]), 1),
      error: ShapeError,
      message: /^\[logSumExp\] axis 1 is out of range/,
    },
  ],
});

/**
 * Returns log(sum(e^x)) over axes, without overflow. It is -Infinity if all elements are -Infinity, or if there are
 * none. The gradient is softmax(x). Where all elements are -Infinity, it is 0, where PyTorch gives NaN. The result has
 * the dtype of x, float32 or float64, and the shape of x without the reduced axes; if `keepDims` is true, these axes
 * stay, with length 1.
 * @param axes the axes to reduce; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice; DTypeError if x is int32; ValueError if x is not a
 *   Node, Tensor or number, or if an option is unknown
 */
export function logSumExp(x: Operand, axes?: Axes, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[logSumExp]');
  const [node] = lift('logSumExp', [x]) as [Node];
  const resolved = resolveAxes('logSumExp', node, axes);
  return keepAxes(logarithm([node], { axes: resolved }), node.shape, resolved, keepDims);
}
