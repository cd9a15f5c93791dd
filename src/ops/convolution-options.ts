/** The options of convolutions, and the attributes that follow from them and from the shapes of the operands. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { isList } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { type Dim, divideDims, multiplyDims } from '../graph/dimension.js';
import { failFor, type Node } from '../graph/node.js';
import { formatShape } from '../tensor/shape.js';
import {
  copied,
  imagePadding,
  type Padding,
  type Sides,
  sequencePadding,
  sideOf,
  sidesOf,
} from './sides.js';
import { positions, samePadding, type Taps } from './taps.js';

/** What a convolution does along each axis. */
export interface Attributes {
  readonly rows: Taps;
  readonly columns: Taps;
  readonly groups: number;
}

/** Padding of a convolution: of the forms of `Padding`, or 'valid' (0), or 'same'. */
export type ConvPadding = Padding | 'same' | 'valid';

export const convOptions = declareOptions('conv1d, conv2d', {
  /** The distance between neighbouring positions of a filter; 1 by default. */
  stride: optional(checkedLater<Sides>('a stride'), 'strides'),
  /**
   * The number of zeros that are added at the sides of x; 0 by default. 'valid' is 0. 'same' adds as many as give the
   * result ceil(n / stride) elements along an axis of n elements. If their number is odd, the end gets one more.
   */
  padding: optional(checkedLater<ConvPadding>('a padding'), 'pad', 'pads', 'autoPad'),
  /** The distance between neighbouring elements of x that a filter reads; 1 by default. */
  dilation: optional(checkedLater<Sides>('a dilation'), 'dilationRate', 'dilations'),
  /**
   * The number of groups, 1 by default. The channels of x and the filters are divided into this many groups of equal
   * size, and each group of filters reads only its group of channels.
   */
  groups: optional(wholeNumber(1), 'group', 'featureGroupCount'),
});

/** Options of `conv1d` and `conv2d`. */
export interface ConvOptions extends OptionsOf<typeof convOptions> {}

export const imageAxes = ['height', 'width'] as const;
export const sequenceAxes = ['length'] as const;
export type Axes = typeof imageAxes | typeof sequenceAxes;

/** The taps of a filter along an axis of length 1. */
export const one: Taps = { axis: 'height', stride: 1, dilation: 1, before: 0, after: 0 };

/** Returns the padding along each axis, or 'same'. @throws ValueError if it is of another form */
export function paddingOf(name: string, axes: Axes, given: unknown): [number, number][] | 'same' {
  const padding = copied(given, `[${name}] padding`);
  if (padding === 'same') return 'same';
  if (padding === 'valid') return axes.map(() => [0, 0]);
  if (typeof padding !== 'number' && !isList(padding)) {
    const lists =
      axes.length === 1 ? '[before, after]' : '[height, width] or [[top, bottom], [left, right]]';
    throw new ValueError(
      `[${name}] padding: expected 'same', 'valid', a whole number${axes.length === 1 ? ' or' : ','} ${lists}, but received ${describeValue(padding)}`,
    );
  }
  return axes.length === 1 ? [sequencePadding(name, padding)] : imagePadding(name, padding);
}

/** Checks the operands and options of a convolution along `axes`, and returns the attributes. */
export function attributesOf(
  name: string,
  axes: Axes,
  [x, weight]: readonly [Node, Node],
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions,
): Attributes {
  const fail = failFor({ name }, [x, weight]);
  const sides = (option: string, value: unknown): number[] => {
    const where = `[${name}] ${option}`;
    const own = copied(value, where);
    return axes.length === 1 ? [sideOf(own, 1, where)] : sidesOf(own, 1, where);
  };
  const strides = sides('stride', stride);
  const dilations = sides('dilation', dilation);
  const pads = paddingOf(name, axes, padding);
  const [, channels, ...lengths] = x.shape as readonly [Dim, Dim, ...Dim[]];
  const [filters, inGroup, ...sizes] = weight.shape as readonly [Dim, Dim, ...Dim[]];
  const read = multiplyDims(inGroup, groups);
  if (read !== channels) {
    const times = groups === 1 ? '' : ` (${groups} groups of ${inGroup})`;
    fail.shape(
      `x has ${channels} channels, but weight, of shape ${formatShape(weight.shape)}, is for ${read} channels${times}`,
    );
  }
  if (divideDims(filters, groups) === undefined) {
    fail.shape(
      `the ${filters} filters of weight cannot be divided into ${groups} groups of equal size`,
    );
  }
  const taps = axes.map((axis, i): Taps => {
    const [length, size] = [lengths[i] as Dim, sizes[i] as Dim];
    const unpadded = {
      axis,
      stride: strides[i] as number,
      dilation: dilations[i] as number,
      before: 0,
      after: 0,
    };
    const [before, after] =
      pads === 'same' ? samePadding(length, size, unpadded, fail) : (pads[i] as [number, number]);
    const padded = { ...unpadded, before, after };
    positions(length, size, padded, fail);
    return padded;
  });
  return {
    rows: taps.length === 1 ? one : (taps[0] as Taps),
    columns: taps.at(-1) as Taps,
    groups,
  };
}
