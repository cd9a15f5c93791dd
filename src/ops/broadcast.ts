/** The ops `broadcastTo` and `sum`. The gradient of each is computed by the other. */

import { describeValue } from '../arguments/describe.js';
import { flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertList, isList } from '../arguments/read.js';
import { ShapeError } from '../errors.js';
import { type Dim, dimension, type Shape, sameShape } from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { broadcastFrom } from '../graph/window.js';
import { dimensionList, formatShape, resolveAxis, stridesOf } from '../tensor/shape.js';
import { declare } from './declare.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';
import { reshape } from './views.js';

/** One axis or a list of axes. Negative axes count from the end. If no axes are given, an op reduces over all axes. */
export type Axes = number | readonly number[];

export const reduceOptions = declareOptions(
  'sum, mean, max, min, prod, all, any, argmax, argmin, logSumExp',
  {
    /** If true, the reduced axes stay in the shape of the result, with length 1. The default is false. */
    keepDims: optional(flag, 'keepdim', 'keepdims'),
  },
);

/** Options of `sum`, `mean`, `max`, `min`, `prod`, `all`, `any`, `argmax`, `argmin` and `logSumExp`. */
export interface ReduceOptions extends OptionsOf<typeof reduceOptions> {}

/**
 * Returns the axes as a list of indices from 0, in increasing order; all axes if `axes` is undefined.
 * @throws ShapeError if `axes` is not an axis or a list of axes, or if an axis is out of range or appears twice
 */
export function resolveAxes(opName: string, node: Node, axes?: Axes): number[] {
  const rank = node.shape.length;
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  if (typeof axes !== 'number' && !isList(axes)) {
    failFor({ name: opName }, [node]).shape(
      `expected an axis or a list of axes, but received ${describeValue(axes)}; write ${opName}(x, 1), ${opName}(x, [0, 1]) or, for all axes, ${opName}(x)`,
    );
  }
  const given = typeof axes === 'number' ? [axes] : assertList(axes, `[${opName}] expected axes,`);
  const resolved = given.map((axis) => resolveAxis(axis, rank, `[${opName}]`));
  if (new Set(resolved).size !== resolved.length) {
    failFor({ name: opName }, [node]).shape(`an axis appears twice: ${formatShape(given)}`);
  }
  return resolved.sort((a, b) => a - b);
}

/** Returns the shape after a reduction that keeps the reduced axes, with length 1. */
export function keptShape(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
}

/** Returns the shape after a reduction that removes the reduced axes. */
export function reducedShape(shape: Shape, axes: readonly number[]): Shape {
  return shape.filter((_, axis) => !axes.includes(axis));
}

/**
 * Returns `reduced`, the result of a reduction. If `keepDims` is true, the reduced axes are put back, with length 1.
 * `shape` is the shape before the reduction.
 */
export function keepAxes(
  reduced: Node,
  shape: Shape,
  axes: readonly number[],
  keepDims = false,
): Node {
  return keepDims ? reshape(reduced, keptShape(shape, axes)) : reduced;
}

const stretch = declare<{ readonly shape: Shape }>({
  name: 'broadcastTo',
  arity: 1,
  interned: true,
  dtype: ([x]) => (x as Node).dtype,
  shape: ([x], { shape }, fail) => {
    const from = (x as Node).shape;
    const lead = shape.length - from.length;
    if (lead < 0 || from.some((dim, axis) => dim !== 1 && dim !== shape[axis + lead])) {
      fail.shape(`cannot broadcast ${formatShape(from)} to ${formatShape(shape)}`);
    }
    return shape;
  },
  lowering: {
    kind: 'view',
    view: ({ shape, inputShapes: [from] }) => {
      const source = from as readonly number[];
      const strides = stridesOf(source);
      const lead = shape.length - source.length;
      return {
        offset: 0,
        strides: shape.map((_, axis) =>
          axis < lead || source[axis - lead] === 1 ? 0 : (strides[axis - lead] as number),
        ),
      };
    },
  },
  gradient: ({ inputs, gradient }) => [sumTo(gradient, inputs[0] as Node)],
  local: ({ node, inputs: [x], region }) => ({
    inputs: [broadcastFrom(region, (x as Node).shape, node.shape)],
    attributes: { shape: region.shape },
  }),
  samples: [
    { inputs: [{ shape: [3] }], build: (x) => broadcastTo(x as Node, [2, 3]) },
    { inputs: [{ shape: [2, 1, 3] }], build: (x) => broadcastTo(x as Node, [2, 4, 3]) },
    { inputs: [{ shape: [] }], build: (x) => broadcastTo(x as Node, [2, 1, 2]) },
    { inputs: [{ shape: [1, 3] }], build: (x) => broadcastTo(x as Node, [0, 3]) },
    { inputs: [{ shape: [0, 1] }], build: (x) => broadcastTo(x as Node, [2, 0, 3]) },
  ],
  refused: [
    {
      build: () => broadcastTo(input('x', [2, 3]), [3, 3]),
      error: ShapeError,
      message: /^\[broadcastTo\] cannot broadcast \[2, 3\] to \[3, 3\]/,
    },
    {
      build: () => broadcastTo(input('x', ['batch']), [5]),
      error: ShapeError,
      message: /^\[broadcastTo\] cannot broadcast \[batch\] to \[5\]/,
    },
  ],
});

