/** Largest and smallest: of two operands, over axes, and where. */

import { ShapeError } from '../errors.js';
import { input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { notDifferentiable, type Operand } from '../graph/op.js';
import { div, mul } from './arithmetic.js';
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
import { equal, greater, where } from './comparison.js';
import { declare } from './declare.js';
import { binary } from './elementwise.js';
import { reshape } from './views.js';

const apart = [
  { low: -2, high: 2 },
  { low: -2, high: 2 },
] as const;

/**
 * The larger of a and b; NaN if either is. Ties send half the gradient to each.
 * Shapes broadcast; of the operands' one dtype, float32 or float64.
 * @throws ShapeError for shapes that do not broadcast; DTypeError for two dtypes or int32; ValueError if
 *   an operand is not a node, a tensor or a number
 * @function
 */
export const maximum = binary({
  name: 'maximum',
  domains: apart,
  gradient: (g, a, b) => [unlessGreater(b, a, g), unlessGreater(a, b, g)],
});

/**
 * The smaller of a and b; NaN if either is. Ties send half the gradient to each.
 * Shapes broadcast; of the operands' one dtype, float32 or float64.
 * @throws ShapeError for shapes that do not broadcast; DTypeError for two dtypes or int32; ValueError if
 *   an operand is not a node, a tensor or a number
 * @function
 */
export const minimum = binary({
  name: 'minimum',
  domains: apart,
  gradient: (g, a, b) => [unlessGreater(a, b, g), unlessGreater(b, a, g)],
});

/** g for the operand that is chosen, half of it where they tie, 0 where `other` is the greater. */
function unlessGreater(other: Node, own: Node, g: Node): Node {
  // Chosen, not multiplied: 0 times an infinite gradient would be NaN.
  return where(greater(other, own), 0, where(equal(other, own), mul(0.5, g), g));
}

const largest = declare<{ readonly axes: readonly number[] }>({
  name: 'max',
  arity: 1,
  dtype: ([x]) => (x as Node).dtype,
  shape: ([x], { axes }) => reducedShape((x as Node).shape, axes),
  lowering: { kind: 'reduce', kernel: 'max', axes: ({ axes }) => axes },
  gradient: ({ node, inputs, attributes: { axes }, gradient }) => {
    const [x] = inputs as [Node];
    const kept = keptShape(x.shape, axes);
    const chosen = equal(x, reshape(node, kept));
    // Ties share the gradient evenly, as in PyTorch's amax.
    const ties = sum(chosen, axes, { keepDims: true });
    return [mul(chosen, broadcastTo(div(reshape(gradient, kept), ties), x.shape))];
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
 * The maximum over axes, -Infinity over no elements; NaN if any element is. Ties share the gradient evenly. Of x's
 * dtype, and of x's shape without these axes, or with 1 in their place.
 * @throws ShapeError if x lacks an axis or one is named twice; ValueError if x is not a node, a tensor or a number, and
 *   for an unknown option
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
  dtype: () => 'int32',
  shape: ([x], { axes }, fail) => {
    const { shape } = x as Node;
    if (axes.some((axis) => shape[axis] === 0)) fail.shape('there is no largest of no elements');
    return reducedShape(shape, axes);
  },
  lowering: { kind: 'reduce', kernel: 'argmax', axes: ({ axes }) => axes, notEmpty: true },
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
      message: /^\[argmax\] there is no largest of no elements/,
    },
  ],
});

/**
 * The index (int32) of the first largest element along an axis, or of all in row-major order. No gradient flows
 * through it.
 * @throws ShapeError if x lacks the axis or it has no elements; ValueError if x is not a node, a tensor or a number, and
 *   for an unknown option
 */
export function argmax(x: Operand, axis?: number, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[argmax]');
  const [node] = lift('argmax', [x]) as [Node];
  const axes = resolveAxes('argmax', node, axis);
  return keepAxes(position([node], { axes }), node.shape, axes, keepDims);
}
