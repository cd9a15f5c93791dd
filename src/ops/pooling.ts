/**
 * Pooling over windows: `maxPool1d`, `maxPool2d`, `avgPool1d` and `avgPool2d`. A maximum is taken at the index of the
 * largest element of its window, so its gradient goes to this element. The inner ops are linear in all but the indices,
 * so each is the gradient of another.
 */

import { ShapeError, ValueError } from '../errors.js';
import { calledAs } from '../graph/calls.js';
import type { Dim, Shape } from '../graph/dimension.js';
import { input } from '../graph/leaf.js';
import type { Bound, RoutineShapes } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import { type Fail, none, notDifferentiable, type Operand } from '../graph/op.js';
import { type Apply, declare } from './declare.js';
import {
  type AvgPoolOptions,
  attributesOf,
  avgPoolOptions,
  type MaxPoolOptions,
  maxPoolOptions,
  type PoolAttributes,
  type Windows,
} from './pooling-options.js';
import { floatingDType, indexDType } from './rules.js';
import { refusesIntegers } from './samples.js';
import { operandOf } from './sides.js';
import { reshape } from './views.js';

/** Returns the number of windows along an axis of `length` elements, as PyTorch counts them. */
function windowCount(length: number, windows: Windows): number {
  const { size, stride, dilation, before, after, ceil } = windows;
  const room = length + before + after - dilation * (size - 1) - 1;
  const count = (ceil ? Math.ceil : Math.floor)(room / stride) + 1;
  // The last window must begin in the axis or in the padding before it.
  return ceil && (count - 1) * stride >= length + before ? count - 1 : count;
}

/** Returns the number of windows along an axis. @throws ShapeError if there is none, or if one contains no element */
function checkedCount(length: Dim, windows: Windows, fail: Fail): number {
  const { axis, size, stride, dilation, before } = windows;
  if (typeof length !== 'number') {
    return fail.shape(`expected a number as the ${axis} of x, but it is the name ${length}`);
  }
  const count = windowCount(length, windows);
  if (count < 1) {
    fail.shape(`a window of size ${size} does not fit into the ${axis} of x, which is ${length}`);
  }
  const startOf = (window: number) => window * stride - before;
  const refuse = (window: number) =>
    fail.shape(`window ${window} along the ${axis} of x, which is ${length}, is only padding`);
  // A window that starts in the axis has an element there. The others start in the padding before it or after it.
  for (let window = 0; window < count && startOf(window) < 0; window++) {
    const start = startOf(window);
    const first = start + Math.ceil(-start / dilation) * dilation;
    if (first >= length || first > start + (size - 1) * dilation) refuse(window);
  }
  if (startOf(count - 1) >= length) refuse(count - 1);
  return count;
}

function pooledShape(x: Node, { rows, columns }: PoolAttributes, fail: Fail): Shape {
  const [batch, channels, height, width] = x.shape as readonly [Dim, Dim, Dim, Dim];
  return [batch, channels, checkedCount(height, rows, fail), checkedCount(width, columns, fail)];
}

/** Returns the integers of a routine for images whose axes are in the order of the graph. */
function integersOf({ rows, columns }: PoolAttributes): number[] {
  return [
    ...[rows.size, columns.size],
    ...[rows.stride, columns.stride],
    ...[rows.dilation, columns.dilation],
    ...[rows.before, rows.after, columns.before, columns.after],
    0,
  ];
}

/** Returns how a routine is called that reads all inputs, and computes the result, as they are. */
function callOf({ attributes, shape, inputShapes }: Bound<PoolAttributes>): RoutineShapes {
  return { reads: inputShapes, write: shape, integers: integersOf(attributes) };
}

const label = ({ rows, columns }: PoolAttributes) => `${rows.size} x ${columns.size}`;

