/** Reductions that are composed of others: `min`, `prod`, `all`, `any`, `variance` and `std`. */

import { finiteNumber, flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { ShapeError, ValueError } from '../errors.js';
import { type Dim, sizeOfDims } from '../graph/dimension.js';
import { constant, input, lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Fail, Operand } from '../graph/op.js';
import { isFloating } from '../tensor/dtype.js';
import { div, mul, neg, sqrt, square, sub } from './arithmetic.js';
import {
  type Axes,
  broadcastTo,
  keepAxes,
  keptShape,
  type ReduceOptions,
  reducedShape,
  reduceOptions,
  resolveAxes,
  sum,
} from './broadcast.js';
import { cast, equal, greater, where } from './comparison.js';
import { declare } from './declare.js';
import { argmin, max } from './extrema.js';
import { takeAlongAxis } from './indexing.js';
import { extent, mean } from './mean.js';
import { cumprod } from './order.js';
import { floating, floatingDType, numberDType } from './rules.js';
import { refusesIntegers } from './samples.js';
import { slice } from './slice.js';
import { reshape, transpose } from './views.js';
import { concat } from './windows.js';

/**
 * Returns the minimum over axes. It is NaN if any element is NaN. The minimum of no elements is Infinity, but of int32
 * it is refused. If several elements are equal to the minimum, they share the gradient evenly, as in PyTorch's amin. The
 * result has the dtype of x, and the shape of x without the reduced axes; if `keepDims` is true, these axes stay, with
 * length 1.
 * @param axes the axes to reduce; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice, or if there are no elements and x is int32; DTypeError
 *   if x is bool or uint8; ValueError if x is not a Node, Tensor or number, or if an option is unknown
 */
export function min(x: Operand, axes?: Axes, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[min]');
  const [node] = lift('min', [x]) as [Node];
  const resolved = resolveAxes('min', node, axes);
  const fail = failFor({ name: 'min' }, [node]);
  numberDType([node], {}, fail);
  const least = isFloating(node.dtype)
    ? neg(max(neg(node), resolved))
    : leastInteger(node, resolved, fail);
  return keepAxes(least, node.shape, resolved, keepDims);
}

/** Returns the minimum of int32, which has no negation, as the element at the index of the minimum. */
function leastInteger(x: Node, axes: readonly number[], fail: Fail): Node {
  if (axes.length === 0) return x;
  if (axes.some((axis) => x.shape[axis] === 0)) {
    fail.shape('the minimum of no int32 elements is not defined');
  }
  const kept = reducedShape(x.shape, axes);
  const lines = asLines(x, axes);
  const at = argmin(lines, -1, { keepDims: true });
  return reshape(takeAlongAxis(lines, at, -1), kept);
}

/**
 * Returns the product over axes. The product of no elements is 1. The gradient is exact at zeros, of any order: the
 * gradient for an element is the product of the others. The result has the dtype of x, float32 or float64, and the shape
 * of x without the reduced axes; if `keepDims` is true, these axes stay, with length 1.
 * @param axes the axes to reduce; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice; DTypeError if x is int32; ValueError if x is not a
 *   Node, Tensor or number, or if an option is unknown
 */
export function prod(x: Operand, axes?: Axes, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[prod]');
  const node = floating('prod', x);
  const resolved = resolveAxes('prod', node, axes);
  const lines = asLines(node, resolved);
  const kept = reducedShape(node.shape, resolved);
  // The running product starts with a 1, so that its last element exists if there are no elements.
  const one = broadcastTo(constant(1, { dtype: node.dtype }), [...kept, 1]);
  const products = cumprod(concat([one, lines], -1), -1);
  const last = slice(products, { axis: -1, start: lines.shape.at(-1) as Dim });
  return keepAxes(reshape(last, kept), node.shape, resolved, keepDims);
}

/** Returns x with the given axes, joined, as the last axis. */
function asLines(x: Node, axes: readonly number[]): Node {
  const others = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const count = sizeOfDims(axes.map((axis) => x.shape[axis] as Dim));
  return reshape(transpose(x, [...others, ...axes]), [...reducedShape(x.shape, axes), count]);
}

/** Returns 1 where an element is 0 or, with `zero` false, where it is not, as int32; and its largest over axes. */
function most(name: string, x: Operand, axes: Axes | undefined, zero: boolean) {
  const [node] = lift(name, [x]) as [Node];
  const resolved = resolveAxes(name, node, axes);
  const flags = cast(cast(node, 'bool'), 'int32');
  const found = max(zero ? cast(equal(flags, 0), 'int32') : flags, resolved);
  return { node, resolved, found };
}

/**
 * Returns whether all elements over axes are true, as bool. Numbers that are not 0, and also NaN, count as true. For no
 * elements, the result is true. It has the shape of x without the reduced axes; if `keepDims` is true, these axes stay,
 * with length 1. No gradient flows through `all`.
 * @param x of any dtype
 * @param axes the axes to reduce; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice; ValueError if x is not a Node, Tensor or number, or if
 *   an option is unknown
 */
export function all(x: Operand, axes?: Axes, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[all]');
  const { node, resolved, found } = most('all', x, axes, true);
  return keepAxes(greater(1, found), node.shape, resolved, keepDims);
}

/**
 * Returns whether any element over axes is true, as bool. Numbers that are not 0, and also NaN, count as true. For no
 * elements, the result is false. It has the shape of x without the reduced axes; if `keepDims` is true, these axes stay,
 * with length 1. No gradient flows through `any`.
 * @param x of any dtype
 * @param axes the axes to reduce; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice; ValueError if x is not a Node, Tensor or number, or if
 *   an option is unknown
 */
export function any(x: Operand, axes?: Axes, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[any]');
  const { node, resolved, found } = most('any', x, axes, false);
  return keepAxes(greater(found, 0), node.shape, resolved, keepDims);
}

const varianceOptions = declareOptions('variance, std', {
  /** What is subtracted from the number of elements in the divisor: 1 for an unbiased variance. The default is 0. */
  correction: optional(finiteNumber, 'ddof'),
  /** If true, the reduced axes stay in the shape of the result, with length 1. The default is false. */
  keepDims: optional(flag, 'keepdim', 'keepdims'),
});

/** Options of `variance` and `std`. */
export interface VarianceOptions extends OptionsOf<typeof varianceOptions> {}

interface VarianceAttributes {
  readonly axes: readonly number[];
  readonly correction: number;
}

/** Returns the divisor of the variance: the number of elements minus the correction; NaN if that is not positive. */
function divisor(x: Node, { axes, correction }: VarianceAttributes): Node {
  const count = extent(sizeOfDims(axes.map((axis) => x.shape[axis] as Dim)), x.dtype);
  const freedom = sub(count, correction);
  return where(greater(freedom, 0), freedom, NaN);
}

const spread = declare<VarianceAttributes>({
  name: 'variance',
  arity: 1,
  dtype: floatingDType,
  shape: ([x], { axes }) => reducedShape((x as Node).shape, axes),
  lowering: {
    kind: 'compose',
    expand: ([x], attributes) => {
      const node = x as Node;
      const deviations = sub(node, mean(node, attributes.axes, { keepDims: true }));
      return div(sum(square(deviations), attributes.axes), divisor(node, attributes));
    },
  },
  gradient: ({ inputs, attributes, gradient }) => {
    const [x] = inputs as [Node];
    const { axes } = attributes;
    // The mean's own gradient is left out, because the deviations add up to 0.
    const deviations = sub(x, mean(x, axes, { keepDims: true }));
    const share = div(mul(2, gradient), divisor(x, attributes));
    return [mul(reshape(share, keptShape(x.shape, axes)), deviations)];
  },
  label: ({ axes, correction }) => `${axes.join(' ')}${correction === 0 ? '' : ` - ${correction}`}`,
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => variance(x as Node) },
    { inputs: [{ shape: [2, 3] }], build: (x) => variance(x as Node, 1, { correction: 1 }) },
    {
      inputs: [{ shape: [2, 3, 4] }],
      build: (x) => variance(x as Node, [0, -1], { keepDims: true }),
    },
    { inputs: [{ shape: [0, 3] }], build: (x) => variance(x as Node, 1) },
  ],
  refused: [
    refusesIntegers('variance', (x) => variance(x)),
    {
      build: () => variance(input('x', [2]), 1),
      error: ShapeError,
      message: /^\[variance\] axis 1 is out of range/,
    },
    {
      build: () => variance(input('x', [2]), 0, { correction: NaN }),
      error: ValueError,
      message: /^\[variance\]: correction must be a finite number/,
    },
  ],
});

