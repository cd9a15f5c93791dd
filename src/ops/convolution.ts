/**
 * Convolution of images and sequences: `conv1d` and `conv2d`. A convolution is linear in each of its two operands, so
 * the gradients of the three ops here (the convolution, and its gradients for x and for the weight) are again these ops.
 */

import { ShapeError, ValueError } from '../errors.js';
import { calledAs } from '../graph/calls.js';
import type { Dim, Shape } from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import type { Bound, ConvolutionCall, Lowering } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import type { Fail, Local, LocalContext, Operand } from '../graph/op.js';
import { receptiveField } from '../graph/window.js';
import {
  type Attributes,
  type Axes,
  attributesOf,
  type ConvOptions,
  convOptions,
  imageAxes,
  sequenceAxes,
} from './convolution-options.js';
import { type Apply, declare } from './declare.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';
import { operandOf } from './sides.js';
import { assertFits, positions } from './taps.js';
import { reshape } from './views.js';

/** The attributes of a gradient of a convolution. */
interface GradientAttributes extends Attributes {
  /** The shape of the operand of the convolution whose gradient this is. */
  readonly shape: Shape;
}

type Computed = Extract<Lowering, { kind: 'convolution' }>['computes'];

/** Returns the lowering that computes `computes` from the other two of y, x and weight. */
function lowering<A extends Attributes>(computes: Computed): Lowering<A> {
  return {
    kind: 'convolution',
    computes,
    call: ({ attributes: { rows, columns, groups }, shape, inputShapes }: Bound<A>) => {
      const [first, second] = inputShapes as [readonly number[], readonly number[]];
      const shapes = {
        y: { y: shape, x: first, weight: second },
        x: { y: first, x: shape, weight: second },
        weight: { y: second, x: first, weight: shape },
      }[computes];
      const { x, y, weight } = shapes;
      for (const [axis, taps] of [rows, columns].entries()) {
        assertFits(x[2 + axis] as number, weight[2 + axis] as number, y[2 + axis] as number, taps);
      }
      return {
        ...shapes,
        stride: [rows.stride, columns.stride],
        dilation: [rows.dilation, columns.dilation],
        padding: [
          [rows.before, rows.after],
          [columns.before, columns.after],
        ],
        groups,
      } satisfies ConvolutionCall;
    },
  };
}

/**
 * The shape of the result. The public functions check the operands, so that errors have the axes of the operands that
 * the user gave.
 */
function convolvedShape(
  [x, weight]: readonly Node[],
  { rows, columns }: Attributes,
  fail: Fail,
): Shape {
  const [batch, , height, width] = (x as Node).shape as readonly [Dim, Dim, Dim, Dim];
  const [filters, , down, across] = (weight as Node).shape as readonly [Dim, Dim, Dim, Dim];
  return [
    batch,
    filters,
    positions(height, down, rows, fail),
    positions(width, across, columns, fail),
  ];
}

/** The rule `local` of a convolution. It needs numbers only along the axes of which the region has not all elements. */
function convolvedFrom({
  node,
  inputs,
  attributes,
  region: { start, shape },
}: LocalContext<Attributes>): Local<Attributes> | undefined {
  const [x, weight] = inputs as readonly [Node, Node];
  const [rows, columns] = (['rows', 'columns'] as const).map((name, i) => {
    const axis = 2 + i;
    const [at, count] = [start[axis] as Dim, shape[axis] as Dim];
    const [length, size] = [x.shape[axis] as Dim, weight.shape[axis] as Dim];
    const taps = attributes[name];
    if (at === 0 && count === node.shape[axis]) return { start: 0, length, taps };
    const numbers = [at, count, length, size];
    if (!numbers.every((dim) => typeof dim === 'number')) return undefined;
    const [from, several, elements, filter] = numbers as [number, number, number, number];
    const field = receptiveField(from, several, elements, { ...taps, size: filter });
    return field && { ...field, taps: { ...taps, before: field.before, after: field.after } };
  });
  const groupsWhole = attributes.groups === 1 || shape[1] === node.shape[1];
  if (!rows || !columns || !groupsWhole) return undefined;
  const filters = [start[1] as Dim, shape[1] as Dim] as const;
  return {
    inputs: [
      {
        start: [start[0] as Dim, 0, rows.start, columns.start],
        shape: [shape[0] as Dim, x.shape[1] as Dim, rows.length, columns.length],
      },
      {
        start: [filters[0], 0, 0, 0],
        shape: [filters[1], ...weight.shape.slice(1)],
      },
    ],
    attributes: { ...attributes, rows: rows.taps, columns: columns.taps },
  };
}

