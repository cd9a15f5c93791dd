/** The element-wise maximum and minimum of two operands, the maximum over axes, and the index of the maximum. */

import { ShapeError } from '../errors.js';
import { sizeOfDims } from '../graph/dimension.js';
import { constant, input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { notDifferentiable, type Operand } from '../graph/op.js';
import { div, mul } from './arithmetic.js';
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
import { cast, equal, greater, where } from './comparison.js';
import { declare } from './declare.js';
import { binary } from './elementwise.js';
import { aroundAxis } from './indexing.js';
import { indexDType, numberDType } from './rules.js';
import { reshape } from './views.js';

const apart = [
  { low: -2, high: 2 },
  { low: -2, high: 2 },
] as const;

/**
 * Returns the larger of a and b; NaN if a or b is NaN. If a equals b, each of them receives half of the gradient.
 * The shapes broadcast. Both operands must have the same dtype, float32 or float64. The result has this dtype.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ or are int32; ValueError if an
 *   operand is not a Node, Tensor or number
 * @function
 */
export const maximum = binary({
  name: 'maximum',
  domains: apart,
  gradient: (g, a, b) => [unlessGreater(b, a, g), unlessGreater(a, b, g)],
});

/**
 * Returns the smaller of a and b; NaN if a or b is NaN. If a equals b, each of them receives half of the gradient.
 * The shapes broadcast. Both operands must have the same dtype, float32 or float64. The result has this dtype.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ or are int32; ValueError if an
 *   operand is not a Node, Tensor or number
 * @function
 */
export const minimum = binary({
  name: 'minimum',
  domains: apart,
  gradient: (g, a, b) => [unlessGreater(a, b, g), unlessGreater(b, a, g)],
});

/** Returns g where `own` is greater than `other`, g / 2 where they are equal, and 0 where `other` is greater. */
function unlessGreater(other: Node, own: Node, g: Node): Node {
  // The zeros are selected by `where`. A product with 0 would be NaN if the gradient is infinite.
  return where(greater(other, own), 0, where(equal(other, own), mul(0.5, g), g));
}

const largest = declare<{ readonly axes: readonly number[] }>({
  name: 'max',
  arity: 1,
  dtype: numberDType,
  shape: ([x], { axes }) => reducedShape((x as Node).shape, axes),
  lowering: { kind: 'reduce', kernel: 'max', axes: ({ axes }) => axes },
  gradient: ({ node, inputs, attributes: { axes }, gradient }) => {
    const [x] = inputs as [Node];
    const kept = keptShape(x.shape, axes);
    const chosen = equal(x, reshape(node, kept));
    const number = (value: number) => constant(value, { dtype: x.dtype });
    // If several elements are equal to the maximum, they share the gradient evenly, as in PyTorch's amax. `ties` is
    // their number. It is 0 if the maximum is NaN, because NaN equals nothing.
    const ties = sum(cast(chosen, x.dtype), axes, { keepDims: true });
    const share = div(reshape(gradient, kept), ties);
    // The zeros are selected by `where`. A product with 0 would be NaN if the gradient is infinite.
    return [where(chosen, share, where(ties, number(0), number(NaN)))];
  },
  label: ({ axes }) => axes.join(' '),
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => max(x as Node) },
    { inputs: [{ shape: [2, 3] }], build: (x) => max(x as Node, 1) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => max(x as Node, [0, -1], { keepDims: true }) },
    { inputs: [{ shape: [0, 3] }], build: (x) => max(x as Node, 1) },
  ],
  refused: [
    {
      build: () => max(input('x', [2, 3]), -3),
      error: ShapeError,
      message: /^\[max\] axis -3 is out of range \(allowed: -2 to 1\)/,
    },
  ],
});

/**
 * Returns the maximum over axes. It is NaN if any element is NaN. The maximum of no elements is -Infinity. If several
 * elements are equal to the maximum, they share the gradient evenly. The result has the dtype of x, and the shape of x
 * without the reduced axes; if `keepDims` is true, these axes stay, with length 1.
 * @param axes the axes to reduce; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice; ValueError if x is not a Node, Tensor or number, or
 *   if an option is unknown
 */