const largestOf = declare<PoolAttributes>({
  name: 'maxPool',
  arity: 1,
  dtype: indexDType,
  shape: ([x], attributes, fail) => pooledShape(x as Node, attributes, fail),
  lowering: { kind: 'routine', routine: 'maxPool', call: callOf },
  gradient: notDifferentiable('an index is an integer'),
  label,
  samples: [
    { inputs: [{ shape: [2, 3, 4, 5] }], build: (x) => maxPool2d(x as Node, { size: 2 }) },
    {
      inputs: [{ shape: [1, 2, 5, 6] }],
      build: (x) => maxPool2d(x as Node, { size: [3, 2], stride: 2, padding: 1 }),
    },
    {
      inputs: [{ shape: [2, 1, 7, 7] }],
      build: (x) => maxPool2d(x as Node, { size: 2, stride: 3, dilation: 2, ceil: true }),
    },
    { inputs: [{ shape: [0, 3, 4, 4] }], build: (x) => maxPool2d(x as Node, { size: 2 }) },
  ],
  refused: [
    {
      build: () => maxPool2d(input('x', [2, 3, 4]), { size: 2 }),
      error: ShapeError,
      message:
        /^\[maxPool2d\] expected x of shape \[batch, channels, height, width\], but received \[2, 3, 4\]/,
    },
    {
      build: () => maxPool2d(input('x', [1, 1, 2, 2]), { size: 3 }),
      error: ShapeError,
      message: /^\[maxPool\] a window of size 3 does not fit into the height of x, which is 2/,
    },
    {
      build: () => maxPool2d(input('x', [1, 1, 4, 4]), { size: 1, padding: 1 }),
      error: ShapeError,
      message: /^\[maxPool\] window 0 along the height of x, which is 4, is only padding/,
    },
    {
      build: () => (maxPool2d as (x: Operand) => Node)(input('x', [1, 1, 4, 4])),
      error: ValueError,
      message:
        /^\[maxPool2d\]: size must be the size of a window, such as { size: 2 }, but is undefined/,
    },
    {
      build: () => maxPool2d(input('x', [1, 1, 4, 4]), { size: 0 }),
      error: ValueError,
      message:
        /^\[maxPool2d\] size: expected a positive integer, or a list of two, but received number 0/,
    },
  ],
});

/** The elements of x at the indices of a pooling. */
const winners: Apply<PoolAttributes> = declare<PoolAttributes>({
  name: 'maxPoolValues',
  arity: 2,
  dtype: ([x]) => (x as Node).dtype,
  shape: ([, indices]) => (indices as Node).shape,
  lowering: { kind: 'routine', routine: 'maxPoolValues', call: callOf },
  gradient: ({ inputs: [x, indices], attributes, gradient }) => [
    given([gradient, indices as Node], { ...attributes, shape: (x as Node).shape }),
    none,
  ],
  label,
  samples: [
    { inputs: [{ shape: [2, 3, 4, 5] }], build: (x) => maxPool2d(x as Node, { size: 2 }) },
    {
      inputs: [{ shape: [1, 2, 5, 6] }],
      build: (x) => maxPool2d(x as Node, { size: [3, 2], stride: 2, padding: 1 }),
    },
    { inputs: [{ shape: [2, 3, 7] }], build: (x) => maxPool1d(x as Node, { size: 3, stride: 2 }) },
    { inputs: [{ shape: [0, 3, 4, 4] }], build: (x) => maxPool2d(x as Node, { size: 2 }) },
  ],
  refused: [
    {
      build: () => maxPool1d(input('x', [2, 3, 'steps']), { size: 2 }),
      error: ShapeError,
      message: /^\[maxPool\] expected a number as the length of x, but it is the name steps/,
    },
  ],
});

interface GivenAttributes extends PoolAttributes {
  /** The shape of the operand of the pooling. */
  readonly shape: Shape;
}

/** The shapes of 2 x 2 windows in the samples of gradients. */
const pooledShapes = [
  [2, 3, 2, 2],
  [1, 1, 2, 2],
  [0, 3, 2, 2],
] as const;

