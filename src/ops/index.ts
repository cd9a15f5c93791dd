/**
 * The public ops. `export *` makes everything public that a file exports. Some files also export internal helpers; for
 * these files, the public names are listed.
 */

export * from './activation.js';
export * from './arithmetic.js';
export { type AttentionOptions, attention } from './attention.js';
export { type Axes, broadcastTo, type ReduceOptions, sum } from './broadcast.js';
export * from './comparison.js';
export {
  type ConvTransposeOptions,
  convTranspose1d,
  convTranspose2d,
} from './conv-transpose.js';
export { conv1d, conv2d } from './convolution.js';
export type { ConvOptions, ConvPadding } from './convolution-options.js';
export { defineOp } from './declare.js';
export { type DropoutOptions, dropout } from './dropout.js';
export { einsum } from './einsum.js';
export * from './elementary.js';
export * from './extrema.js';
export * from './gates.js';
export { fromHWC, type UpsampleOptions, upsample2d } from './images.js';
export { gather, scatterAdd, takeAlongAxis } from './indexing.js';
export * from './logic.js';
export * from './matmul.js';
export * from './mean.js';
export * from './norms.js';

import './normalization.js'; // an op that only layers apply

export * from './order.js';
export { type PadOptions, pad } from './pad.js';
export * from './pooling.js';
export type { AvgPoolOptions, MaxPoolOptions } from './pooling-options.js';
export * from './random.js';
export * from './rearrange.js';
export * from './rectifiers.js';
export * from './reductions.js';
export * from './rounding.js';
export type { Binary, Unary } from './samples.js';
export type { Padding, Sides } from './sides.js';
export { flip, type SliceOptions, slice } from './slice.js';
export * from './softmax.js';
export * from './special.js';
export { tril, triu } from './triangle.js';
export * from './trigonometry.js';
export { reshape, stopGradient, transpose } from './views.js';
export * from './windows.js';