export function max(x: Operand, axes?: Axes, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[max]');
  const [node] = lift('max', [x]) as [Node];
  const resolved = resolveAxes('max', node, axes);
  return keepAxes(largest([node], { axes: resolved }), node.shape, resolved, keepDims);
}

const position = declare<{ readonly axes: readonly number[] }>({
  name: 'argmax',
  arity: 1,
  dtype: indexDType,
  shape: ([x], { axes }, fail) => {
    const { shape } = x as Node;
    if (axes.some((axis) => shape[axis] === 0))
      fail.shape('expected at least one element along each reduced axis');
    return reducedShape(shape, axes);
  },
  lowering: { kind: 'reduce', kernel: 'argmax', axes: ({ axes }) => axes },
  gradient: notDifferentiable('an index is an integer'),
  label: ({ axes }) => axes.join(' '),
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => argmax(x as Node, 1) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => argmax(x as Node, -2) },
    { inputs: [{ shape: [2, 3] }], build: (x) => argmax(x as Node) },
    { inputs: [{ shape: [0, 3] }], build: (x) => argmax(x as Node, 1) },
  ],
  refused: [
    {
      build: () => argmax(input('x', [2, 0]), 1),
      error: ShapeError,
      message: /^\[argmax\] expected at least one element along each reduced axis/,
    },
  ],
});

/**
 * Returns the index of the largest element along an axis, as int32. If several elements are the largest, it is the
 * index of the first of them; if an element is NaN, it is the index of the first NaN. Without `axis`, the result is the
 * row-major index of the largest of all elements. No gradient flows through `argmax`.
 * @throws ShapeError if the axis is out of range or has length 0; ValueError if x is not a Node, Tensor or number, or
 *   if an option is unknown
 */
export function argmax(x: Operand, axis?: number, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[argmax]');
  const [node] = lift('argmax', [x]) as [Node];
  const axes = resolveAxes('argmax', node, axis);
  return keepAxes(position([node], { axes }), node.shape, axes, keepDims);
}

interface LeastAttributes {
  readonly axis: number;
}

const leastPosition = declare<LeastAttributes>({
  name: 'argmin',
  arity: 1,
  dtype: indexDType,
  shape: ([x], { axis }, fail) => {
    const { shape } = x as Node;
    if (shape[axis] === 0) fail.shape('expected at least one element along the axis');
    return reducedShape(shape, [axis]);
  },
  lowering: {
    kind: 'routine',
    routine: 'argmin',
    call: ({ attributes: { axis }, inputShapes: [x] }) => {
      const around = aroundAxis(x as readonly number[], axis);
      if (around[1] === 0) {
        // The shape rule could not check this, because the length of a named axis is known only in a run.
        throw new ShapeError('expected at least one element along the axis');
      }
      return { reads: [around], write: [around[0], around[2]], integers: [] };
    },
  },
  gradient: notDifferentiable('an index is an integer'),
  label: ({ axis }) => `${axis}`,
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => argmin(x as Node, 1) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => argmin(x as Node, -2) },
    { inputs: [{ shape: [5] }], build: (x) => argmin(x as Node) },
    { inputs: [{ shape: [0, 3] }], build: (x) => argmin(x as Node, 1) },
  ],
  refused: [
    {
      build: () => argmin(input('x', [2, 0]), 1),
      error: ShapeError,
      message: /^\[argmin\] expected at least one element along the axis/,
    },
  ],
});

/**
 * Returns the index of the smallest element along an axis, as int32. If several elements are the smallest, it is the
 * index of the first of them; if an element is NaN, it is the index of the first NaN. Without `axis`, the result is the
 * row-major index of the smallest of all elements. No gradient flows through `argmin`.
 * @throws ShapeError if the axis is out of range or has length 0; ValueError if x is not a Node, Tensor or number, or
 *   if an option is unknown
 */
export function argmin(x: Operand, axis?: number, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[argmin]');
  const [node] = lift('argmin', [x]) as [Node];
  const axes = resolveAxes('argmin', node, axis);
  const [only = 0] = axes;
  const along = axes.length === 1 ? node : reshape(node, [sizeOfDims(node.shape)]);
  return keepAxes(leastPosition([along], { axis: only }), node.shape, axes, keepDims);
}