/**
 * Repeats x along new leading axes and along axes of length 1, as NumPy does. If `shape` has dimension names, the graph
 * must have inputs with dimensions of these names. The result has the given shape and the dtype of x, which may be any
 * dtype.
 * @throws ShapeError if `shape` is not a shape or x does not broadcast to it; ValueError if x is not a Node, Tensor or
 *   number
 */
export function broadcastTo(x: Operand, shape: readonly Dim[]): Node {
  const [node] = lift('broadcastTo', [x]) as [Node];
  const target = dimensions('broadcastTo', shape);
  return sameShape(node.shape, target) ? node : stretch([node], { shape: target });
}

/** Returns a shape that a user gave, with each dimension in normal form. @throws ShapeError if it is not a shape */
export function dimensions(opName: string, shape: readonly Dim[]): Shape {
  const { where } = failFor({ name: opName }, []);
  return dimensionList(shape, where).map((dim) => dimension(dim, where));
}

const addUp = declare<{ readonly axes: readonly number[] }>({
  name: 'sum',
  arity: 1,
  dtype: floatingDType,
  shape: ([x], { axes }) => reducedShape((x as Node).shape, axes),
  lowering: { kind: 'reduce', kernel: 'sum', axes: ({ axes }) => axes },
  gradient: ({ inputs, attributes: { axes }, gradient }) => {
    const { shape } = inputs[0] as Node;
    return [broadcastTo(reshape(gradient, keptShape(shape, axes)), shape)];
  },
  label: ({ axes }) => axes.join(' '),
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => sum(x as Node) },
    { inputs: [{ shape: [2, 3] }], build: (x) => sum(x as Node, 0) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => sum(x as Node, [0, -1], { keepDims: true }) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => sum(x as Node, 1) },
    { inputs: [{ shape: [0, 3] }], build: (x) => sum(x as Node, 0) },
    { inputs: [{ shape: [] }], build: (x) => sum(x as Node) },
  ],
  refused: [
    {
      build: () => sum(input('x', [2, 3]), 2),
      error: ShapeError,
      message: /^\[sum\] axis 2 is out of range \(allowed: -2 to 1\)/,
    },
    {
      build: () => sum(input('x', [2, 3]), [0, -2]),
      error: ShapeError,
      message: /^\[sum\] an axis appears twice: \[0, -2\]/,
    },
    refusesIntegers('sum', (x) => sum(x)),
  ],
});

/**
 * Returns the sum over axes. The sum of no elements is 0. The result has the dtype of x, float32 or float64, and the
 * shape of x without the reduced axes; if `keepDims` is true, these axes stay, with length 1.
 * @param axes the axes to sum over; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice; DTypeError if x is int32; ValueError if x is not a
 *   Node, Tensor or number, or if an option is unknown
 */
export function sum(x: Operand, axes?: Axes, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[sum]');
  const [node] = lift('sum', [x]) as [Node];
  const resolved = resolveAxes('sum', node, axes);
  return keepAxes(addUp([node], { axes: resolved }), node.shape, resolved, keepDims);
}

/**
 * Returns the sum of a gradient over the axes along which `target` was broadcast to the shape of the gradient. The
 * result has the shape of `target`.
 */
export function sumTo(gradient: Node, target: Node): Node {
  if (sameShape(gradient.shape, target.shape)) return gradient;
  const lead = gradient.shape.length - target.shape.length;
  const axes = gradient.shape.flatMap((dim, axis) =>
    axis < lead || (target.shape[axis - lead] === 1 && dim !== 1) ? [axis] : [],
  );
  const summed = axes.length === 0 ? gradient : sum(gradient, axes);
  return reshape(summed, target.shape);
}
