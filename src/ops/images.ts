/** Ops on images: `upsample2d` and `fromHWC`. */

import { checkedLater, oneOf } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { type Dim, multiplyDims } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { formatShape } from '../tensor/shape.js';
import { add, mul } from './arithmetic.js';
import { broadcastTo } from './broadcast.js';
import { floatingDType } from './rules.js';
import { copied, operandOf, type Sides, sidesOf } from './sides.js';
import { slice } from './slice.js';
import { reshape, transpose } from './views.js';
import { concat, stack } from './windows.js';

const upsampleOptions = declareOptions('upsample2d', {
  /** How many times as high and as wide the result is: a positive integer, or [height, width]. */
  scale: required(checkedLater<Sides>('a scale'), 'scaleFactor', 'size', 'scales'),
  /** 'nearest' (the default) repeats elements; 'bilinear' interpolates between the centres of elements. */
  mode: optional(oneOf('nearest', 'bilinear'), 'interpolation'),
});

/** Options of `upsample2d`. */
export interface UpsampleOptions extends OptionsOf<typeof upsampleOptions> {}

/** Returns x with each element along the axis `scale` times in a row. */
function repeated(x: Node, axis: number, scale: number): Node {
  const { shape } = x;
  const beside = (count: number) => [...shape.slice(0, axis + 1), count, ...shape.slice(axis + 1)];
  return reshape(broadcastTo(reshape(x, beside(1)), beside(scale)), enlarged(shape, axis, scale));
}

function enlarged(shape: readonly Dim[], axis: number, scale: number): Dim[] {
  return shape.map((dim, at) => (at === axis ? multiplyDims(dim, scale) : dim));
}

/**
 * Interpolates linearly along an axis. Element k scale + p of the result has its centre at the distance
 * (p + 1 / 2) / scale - 1 / 2 from the centre of element k, so that it lies between this element and a neighbour. Beyond
 * the first and the last centre, the result has the first and the last element.
 */
function interpolated(x: Node, axis: number, scale: number): Node {
  if (x.shape[axis] === 0 || scale === 1) return repeated(x, axis, scale);
  const [first, last] = [slice(x, { axis, end: 1 }), slice(x, { axis, start: -1 })];
  const before = concat([first, slice(x, { axis, end: -1 })], axis);
  const after = concat([slice(x, { axis, start: 1 }), last], axis);
  const phases = Array.from({ length: scale }, (_, p) => {
    const distance = (p + 0.5) / scale - 0.5;
    if (distance === 0) return x;
    const share = Math.abs(distance);
    return add(mul(x, 1 - share), mul(distance < 0 ? before : after, share));
  });
  return reshape(stack(phases, axis + 1), enlarged(x.shape, axis, scale));
}

/**
 * Enlarges images by whole factors. 'nearest' repeats each element. 'bilinear' interpolates between the centres of the
 * elements (half pixels), as PyTorch's `interpolate` with `align_corners=False`. The result has the shape
 * [batch, channels, height scale, width scale] and the dtype of x: any dtype with 'nearest', float32 or float64 with
 * 'bilinear'.
 * @param x [batch, channels, height, width]
 * @throws ShapeError if x has another number of axes; DTypeError if x is not floating-point with 'bilinear'; ValueError
 *   if x is not a Node, Tensor or number, if `scale` is missing or not a positive integer or [height, width], or if an
 *   option is unknown or invalid
 */
export function upsample2d(x: Operand, options: UpsampleOptions): Node {
  const { scale, mode = 'nearest' } = upsampleOptions.read(options, '[upsample2d]');
  const node = operandOf('upsample2d', 'x', x, ['batch', 'channels', 'height', 'width']);
  const where = '[upsample2d] scale';
  const [down, across] = sidesOf(copied(scale, where), 1, where);
  if (mode === 'nearest') return repeated(repeated(node, 2, down), 3, across);
  floatingDType([node], {}, failFor({ name: 'upsample2d' }, [node]));
  return interpolated(interpolated(node, 2, down), 3, across);
}

/**
 * Moves the channels of images to the front: [height, width, channels], the form that decoders of image files give,
 * becomes [channels, height, width], and [batch, height, width, channels] becomes [batch, channels, height, width], the
 * form that `conv2d` and the other ops of images read. The result has the dtype of the image, which may be any dtype;
 * images of uint8 need a `cast` before arithmetic.
 * @param image a Node or Tensor of rank 3 or 4
 * @throws ShapeError if the image has another number of axes; ValueError if it is not a Node, Tensor or number
 */
export function fromHWC(image: Operand): Node {
  const [node] = lift('fromHWC', [image]) as [Node];
  const rank = node.shape.length;
  if (rank === 3) return transpose(node, [2, 0, 1]);
  if (rank === 4) return transpose(node, [0, 3, 1, 2]);
  return failFor({ name: 'fromHWC' }, [node]).shape(
    `expected an image of shape [height, width, channels] or [batch, height, width, channels], but received ${formatShape(node.shape)}`,
  );
}
