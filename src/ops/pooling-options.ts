/** The options of pooling, and the attributes that follow from them. */

import { checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import {
  copied,
  imagePadding,
  type Padding,
  type Sides,
  sequencePadding,
  sideOf,
  sidesOf,
} from './sides.js';

/** The windows along one axis. */
export interface Windows {
  /** The name of the axis, for errors. */
  readonly axis: 'height' | 'width' | 'length';
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
  /** Whether a window may begin in the axis and end after the padding. */
  readonly ceil: boolean;
}

export interface PoolAttributes {
  readonly rows: Windows;
  readonly columns: Windows;
}

const common = {
  /** The size of a window. */
  size: required(
    checkedLater<Sides>('the size of a window, such as { size: 2 }'),
    'kernelSize',
    'kernel_size',
    'poolSize',
  ),
  /** The distance between neighbouring windows; the size by default. */
  stride: optional(checkedLater<Sides>('a stride'), 'strides'),
  /** The number of positions that are added at the sides of x; 0 by default. */
  padding: optional(checkedLater<Padding>('a padding'), 'pad', 'pads'),
  /** The distance between neighbouring elements of a window; 1 by default. */
  dilation: optional(checkedLater<Sides>('a dilation')),
  /** If true, the last window may end after the padding. The default is false. */
  ceil: optional(flag, 'ceilMode', 'ceil_mode'),
};

export const maxPoolOptions = declareOptions('maxPool1d, maxPool2d', common);
export const avgPoolOptions = declareOptions('avgPool1d, avgPool2d', {
  ...common,
  /** If true, padding counts as zeros in the mean. The default is true, as in PyTorch. */
  countPadding: optional(flag, 'countIncludePad', 'count_include_pad'),
});

/** Options of `maxPool1d` and `maxPool2d`. */
export interface MaxPoolOptions extends OptionsOf<typeof maxPoolOptions> {}
/** Options of `avgPool1d` and `avgPool2d`. */
export interface AvgPoolOptions extends OptionsOf<typeof avgPoolOptions> {}

/** Returns the options with copies of the lists in them. */
function copiedOptions(name: string, options: MaxPoolOptions): MaxPoolOptions {
  const own = (option: 'size' | 'stride' | 'padding' | 'dilation') =>
    copied(options[option], `[${name}] ${option}`);
  return {
    ...options,
    size: own('size'),
    stride: own('stride'),
    padding: own('padding'),
    dilation: own('dilation'),
  } as MaxPoolOptions;
}

/** Returns the attributes for images, from the options of a function for images or sequences. */
export function attributesOf(name: string, options: MaxPoolOptions): PoolAttributes {
  const own = copiedOptions(name, options);
  const ofImages = name.endsWith('1d') ? alongWidth(name, own) : own;
  const { size, stride = size, padding = 0, dilation = 1, ceil = false } = ofImages;
  const side = (option: string, value: unknown) => sidesOf(value, 1, `[${name}] ${option}`);
  const sizes = side('size', size);
  const strides = side('stride', stride);
  const dilations = side('dilation', dilation);
  const pads = imagePadding(name, padding);
  const axes = ['height', name.endsWith('1d') ? 'length' : 'width'] as const;
  const axis = (i: 0 | 1): Windows => {
    const [before, after] = pads[i] as [number, number];
    return {
      axis: axes[i],
      size: sizes[i],
      stride: strides[i],
      dilation: dilations[i],
      before,
      after,
      ceil,
    };
  };
  return { rows: axis(0), columns: axis(1) };
}

/** Returns the options of a 1-D function as those of the 2-D function for images of height 1. */
function alongWidth(name: string, own: MaxPoolOptions): MaxPoolOptions {
  const { size, stride = size, padding = 0, dilation = 1 } = own;
  const one = (option: string, value: unknown) => sideOf(value, 1, `[${name}] ${option}`);
  return {
    ...own,
    size: [1, one('size', size)],
    stride: [1, one('stride', stride)],
    padding: [[0, 0], sequencePadding(name, padding)],
    dilation: [1, one('dilation', dilation)],
  };
}