/** The gradient of `winners`: the number of each window is added at its index. */
const given: Apply<GivenAttributes> = declare<GivenAttributes>({
  name: 'maxPoolGradient',
  arity: 2,
  dtype: ([g], _attributes, fail) => floatingDType([g as Node], _attributes, fail),
  shape: (_inputs, { shape }) => shape,
  lowering: { kind: 'routine', routine: 'maxPoolGradient', call: callOf },
  gradient: ({ inputs: [, indices], attributes: { shape: _, ...attributes }, gradient }) => [
    winners([gradient, indices as Node], attributes),
    none,
  ],
  label,
  samples: pooledShapes.map((shape) => ({
    inputs: [{ shape }, { shape: [shape[0], shape[1], 4, 4] }],
    build: (g, x) => {
      const attributes = attributesOf('maxPool2d', { size: 3, padding: 1, stride: 2 });
      const indices = largestOf([x as Node], attributes);
      return given([g as Node, indices], { ...attributes, shape: (x as Node).shape });
    },
  })),
  refused: [
    refusesIntegers('maxPoolGradient', () => {
      const attributes = attributesOf('maxPool2d', { size: 2 });
      const g = input('indices', [1, 1, 2, 2], { dtype: 'int32' });
      return given([g, g], { ...attributes, shape: [1, 1, 4, 4] });
    }),
  ],
});

interface AverageAttributes extends PoolAttributes {
  readonly countPadding: boolean;
}

const averageCall = ({ attributes, shape, inputShapes }: Bound<AverageAttributes>) => ({
  reads: inputShapes,
  write: shape,
  integers: [...integersOf(attributes), Number(attributes.countPadding)],
});

const averaged = declare<AverageAttributes>({
  name: 'avgPool',
  arity: 1,
  dtype: floatingDType,
  shape: ([x], attributes, fail) => pooledShape(x as Node, attributes, fail),
  lowering: { kind: 'routine', routine: 'avgPool', call: averageCall },
  gradient: ({ inputs: [x], attributes, gradient }) => [
    spread([gradient], { ...attributes, shape: (x as Node).shape }),
  ],
  label,
  samples: [
    { inputs: [{ shape: [2, 3, 4, 5] }], build: (x) => avgPool2d(x as Node, { size: 2 }) },
    {
      inputs: [{ shape: [1, 2, 5, 6] }],
      build: (x) => avgPool2d(x as Node, { size: [3, 2], stride: 2, padding: 1 }),
    },
    {
      inputs: [{ shape: [2, 1, 5, 5] }],
      build: (x) =>
        avgPool2d(x as Node, { size: 3, stride: 2, padding: 1, ceil: true, countPadding: false }),
    },
    { inputs: [{ shape: [2, 3, 7] }], build: (x) => avgPool1d(x as Node, { size: 3, stride: 2 }) },
    { inputs: [{ shape: [0, 3, 4, 4] }], build: (x) => avgPool2d(x as Node, { size: 2 }) },
  ],
  refused: [
    refusesIntegers('avgPool', () =>
      avgPool2d(input('indices', [1, 1, 4, 4], { dtype: 'int32' }), { size: 2 }),
    ),
    {
      build: () => avgPool1d(input('x', [2, 3, 'steps']), { size: 2 }),
      error: ShapeError,
      message: /^\[avgPool\] expected a number as the length of x, but it is the name steps/,
    },
  ],
});

interface SpreadAttributes extends AverageAttributes, GivenAttributes {}

const spread: Apply<SpreadAttributes> = declare<SpreadAttributes>({
  name: 'avgPoolGradient',
  arity: 1,
  dtype: floatingDType,
  shape: (_inputs, { shape }) => shape,
  lowering: { kind: 'routine', routine: 'avgPoolGradient', call: averageCall },
  gradient: ({ attributes: { shape: _, ...attributes }, gradient }) => [
    averaged([gradient], attributes),
  ],
  label,
  samples: pooledShapes.map((shape) => ({
    inputs: [{ shape }],
    build: (g) => {
      const attributes = attributesOf('avgPool2d', { size: 2, padding: 1, stride: 3 });
      const to = [shape[0], shape[1], 4, 4];
      return spread([g as Node], { ...attributes, countPadding: true, shape: to });
    },
  })),
  refused: [
    refusesIntegers('avgPoolGradient', () => {
      const attributes = attributesOf('avgPool2d', { size: 2 });
      const g = input('indices', [1, 1, 2, 2], { dtype: 'int32' });
      return spread([g], { ...attributes, countPadding: true, shape: [1, 1, 4, 4] });
    }),
  ],
});

