/** Convolutions and pooling. */

import type { Dim } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import {
  abs,
  add,
  avgPool1d,
  avgPool2d,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  greater,
  max,
  maxPool1d,
  maxPool2d,
  mean,
  mul,
  norm,
  pad,
  pow,
  reshape,
  slice,
  transpose,
  where,
} from '../../ops/index.js';
import type { Call } from '../call.js';
import { resize, upsample } from './resize.js';
import { numbersIn, numeric, type Rows, row } from './row.js';

/** Windows along the axes of images: one number, or one pair of numbers, for each. */
interface Windows {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: readonly (readonly [before: number, after: number])[];
}

/** Reads the attributes that convolutions and pooling share. */
function windowsOf(call: Call, x: Node, sizes: readonly number[]): Windows {
  const count = sizes.length;
  const ones = new Array<number>(count).fill(1);
  const strides = call.ints('strides', ones);
  const dilations = call.ints('dilations', ones);
  const automatic = call.text('auto_pad', 'NOTSET');
  const pads = call.ints('pads', new Array<number>(2 * count).fill(0));
  const padding = sizes.map((size, axis): [number, number] => {
    if (automatic === 'NOTSET') return [pads[axis] ?? 0, pads[axis + count] ?? 0];
    if (automatic === 'VALID') return [0, 0];
    const [stride, dilation] = [strides[axis] as number, dilations[axis] as number];
    const span = dilation * (size - 1) + 1;
    return sides(call, automatic, wholeRest(call, x.shape[axis + 2] as Dim, stride, span));
  });
  return { sizes, strides, dilations, padding };
}

/** The padding with which windows of `span` positions give ceil(length / stride) results. */
function wholeRest(call: Call, length: Dim, stride: number, span: number): number {
  if (typeof length !== 'number') {
    if (stride === 1) return span - 1;
    return call.unsupported(`auto_pad along an axis of the length '${length}'`);
  }
  return Math.max(0, (Math.ceil(length / stride) - 1) * stride + span - length);
}

/** Divides padding among the two sides. */
function sides(call: Call, automatic: string, total: number): [number, number] {
  const less = Math.floor(total / 2);
  if (automatic === 'SAME_UPPER') return [less, total - less];
  if (automatic === 'SAME_LOWER') return [total - less, less];
  return call.unsupported(`auto_pad '${automatic}'`);
}

type Pair = readonly [number, number];
const two = (list: readonly number[]) => list as unknown as Pair;
const pairs = (list: Windows['padding']) => list as unknown as readonly [Pair, Pair];

/** Checks an attribute that repeats the size of the weight. */
function assertSize(call: Call, sizes: readonly number[]): void {
  const given = call.ints('kernel_shape', sizes);
  if (given.length === sizes.length && given.every((size, axis) => size === sizes[axis])) return;
  call.unsupported(`kernel_shape ${given.join(' x ')}, but the weight is ${sizes.join(' x ')}`);
}

/** Adds a bias to the channels. */
function biased(result: Node, bias: Node | undefined): Node {
  if (bias === undefined) return result;
  const ones = result.shape.slice(2).map(() => 1);
  return add(result, reshape(bias, [bias.shape[0] as Dim, ...ones]));
}

function convolution(call: Call): Node {
  const [x, weight] = [call.node(0), call.weight(1)];
  const bias = call.has(2) ? call.vector(2) : undefined;
  const sizes = numbersIn(call, weight.shape.slice(2), 'the weight');
  assertSize(call, sizes);
  const windows = windowsOf(call, x, sizes);
  const groups = call.int('group', 1);
  return biased(convolved(call, x, weight, windows, groups), bias);
}

