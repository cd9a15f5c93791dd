/**
 * Transposed convolutions: `convTranspose1d` and `convTranspose2d`. A transposed convolution is the gradient of a
 * convolution for its x: the convolution with the same weight, stride, padding, dilation and groups, which reads the
 * result and returns an image of the shape of x.
 */

import { checkedLater, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { calledAs } from '../graph/calls.js';
import {
  addDims,
  type Dim,
  divideDims,
  multiplyDims,
  type Shape,
  subtractDims,
} from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Fail, Operand } from '../graph/op.js';
import { formatShape } from '../tensor/shape.js';
import { inputGradient } from './convolution.js';
import {
  type Axes,
  type ConvPadding,
  imageAxes,
  one,
  paddingOf,
  sequenceAxes,
} from './convolution-options.js';
import { pad } from './pad.js';
import { floatingDType } from './rules.js';
import { copied, operandOf, type Sides, sideOf, sidesOf } from './sides.js';
import { span, type Taps } from './taps.js';
import { reshape } from './views.js';

const transposeOptions = declareOptions('convTranspose1d, convTranspose2d', {
  /** The distance in the result between the filters of neighbouring elements of x; 1 by default. */
  stride: optional(checkedLater<Sides>('a stride'), 'strides'),
  /**
   * The number of elements that are removed at the sides of the result; 0 by default. 'valid' is 0. 'same' removes as
   * many as give the result n stride elements along an axis of n elements. If their number is odd, the end loses one
   * more.
   */
  padding: optional(checkedLater<ConvPadding>('a padding'), 'pad', 'pads', 'autoPad'),
  /** The distance between neighbouring elements of the result to which a filter is added; 1 by default. */
  dilation: optional(checkedLater<Sides>('a dilation'), 'dilationRate', 'dilations'),
  /**
   * The number of groups, 1 by default. The channels of x and the filters are divided into this many groups of equal
   * size, and each group of channels is added only to its group of filters.
   */
  groups: optional(wholeNumber(1), 'group', 'featureGroupCount'),
  /**
   * The number of elements that are added at the end of each axis of the result, 0 by default. Convolutions with a
   * stride give the same size for several sizes of x; this number chooses among them. It must be less than the stride or
   * the dilation.
   */
  outputPadding: optional(checkedLater<Sides>('an output padding')),
});

/** Options of `convTranspose1d` and `convTranspose2d`. */
export interface ConvTransposeOptions extends OptionsOf<typeof transposeOptions> {}

/** What a transposed convolution does along one axis. */
interface Axis {
  readonly taps: Taps;
  /** The length of the result. */
  readonly length: Dim;
  /** The number of zeros that are added at the end of x, so that the output padding is less than the stride. */
  readonly zeros: number;
}

interface Numbers {
  readonly stride: number;
  readonly dilation: number;
  readonly outputPadding: number;
}

/** Returns what happens along an axis of `length` elements, whose filters have `size` elements. */
function axisOf(
  axis: Taps['axis'],
  [length, size]: readonly [Dim, Dim],
  { stride, dilation, outputPadding }: Numbers,
  padding: readonly [number, number] | 'same',
  fail: Fail,
): Axis {
  if (length === 0) return fail.shape(`expected x of a positive ${axis}, but received 0`);
  if (size === 0) return fail.shape(`expected filters of a positive ${axis}, but received 0`);
  if (outputPadding >= Math.max(stride, dilation)) {
    return fail.value(
      `outputPadding: expected a number that is less than the stride or the dilation, but along the ${axis} it is ${outputPadding}, with the stride ${stride} and the dilation ${dilation}`,
    );
  }
  const reach = span(size, dilation);
  let [before, after] = padding === 'same' ? [0, 0] : padding;
  let extra = outputPadding;
  if (padding === 'same') {
    const total = subtractDims(addDims(reach, outputPadding), stride);
    if (typeof total !== 'number') {
      return fail.shape(
        `padding 'same' must be a number, but the filters have the ${axis} ${size}; give the padding as numbers`,
      );
    }
    before = Math.floor(Math.max(0, total) / 2);
    after = Math.max(0, total) - before;
    // Filters that are shorter than the stride leave elements of the result 0.
    if (total < 0) extra -= total;
  }
  const steps = multiplyDims(subtractDims(length, 1), stride);
  const result = addDims(addDims(steps, reach), extra - before - after);
  if (typeof result === 'number' && result < 1) {
    return fail.shape(
      `the result would have the ${axis} ${result}: (${length} - 1) times the stride ${stride}, plus ${reach} of the filter, minus ${before + after} of padding, plus ${extra} of outputPadding`,
    );
  }
  return {
    taps: { axis, stride, dilation, before, after },
    length: result,
    zeros: Math.floor(extra / stride),
  };
}

