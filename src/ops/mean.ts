/**
 * The op `mean`, and the op `extent`, which returns the length of a dimension as a node. `mean` divides by an extent.
 */

import { ShapeError } from '../errors.js';
import { type Dim, dimension, sizeOfDims } from '../graph/dimension.js';
import { constant, input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { notDifferentiable, type Operand } from '../graph/op.js';
import { assertDType, type DType } from '../tensor/dtype.js';
import { div } from './arithmetic.js';
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
import { declare } from './declare.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';
import { reshape } from './views.js';

const measure = declare<{ readonly dim: Dim; readonly dtype: DType }>({
  name: 'extent',
  arity: 0,
  dtype: (_inputs, { dtype }) => dtype,
  shape: () => [],
  lowering: { kind: 'extent', dim: ({ dim }) => dim },
  gradient: notDifferentiable('it has no inputs'),
  label: ({ dim }) => `${dim}`,
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => dividedBy(x as Node, 3) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => dividedBy(x as Node, 24) },
    { inputs: [{ shape: [0, 3] }], build: (x) => dividedBy(x as Node, 0) },
  ],
  refused: [
    {
      build: () => extent(-1, 'float32'),
      error: ShapeError,
      message: /^\[extent\] expected a dimension/,
    },
  ],
});

/**
 * Returns x divided by the result of the op `extent` for a number. The samples use it, because the function `extent`
 * does not apply the op to a number.
 */
function dividedBy(x: Node, dim: number): Node {
  return div(x, measure([], { dim, dtype: x.dtype }));
}

/**
 * Returns the length of a dimension, as a scalar node of the given dtype. If `dim` is a number, the node is a constant.
 * Otherwise each run computes it from the lengths that are fed for the names in `dim`.
 * @throws ShapeError if `dim` is not a dimension; DTypeError if `dtype` is not a dtype
 */
export function extent(dim: Dim, dtype: DType): Node {
  assertDType(dtype, '[extent]');
  const normal = dimension(dim, '[extent]');
  return typeof normal === 'number'
    ? constant(normal, { dtype })
    : measure([], { dim: normal, dtype });
}

const average = declare<{ readonly axes: readonly number[] }>({
  name: 'mean',
  arity: 1,
  dtype: floatingDType,
  shape: ([x], { axes }) => reducedShape((x as Node).shape, axes),
  lowering: {
    kind: 'compose',
    expand: ([x], { axes }) => div(sum(x as Node, axes), count(x as Node, axes)),
  },
  gradient: ({ inputs, attributes: { axes }, gradient }) => {
    const [x] = inputs as [Node];
    const share = div(gradient, count(x, axes));
    return [broadcastTo(reshape(share, keptShape(x.shape, axes)), x.shape)];
  },
  label: ({ axes }) => axes.join(' '),
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => mean(x as Node) },
    { inputs: [{ shape: [2, 3] }], build: (x) => mean(x as Node, 0, { keepDims: true }) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => mean(x as Node, [-1, 0]) },
    { inputs: [{ shape: [0, 3] }], build: (x) => mean(x as Node, 1) },
  ],
  refused: [
    {
      build: () => mean(input('x', [2, 3]), 5),
      error: ShapeError,
      message: /^\[mean\] axis 5 is out of range \(allowed: -2 to 1\)/,
    },
    refusesIntegers('mean', (x) => mean(x)),
  ],
});

/**
 * Returns the mean over axes. The mean of no elements is NaN. The result has the dtype of x, float32 or float64, and
 * the shape of x without the reduced axes; if `keepDims` is true, these axes stay, with length 1.
 * @param axes the axes to average over; all axes by default
 * @throws ShapeError if an axis is out of range or appears twice; DTypeError if x is int32; ValueError if x is not a
 *   Node, Tensor or number, or if an option is unknown
 */
export function mean(x: Operand, axes?: Axes, options?: ReduceOptions): Node {
  const { keepDims } = reduceOptions.read(options, '[mean]');
  const [node] = lift('mean', [x]) as [Node];
  const resolved = resolveAxes('mean', node, axes);
  return keepAxes(average([node], { axes: resolved }), node.shape, resolved, keepDims);
}

/** Returns the number of elements over which each mean is taken, as a scalar node of the dtype of x. */
function count(x: Node, axes: readonly number[]): Node {
  return extent(sizeOfDims(axes.map((axis) => x.shape[axis] as Dim)), x.dtype);
}