function convolved(
  call: Call,
  x: Node,
  weight: Node,
  { sizes, strides, dilations, padding }: Windows,
  groups: number,
): Node {
  const [stride, dilation] = [strides[0] as number, dilations[0] as number];
  if (sizes.length === 1) {
    return conv1d(x, weight, { stride, dilation, padding: padding[0] as Pair, groups });
  }
  if (sizes.length === 2) {
    return conv2d(x, weight, {
      stride: two(strides),
      dilation: two(dilations),
      padding: pairs(padding),
      groups,
    });
  }
  if (sizes.length !== 3) return call.unsupported(`a convolution along ${sizes.length} axes`);
  // A sum of convolutions of images, one for each position of the first axis of the filters.
  const flat = {
    sizes: sizes.slice(1),
    strides: strides.slice(1),
    dilations: dilations.slice(1),
    padding: padding.slice(1),
  };
  const [batch, channels, length, height, width] = x.shape as [Dim, Dim, Dim, Dim, Dim];
  const [size, [before, after]] = [sizes[0] as number, padding[0] as Pair];
  const [depth] = numbersIn(call, [length], 'its input') as [number];
  const count = Math.floor((depth + before + after - dilation * (size - 1) - 1) / stride) + 1;
  const none: Pair = [0, 0];
  const longer = pad(x, [none, none, [before, after], none, none]);
  const parts = Array.from({ length: call.bounded(size, 'filters') }, (_, at) => {
    const start = at * dilation;
    const end = start + (count - 1) * stride + 1;
    const rows = transpose(slice(longer, { axis: 2, start, end, step: stride }), [0, 2, 1, 3, 4]);
    const images = reshape(rows, [-1, channels, height, width]);
    const filters = slice(weight, { axis: 2, start: at, end: at + 1 });
    const [outer, inner, , ...rest] = filters.shape as [Dim, Dim, Dim, ...Dim[]];
    return convolved(call, images, reshape(filters, [outer, inner, ...rest]), flat, groups);
  });
  const added = parts.reduce((a, b) => add(a, b));
  const [, ...shape] = added.shape as [Dim, ...Dim[]];
  return transpose(reshape(added, [batch, count, ...shape]), [0, 2, 1, 3, 4]);
}

function transposedConvolution(call: Call): Node {
  const [x, weight] = [call.node(0), call.weight(1)];
  const bias = call.has(2) ? call.vector(2) : undefined;
  const sizes = numbersIn(call, weight.shape.slice(2), 'the weight');
  assertSize(call, sizes);
  const count = sizes.length;
  const ones = new Array<number>(count).fill(1);
  const zeros = new Array<number>(2 * count).fill(0);
  const strides = call.ints('strides', ones);
  const dilations = call.ints('dilations', ones);
  const groups = call.int('group', 1);
  const automatic = call.text('auto_pad', 'NOTSET');
  const pads = call.ints('pads', zeros);
  const extra = [...call.ints('output_padding', zeros.slice(count))];
  const wanted = call.ints('output_shape', undefined);
  const padding = sizes.map((size, axis): [number, number] => {
    const stride = strides[axis] as number;
    const span = (dilations[axis] as number) * (size - 1) + 1;
    if (wanted === undefined && automatic === 'NOTSET') {
      return [pads[axis] ?? 0, pads[axis + count] ?? 0];
    }
    if (wanted === undefined && automatic === 'VALID') return [0, 0];
    const [length] = numbersIn(call, [x.shape[axis + 2] as Dim], 'its input') as [number];
    const target = wanted?.at(axis - count) ?? length * stride;
    const total = stride * (length - 1) + (extra[axis] as number) + span - target;
    if (total < 0) {
      // There are more results than the windows reach: the last ones are 0.
      extra[axis] = (extra[axis] as number) - total;
      return [0, 0];
    }
    const less = Math.floor(total / 2);
    return automatic === 'SAME_UPPER' ? [less, total - less] : [total - less, less];
  });
  const options = { dilation: dilations[0] as number, groups };
  if (count === 1) {
    const result = convTranspose1d(x, weight, {
      ...options,
      stride: strides[0] as number,
      padding: padding[0] as Pair,
      outputPadding: extra[0] as number,
    });
    return biased(result, bias);
  }
  if (count !== 2) return call.unsupported(`a convolution along ${count} axes`);
  const result = convTranspose2d(x, weight, {
    stride: two(strides),
    dilation: two(dilations),
    padding: pairs(padding),
    outputPadding: two(extra),
    groups,
  });
  return biased(result, bias);
}

/** Pools along one or two axes. */
type Pool = (x: Node, windows: Windows & { readonly ceil: boolean }) => Node;

const largest: Pool = (x, { sizes, strides, dilations, padding, ceil }) =>
  sizes.length === 1
    ? maxPool1d(x, {
        size: sizes[0] as number,
        stride: strides[0] as number,
        dilation: dilations[0] as number,
        padding: padding[0] as Pair,
        ceil,
      })
    : maxPool2d(x, {
        size: two(sizes),
        stride: two(strides),
        dilation: two(dilations),
        padding: pairs(padding),
        ceil,
      });

const average =
  (countPadding: boolean): Pool =>
  (x, { sizes, strides, dilations, padding, ceil }) =>
    sizes.length === 1
      ? avgPool1d(x, {
          size: sizes[0] as number,
          stride: strides[0] as number,
          dilation: dilations[0] as number,
          padding: padding[0] as Pair,
          ceil,
          countPadding,
        })
      : avgPool2d(x, {
          size: two(sizes),
          stride: two(strides),
          dilation: two(dilations),
          padding: pairs(padding),
          ceil,
          countPadding,
        });

