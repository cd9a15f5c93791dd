/** Pooling, and layers that change the borders or the size of images. */

import type { Dim } from '../../graph/dimension.js';
import { multiplyDims, subtractDims } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import type { Pauses } from '../../imports/slices.js';
import {
  add,
  avgPool1d,
  avgPool2d,
  concat,
  max,
  maxPool1d,
  maxPool2d,
  mean,
  mul,
  pad,
  reshape,
  slice,
  stack,
  upsample2d,
} from '../../ops/index.js';
import { type LayerCall, type Rows, row } from '../call.js';
import type { Value } from '../value.js';

type Pair = readonly [number, number];
const two = <T>(list: readonly T[]) => list as unknown as readonly [T, T];

/** The padding with which windows give ceil(length / stride) results. The end gets the odd cell. */
function samePadding(length: number, size: number, stride: number): Pair {
  const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + size - length);
  const before = Math.floor(total / 2);
  return [before, total - before];
}

/** Windows along the last axes of an input whose channels are axis 1. Padding does not count in means. */
function pooled(call: LayerCall, count: 1 | 2, kind: 'max' | 'average'): Value {
  const { config } = call;
  const sizes = config.sides('pool_size', count, new Array<number>(count).fill(2));
  const strides = config.sides('strides', count, sizes);
  const padding = config.text('padding', 'valid');
  if (padding !== 'same' && padding !== 'valid') call.unsupported(`padding '${padding}'`);
  const { x, result } = call.image(count + 2);
  const lengths = call.sizes(x.shape.slice(2), 'a dimension of its input');
  const sides = lengths.map(
    (length, axis): Pair =>
      padding === 'same'
        ? samePadding(length, sizes[axis] as number, strides[axis] as number)
        : [0, 0],
  );
  if (count === 1) {
    const [size, stride, side] = [sizes[0] as number, strides[0] as number, sides[0] as Pair];
    const along = { size, stride, padding: side };
    return result(
      kind === 'max' ? maxPool1d(x, along) : avgPool1d(x, { ...along, countPadding: false }),
    );
  }
  const along = { size: two(sizes), stride: two(strides), padding: two(sides) };
  return result(
    kind === 'max' ? maxPool2d(x, along) : avgPool2d(x, { ...along, countPadding: false }),
  );
}

/** Reduces all axes but the batch and the channels. */
const whole = (
  rank: number,
  reduce: (x: Node, axes: readonly number[], options: { keepDims: boolean }) => Node,
) =>
  row((call) => {
    const keepDims = call.config.flag('keepdims', false);
    const first = call.channelsFirst || call.input.layout === 'first';
    const x = call.input.layout === 'first' ? call.image(rank).x : call.plain(rank);
    const inner = Array.from({ length: rank - 2 }, (_, i) => i + (first ? 2 : 1));
    const reduced = reduce(x, inner, { keepDims });
    return keepDims && first ? call.image(rank).result(reduced) : reduced;
  });

function cropped(call: LayerCall): Value {
  const borders = call.config.borders('cropping', 0);
  const { x, result } = call.image(4);
  return result(
    borders.reduce<Node>((node, [before, after], index) => {
      const axis = index + 2;
      if (before === 0 && after === 0) return node;
      const end = subtractDims(node.shape[axis] as Dim, after);
      return slice(node, { axis, start: before, end });
    }, x),
  );
}

/** Enlarges along one axis as TensorFlow.js does: element k scale + p lies between elements k and k + 1 of x. */
function* interpolated(x: Node, axis: number, scale: number): Pauses<Node> {
  if (scale === 1 || x.shape[axis] === 0) return x;
  const next = concat([slice(x, { axis, start: 1 }), slice(x, { axis, start: -1 })], axis);
  const phases = [x];
  for (let p = 1; p < scale; p++) {
    yield;
    phases.push(add(mul(x, 1 - p / scale), mul(next, p / scale)));
  }
  const shape = x.shape.map((dim, at) => (at === axis ? multiplyDims(dim, scale) : dim));
  return reshape(stack(phases, axis + 1), shape);
}

function* enlarged(call: LayerCall): Pauses<Value> {
  const scale = two(call.config.sides('size', 2, [2, 2]));
  const mode = call.config.text('interpolation', 'nearest');
  const { x, result } = call.image(4);
  if (mode === 'nearest') return result(upsample2d(x, { scale }));
  if (mode !== 'bilinear') return call.unsupported(`interpolation '${mode}'`);
  // There are nodes for each position between two elements.
  if (Math.max(...scale) > 256) return call.unsupported(`size [${scale.join(', ')}]`);
  const higher = yield* interpolated(x, 2, scale[0]);
  return result(yield* interpolated(higher, 3, scale[1]));
}

const pool = (count: 1 | 2, kind: 'max' | 'average') => row((call) => pooled(call, count, kind));

export const images: Rows = {
  MaxPooling1D: pool(1, 'max'),
  MaxPooling2D: pool(2, 'max'),
  AveragePooling1D: pool(1, 'average'),
  AveragePooling2D: pool(2, 'average'),
  GlobalMaxPooling1D: whole(3, max),
  GlobalMaxPooling2D: whole(4, max),
  GlobalAveragePooling1D: whole(3, mean),
  GlobalAveragePooling2D: whole(4, mean),
  ZeroPadding2D: row((call) => {
    const borders = call.config.borders('padding', 1);
    const { x, result } = call.image(4);
    return result(pad(x, [[0, 0], [0, 0], ...borders]));
  }),
  Cropping2D: row(cropped),
  UpSampling2D: row(enlarged, {
    without: '`bilinear` by a factor over 256',
    differs: '`bilinear` is that of TensorFlow.js; Keras takes the centres of pixels',
  }),
};