const convolved: Apply<Attributes> = declare<Attributes>({
  name: 'convolution',
  arity: 2,
  dtype: floatingDType,
  shape: convolvedShape,
  lowering: lowering('y'),
  gradient: ({ inputs: [x, weight], attributes, gradient }) => [
    inputGradient([gradient, weight as Node], { ...attributes, shape: (x as Node).shape }),
    weightGradient([x as Node, gradient], { ...attributes, shape: (weight as Node).shape }),
  ],
  local: convolvedFrom,
  samples: [
    {
      inputs: [{ shape: [2, 3, 4, 5] }, { shape: [4, 3, 2, 3] }],
      build: (x, w) => conv2d(x as Node, w as Node),
    },
    {
      inputs: [{ shape: [1, 2, 6, 5] }, { shape: [3, 2, 3, 3] }],
      build: (x, w) => conv2d(x as Node, w as Node, { padding: 'same', stride: 2 }),
    },
    {
      inputs: [{ shape: [2, 4, 5, 4] }, { shape: [6, 2, 2, 2] }],
      build: (x, w) => conv2d(x as Node, w as Node, { groups: 2, dilation: [2, 1], padding: 1 }),
    },
    {
      inputs: [{ shape: [1, 3, 4, 5] }, { shape: [3, 1, 3, 2] }],
      build: (x, w) =>
        conv2d(x as Node, w as Node, {
          groups: 3,
          padding: [
            [0, 1],
            [2, 1],
          ],
        }),
    },
    {
      inputs: [{ shape: [2, 3, 3, 2] }, { shape: [2, 3, 1, 1] }],
      build: (x, w) => conv2d(x as Node, w as Node),
    },
    {
      inputs: [{ shape: [2, 3, 7] }, { shape: [2, 3, 3] }],
      build: (x, w) => conv1d(x as Node, w as Node, { stride: 2, padding: [1, 2] }),
    },
    {
      inputs: [{ shape: [0, 2, 4, 4] }, { shape: [3, 2, 3, 3] }],
      build: (x, w) => conv2d(x as Node, w as Node),
    },
    {
      inputs: [{ shape: [2, 0, 4, 4] }, { shape: [3, 0, 3, 3] }],
      build: (x, w) => conv2d(x as Node, w as Node),
    },
  ],
  refused: [
    {
      build: () => conv2d(input('x', [2, 3, 4]), input('weight', [4, 3, 3, 3])),
      error: ShapeError,
      message:
        /^\[conv2d\] expected x of shape \[batch, channels, height, width\], but received \[2, 3, 4\]/,
    },
    {
      build: () => conv1d(input('x', [2, 3, 4]), input('weight', [4, 3])),
      error: ShapeError,
      message:
        /^\[conv1d\] expected weight of shape \[filters, channels \/ groups, length\], but received \[4, 3\]/,
    },
    {
      build: () => conv2d(input('x', [2, 3, 4, 4]), input('weight', [4, 2, 3, 3])),
      error: ShapeError,
      message:
        /^\[conv2d\] x has 3 channels, but weight, of shape \[4, 2, 3, 3\], is for 2 channels/,
    },
    {
      build: () => conv2d(input('x', [2, 4, 4, 4]), input('weight', [3, 2, 3, 3]), { groups: 2 }),
      error: ShapeError,
      message: /^\[conv2d\] the 3 filters of weight cannot be divided into 2 groups of equal size/,
    },
    {
      build: () => conv2d(input('x', [2, 3, 4, 2]), input('weight', [4, 3, 3, 3])),
      error: ShapeError,
      message:
        /^\[conv2d\] a filter of width 3 does not fit into the width of x, which is 2 \(with padding: 2\)/,
    },
    {
      build: () => conv1d(input('x', [2, 3, 'n']), input('weight', [4, 3, 3]), { stride: 2 }),
      error: ShapeError,
      message:
        /^\[conv1d\] the result's length cannot be written as a dimension: x has the length n, and the stride is 2/,
    },
    {
      build: () => conv2d(input('x', [2, 3, 4, 4]), input('weight', [4, 3, 1, 1]), { stride: 0 }),
      error: ValueError,
      message:
        /^\[conv2d\] stride: expected a positive integer, or a list of two, but received number 0/,
    },
    {
      build: () =>
        conv2d(input('x', [2, 3, 4, 4]), input('weight', [4, 3, 1, 1]), {
          padding: 'full' as 'same',
        }),
      error: ValueError,
      message:
        /^\[conv2d\] padding: expected 'same', 'valid', a whole number, \[height, width\] or \[\[top, bottom\], \[left, right\]\], but received the string "full"/,
    },
    refusesIntegers('convolution', () =>
      conv2d(
        input('indices', [1, 1, 4, 4], { dtype: 'int32' }),
        input('weight', [1, 1, 2, 2], { dtype: 'int32' }),
      ),
    ),
  ],
});