/** Applies a transposed convolution to operands with one axis (`sequenceAxes`) or two. */
function transposed(
  name: string,
  axes: Axes,
  x: Operand,
  weight: Operand,
  options: ConvTransposeOptions | undefined,
): Node {
  const {
    stride = 1,
    padding = 0,
    dilation = 1,
    groups = 1,
    outputPadding = 0,
  } = transposeOptions.read(options, `[${name}]`);
  const lifted = lift(name, [x, weight]) as [Node, Node];
  const image = operandOf(name, 'x', lifted[0], ['batch', 'channels', ...axes]);
  const filters = operandOf(name, 'weight', lifted[1], ['channels', 'filters / groups', ...axes]);
  const fail = failFor({ name }, [image, filters]);
  floatingDType([image, filters], {}, fail);
  const sides = (option: string, value: unknown, least: 0 | 1): number[] => {
    const where = `[${name}] ${option}`;
    const own = copied(value, where);
    return axes.length === 1 ? [sideOf(own, least, where)] : sidesOf(own, least, where);
  };
  const strides = sides('stride', stride, 1);
  const dilations = sides('dilation', dilation, 1);
  const outputs = sides('outputPadding', outputPadding, 0);
  const pads = paddingOf(name, axes, padding);
  const [batch, channels, ...lengths] = image.shape as readonly [Dim, Dim, ...Dim[]];
  const [read, inGroup, ...sizes] = filters.shape as readonly [Dim, Dim, ...Dim[]];
  if (read !== channels) {
    fail.shape(
      `x has ${channels} channels, but weight, of shape ${formatShape(filters.shape)}, is for ${read} channels`,
    );
  }
  if (divideDims(channels, groups) === undefined) {
    fail.shape(
      `the ${channels} channels of x cannot be divided into ${groups} groups of equal size`,
    );
  }
  const along = axes.map((axis, i) =>
    axisOf(
      axis,
      [lengths[i] as Dim, sizes[i] as Dim],
      {
        stride: strides[i] as number,
        dilation: dilations[i] as number,
        outputPadding: outputs[i] as number,
      },
      pads === 'same' ? pads : (pads[i] as [number, number]),
      fail,
    ),
  );
  const ends = along.map(({ zeros }): [number, number] => [0, zeros]);
  const longer = ends.some(([, zeros]) => zeros > 0)
    ? pad(image, [[0, 0], [0, 0], ...ends])
    : image;
  const shape: Shape = [batch, multiplyDims(inGroup, groups), ...along.map(({ length }) => length)];
  const [first, second] = [along[0] as Axis, along.at(-1) as Axis];
  const result = inputGradient([asImages(longer), asImages(filters)], {
    rows: axes.length === 1 ? one : first.taps,
    columns: second.taps,
    groups,
    shape: imageShape(shape),
  });
  return reshape(result, shape);
}

/** Returns the shape of images of which sequences are the only rows. */
function imageShape(shape: Shape): Shape {
  return shape.length === 4 ? shape : [...shape.slice(0, 2), 1, ...shape.slice(2)];
}

function asImages(x: Node): Node {
  return reshape(x, imageShape(x.shape));
}

/**
 * Returns the transposed convolution of images: each element of x adds its filters, times the element, to the result.
 * It is the gradient of `conv2d` with the same weight and options for its x. Element [n, c, i, j] of x times
 * weight[c, f, r, s] is added to element [n, f, i stride + r dilation - top, j stride + s dilation - left] of the result,
 * which has the shape [batch, filters, rows, columns] and the dtype of x. There are
 * (height - 1) stride - top - bottom + dilation (kernel height - 1) + 1 + outputPadding rows, and as many columns for the
 * width.
 * @param x [batch, channels, height, width], float32 or float64
 * @param weight [channels, filters / groups, kernel height, kernel width], of the dtype of x
 * @throws ShapeError if an operand has another number of axes, if x has no rows or columns, if the channels do not fit
 *   the weight or the groups, or if the result would have no rows or columns; DTypeError if the dtypes differ or are not
 *   floating-point; ValueError if an operand is not a Node, Tensor or number, if the output padding is not less than the
 *   stride or the dilation, or if an option is unknown or invalid
 */
export function convTranspose2d(x: Operand, weight: Operand, options?: ConvTransposeOptions): Node {
  return calledAs('convTranspose2d', () => {
    return transposed('convTranspose2d', imageAxes, x, weight, options);
  });
}

/**
 * Does what `convTranspose2d` does for sequences. The result has the shape [batch, filters, length]. `stride`,
 * `dilation` and `outputPadding` are numbers, and `padding` is a number, [before, after], 'same' or 'valid'.
 * @param x [batch, channels, length], float32 or float64
 * @param weight [channels, filters / groups, kernel length], of the dtype of x
 * @throws ShapeError if an operand has another number of axes, if x has no elements along its length, if the channels do
 *   not fit the weight or the groups, or if the result would have no elements along its length; DTypeError if the dtypes
 *   differ or are not floating-point; ValueError if an operand is not a Node, Tensor or number, if the output padding is
 *   not less than the stride or the dilation, or if an option is unknown or invalid
 */
export function convTranspose1d(x: Operand, weight: Operand, options?: ConvTransposeOptions): Node {
  return calledAs('convTranspose1d', () => {
    return transposed('convTranspose1d', sequenceAxes, x, weight, options);
  });
}