/**
 * Returns the variance over axes: the sum of the squared deviations from the mean, divided by n - `correction`, where n
 * is the number of elements. It is NaN if `correction` is n or more. The result has the dtype of x, float32 or float64,
 * and the shape of x without the reduced axes; if `keepDims` is true, these axes stay, with length 1.
 * @param axes the axes to reduce; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice; DTypeError if x is int32; ValueError if x is not a
 *   Node, Tensor or number, or if an option is unknown or invalid
 */
export function variance(x: Operand, axes?: Axes, options?: VarianceOptions): Node {
  const { keepDims, correction = 0 } = varianceOptions.read(options, '[variance]');
  const [node] = lift('variance', [x]) as [Node];
  const resolved = resolveAxes('variance', node, axes);
  return keepAxes(spread([node], { axes: resolved, correction }), node.shape, resolved, keepDims);
}

/**
 * Returns the standard deviation over axes, the square root of `variance`. Its gradient is 0 where the deviation is 0,
 * as in PyTorch 2.15. The result has the dtype of x, float32 or float64, and the shape of x without the reduced axes; if
 * `keepDims` is true, these axes stay, with length 1.
 * @param axes the axes to reduce; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice; DTypeError if x is int32; ValueError if x is not a
 *   Node, Tensor or number, or if an option is unknown or invalid
 */
export function std(x: Operand, axes?: Axes, options?: VarianceOptions): Node {
  const { keepDims, correction = 0 } = varianceOptions.read(options, '[std]');
  const [node] = lift('std', [x]) as [Node];
  const resolved = resolveAxes('std', node, axes);
  const squares = spread([node], { axes: resolved, correction });
  // The root is not taken where the variance is 0, so that its infinite slope is not multiplied by 0.
  const zero = equal(squares, 0);
  const root = where(zero, 0, sqrt(where(zero, 1, squares)));
  return keepAxes(root, node.shape, resolved, keepDims);
}