const image = ['batch', 'channels', 'height', 'width'];
const sequence = ['batch', 'channels', 'length'];

/** Pools a sequence as an image of height 1. */
function asImage(x: Node, pool: (image: Node) => Node): Node {
  const [batch, channels, length] = x.shape as readonly [Dim, Dim, Dim];
  const pooled = pool(reshape(x, [batch, channels, 1, length]));
  return reshape(pooled, [batch, channels, pooled.shape[3] as Dim]);
}

function maxPool(x: Node, attributes: PoolAttributes): Node {
  return winners([x, largestOf([x], attributes)], attributes);
}

/**
 * Returns the largest element of each window of images. If several are the largest, the gradient goes to the first. NaN
 * counts as the largest number. If a window has several NaN, the gradient goes to the first of them, too (in PyTorch
 * 2.15, to the last). The padding is less than any element. The result has the shape [batch, channels, rows, columns] of
 * the windows and the dtype of x.
 * @param x [batch, channels, height, width]; the height and the width are numbers
 * @throws ShapeError if x has another number of axes, if no window fits, or if a window is only padding; ValueError if
 *   x is not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function maxPool2d(x: Operand, options: MaxPoolOptions): Node {
  return calledAs('maxPool2d', () => {
    const read = maxPoolOptions.read(options, '[maxPool2d]');
    return maxPool(operandOf('maxPool2d', 'x', x, image), attributesOf('maxPool2d', read));
  });
}

/**
 * Does what `maxPool2d` does for sequences: x has the shape [batch, channels, length]. `size`, `stride` and `dilation`
 * are numbers, and `padding` is a number or [before, after].
 * @throws ShapeError if x has another number of axes, if no window fits, or if a window is only padding; ValueError if
 *   x is not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function maxPool1d(x: Operand, options: MaxPoolOptions): Node {
  return calledAs('maxPool1d', () => {
    const read = maxPoolOptions.read(options, '[maxPool1d]');
    const attributes = attributesOf('maxPool1d', read);
    return asImage(operandOf('maxPool1d', 'x', x, sequence), (node) => maxPool(node, attributes));
  });
}

/**
 * Returns the mean of each window of images. The result has the shape [batch, channels, rows, columns] of the windows
 * and the dtype of x.
 * @param x [batch, channels, height, width], float32 or float64; the height and the width are numbers
 * @throws ShapeError if x has another number of axes, if no window fits, or if a window is only padding; DTypeError if x
 *   is int32; ValueError if x is not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function avgPool2d(x: Operand, options: AvgPoolOptions): Node {
  return calledAs('avgPool2d', () => {
    const read = avgPoolOptions.read(options, '[avgPool2d]');
    const { countPadding = true } = read;
    const attributes = { ...attributesOf('avgPool2d', read), countPadding };
    return averaged([operandOf('avgPool2d', 'x', x, image)], attributes);
  });
}

/**
 * Does what `avgPool2d` does for sequences: x has the shape [batch, channels, length]. `size`, `stride` and `dilation`
 * are numbers, and `padding` is a number or [before, after].
 * @throws ShapeError if x has another number of axes, if no window fits, or if a window is only padding; DTypeError if x
 *   is int32; ValueError if x is not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function avgPool1d(x: Operand, options: AvgPoolOptions): Node {
  return calledAs('avgPool1d', () => {
    const read = avgPoolOptions.read(options, '[avgPool1d]');
    const { countPadding = true } = read;
    const attributes = { ...attributesOf('avgPool1d', read), countPadding };
    return asImage(operandOf('avgPool1d', 'x', x, sequence), (node) =>
      averaged([node], attributes),
    );
  });
}