/** The gradient of a convolution for x, from the gradient of the result and the weight. */
export const inputGradient: Apply<GradientAttributes> = declare<GradientAttributes>({
  name: 'convolutionInputGradient',
  arity: 2,
  dtype: floatingDType,
  shape: (_inputs, { shape }) => shape,
  lowering: lowering('x'),
  gradient: ({ inputs: [g, weight], attributes: { shape: _, ...attributes }, gradient }) => [
    convolved([gradient, weight as Node], attributes),
    weightGradient([gradient, g as Node], { ...attributes, shape: (weight as Node).shape }),
  ],
  samples: [
    {
      inputs: [{ shape: [2, 4, 3, 3] }, { shape: [4, 3, 2, 3] }],
      build: (g, w) => gradients(g, w, [2, 3, 4, 5], [4, 3, 2, 3], {}).x,
    },
    {
      inputs: [{ shape: [1, 4, 3, 2] }, { shape: [4, 1, 3, 2] }],
      build: (g, w) => {
        const options = { stride: [2, 3], padding: 1, groups: 2 } as const;
        return gradients(g, w, [1, 2, 6, 4], [4, 1, 3, 2], options).x;
      },
    },
    {
      inputs: [{ shape: [0, 4, 3, 3] }, { shape: [4, 3, 2, 3] }],
      build: (g, w) => gradients(g, w, [0, 3, 4, 5], [4, 3, 2, 3], {}).x,
    },
  ],
  refused: [
    refusesIntegers('convolutionInputGradient', () => {
      const [g, w] = [
        input('g', [1, 1, 1, 1], { dtype: 'int32' }),
        input('w', [1, 1, 2, 2], { dtype: 'int32' }),
      ];
      return gradients(g, w, [1, 1, 2, 2], [1, 1, 2, 2], {}).x;
    }),
  ],
});

/** The gradient of a convolution for the weight, from x and the gradient of the result. */
const weightGradient: Apply<GradientAttributes> = declare<GradientAttributes>({
  name: 'convolutionWeightGradient',
  arity: 2,
  dtype: floatingDType,
  shape: (_inputs, { shape }) => shape,
  lowering: lowering('weight'),
  gradient: ({ inputs: [x, g], attributes: { shape: _, ...attributes }, gradient }) => [
    inputGradient([g as Node, gradient], { ...attributes, shape: (x as Node).shape }),
    convolved([x as Node, gradient], attributes),
  ],
  samples: [
    {
      inputs: [{ shape: [2, 3, 4, 5] }, { shape: [2, 4, 3, 3] }],
      build: (x, g) => gradients(g, x, [2, 3, 4, 5], [4, 3, 2, 3], {}).weight,
    },
    {
      inputs: [{ shape: [1, 2, 6, 4] }, { shape: [1, 4, 3, 2] }],
      build: (x, g) => {
        const options = { stride: [2, 3], padding: 1, groups: 2 } as const;
        return gradients(g, x, [1, 2, 6, 4], [4, 1, 3, 2], options).weight;
      },
    },
    {
      inputs: [{ shape: [0, 3, 4, 5] }, { shape: [0, 4, 3, 3] }],
      build: (x, g) => gradients(g, x, [0, 3, 4, 5], [4, 3, 2, 3], {}).weight,
    },
  ],
  refused: [
    refusesIntegers('convolutionWeightGradient', () => {
      const [x, g] = [
        input('x', [1, 1, 2, 2], { dtype: 'int32' }),
        input('g', [1, 1, 1, 1], { dtype: 'int32' }),
      ];
      return gradients(g, x, [1, 1, 2, 2], [1, 1, 2, 2], {}).weight;
    }),
  ],
});