/** Pools with the attributes of a node. */
function pooled(call: Call, x: Node, pool: Pool): Node {
  const sizes = call.ints('kernel_shape', undefined) ?? call.unsupported('no kernel_shape');
  return pooledBy(call, x, pool, {
    ...windowsOf(call, x, sizes),
    ceil: call.flag('ceil_mode'),
  });
}

/** Windows along three axes are pooled along two, and then along one. */
function pooledBy(
  call: Call,
  x: Node,
  pool: Pool,
  windows: Windows & { readonly ceil: boolean },
): Node {
  const { sizes } = windows;
  if (sizes.length <= 2) return pool(x, windows);
  if (sizes.length !== 3) return call.unsupported(`windows along ${sizes.length} axes`);
  const along = (from: number, to: number) => ({
    sizes: sizes.slice(from, to),
    strides: windows.strides.slice(from, to),
    dilations: windows.dilations.slice(from, to),
    padding: windows.padding.slice(from, to),
    ceil: windows.ceil,
  });
  const [batch, channels, depth, height, width] = x.shape as [Dim, Dim, Dim, Dim, Dim];
  const planes = pool(reshape(x, [batch, -1, height, width]), along(1, 3));
  const [, , rows, columns] = planes.shape as [Dim, Dim, Dim, Dim];
  const moved = transpose(
    reshape(planes, [batch, channels, depth, rows, columns]),
    [0, 1, 3, 4, 2],
  );
  const lines = pool(reshape(moved, [batch, -1, depth]), along(0, 1));
  const count = lines.shape[2] as Dim;
  return transpose(reshape(lines, [batch, channels, rows, columns, count]), [0, 1, 4, 2, 3]);
}

function averagePool(call: Call): Node {
  const counted = call.flag('count_include_pad');
  return pooled(call, call.node(0), average(counted));
}

/**
 * The p-th root of the sum of the p-th powers in each window. The sum is the mean times the number of elements, so windows
 * that end after the padding are completed with zeros.
 */
function powerPool(call: Call): Node {
  const x = call.node(0);
  const p = call.int('p', 2);
  const sizes = call.ints('kernel_shape', []);
  const count = sizes.reduce((a, b) => a * b, 1);
  const windows = windowsOf(call, x, sizes);
  const padding = call.flag('ceil_mode') ? completed(call, x, windows) : windows.padding;
  const means = pooledBy(call, pow(abs(x), p), average(true), { ...windows, padding, ceil: false });
  return rootOf(mul(means, count), p);
}

/** The padding with which the last windows are whole, although they end after the padding of the node. */
function completed(call: Call, x: Node, { sizes, strides, dilations, padding }: Windows) {
  const lengths = numbersIn(call, x.shape.slice(2), 'its input');
  return sizes.map((size, axis): readonly [number, number] => {
    const [before, after] = padding[axis] as readonly [number, number];
    const [length, stride] = [lengths[axis] as number, strides[axis] as number];
    const span = (dilations[axis] as number) * (size - 1) + 1;
    const windows = Math.ceil((length + before + after - span) / stride) + 1;
    // A window that begins in the padding at the end does not count.
    const count = (windows - 1) * stride >= length + before ? windows - 1 : windows;
    return [before, Math.max(after, (count - 1) * stride + span - length - before)];
  });
}

/** The p-th root of sums that are not negative. Its gradient at 0 is 0. */
function rootOf(sums: Node, p: number): Node {
  const some = greater(sums, 0);
  return where(some, pow(where(some, sums, 1), 1 / p), 0);
}

/** Reduces all axes after the channels. */
const whole = (reduce: (x: Node, axes: readonly number[], options: { keepDims: true }) => Node) =>
  row((call) => {
    const x = call.node(0);
    const axes = x.shape.flatMap((_, axis) => (axis < 2 ? [] : [axis]));
    return reduce(x, axes, { keepDims: true });
  });

export const windows: Rows = {
  Conv: row(convolution, 'more than three axes'),
  ConvTranspose: row(transposedConvolution, 'three axes'),
  MaxPool: row((call) => {
    // It is the order of the indices, which are refused.
    call.int('storage_order', 0);
    const { type } = call.value(0);
    return call.as(
      type,
      numeric(type, [call.node(0)], (x) => pooled(call, x, largest)),
    );
  }, 'the output Indices'),
  AveragePool: row(averagePool),
  LpPool: row(powerPool),
  GlobalAveragePool: whole(mean),
  GlobalMaxPool: whole(max),
  GlobalLpPool: row((call) => {
    const p = call.int('p', 2);
    const x = call.node(0);
    const axes = x.shape.flatMap((_, axis) => (axis < 2 ? [] : [axis]));
    return norm(x, { p, axes, keepDims: true });
  }),
  Resize: row(resize),
  Upsample: row(upsample),
};