/** Returns both gradients of a convolution of x and weight, for samples. Each reads g and the operand `other`. */
function gradients(
  g: Node | undefined,
  other: Node | undefined,
  x: Shape,
  weight: Shape,
  options: ConvOptions,
): { readonly x: Node; readonly weight: Node } {
  const [image, filters] = [input('x', x), input('weight', weight)];
  const attributes = attributesOf('conv2d', imageAxes, [image, filters], options);
  const operands = [g as Node, other as Node] as const;
  return {
    get x() {
      return inputGradient(operands, { ...attributes, shape: x });
    },
    get weight() {
      return weightGradient([operands[1], operands[0]], { ...attributes, shape: weight });
    },
  };
}

/** Returns the operands as nodes that have as many axes as the convolution needs. */
function operandsOf(name: string, axes: Axes, x: Operand, weight: Operand): [Node, Node] {
  const [image, filters] = lift(name, [x, weight]) as [Node, Node];
  return [
    operandOf(name, 'x', image, ['batch', 'channels', ...axes]),
    operandOf(name, 'weight', filters, ['filters', 'channels / groups', ...axes]),
  ];
}

/**
 * Convolves images with filters. This is a cross-correlation: the filters are not reversed. Element [n, f, i, j] of the
 * result is the sum over the channels c of the filter's group, and over all r and s, of
 * x[n, c, i stride + r dilation - top, j stride + s dilation - left] weight[f, c, r, s]. Elements outside of x are 0.
 * The result has the shape [batch, filters, rows, columns] and the dtype of x. There are
 * floor((height + top + bottom - dilation (kernel height - 1) - 1) / stride) + 1 rows, and as many columns for the width.
 * If a kernel has three columns and many channels, an infinite element of x may also make outputs NaN that are beside one
 * which reads it. To add a bias [filters], write add(conv2d(x, weight), reshape(bias, [filters, 1, 1])).
 * @param x [batch, channels, height, width], float32 or float64
 * @param weight [filters, channels / groups, kernel height, kernel width], of the dtype of x
 * @throws ShapeError if an operand has another number of axes, if the channels or the filters do not fit the groups, if
 *   a filter does not fit into x, or if a stride does not divide a named dimension; DTypeError if the dtypes differ or
 *   are not floating-point; ValueError if an operand is not a Node, Tensor or number, or if an option is unknown or
 *   invalid
 */
export function conv2d(x: Operand, weight: Operand, options?: ConvOptions): Node {
  return calledAs('conv2d', () => {
    const read = convOptions.read(options, '[conv2d]');
    const operands = operandsOf('conv2d', imageAxes, x, weight);
    return convolved(operands, attributesOf('conv2d', imageAxes, operands, read));
  });
}

/**
 * Does what `conv2d` does for sequences. The result has the shape [batch, filters, positions]. `stride` and `dilation`
 * are numbers, and `padding` is a number, [before, after], 'same' or 'valid'.
 * @param x [batch, channels, length], float32 or float64
 * @param weight [filters, channels / groups, kernel length], of the dtype of x
 * @throws ShapeError if an operand has another number of axes, if the channels or the filters do not fit the groups, if
 *   a filter does not fit into x, or if the stride does not divide a named length; DTypeError if the dtypes differ or
 *   are not floating-point; ValueError if an operand is not a Node, Tensor or number, or if an option is unknown or
 *   invalid
 */
export function conv1d(x: Operand, weight: Operand, options?: ConvOptions): Node {
  return calledAs('conv1d', () => {
    const read = convOptions.read(options, '[conv1d]');
    const operands = operandsOf('conv1d', sequenceAxes, x, weight);
    const attributes = attributesOf('conv1d', sequenceAxes, operands, read);
    const [image, filters] = operands.map(asImage) as [Node, Node];
    const images = convolved([image, filters], attributes);
    const [batch, channels, , length] = images.shape as readonly [Dim, Dim, Dim, Dim];
    return reshape(images, [batch, channels, length]);
  });
}

/** Returns sequences [a, b, length] as images [a, b, 1, length]. */
function asImage(sequences: Node): Node {
  const [a, b, length] = sequences.shape as readonly [Dim, Dim, Dim];
  return reshape(sequences, [a, b, 1, length]);
}
