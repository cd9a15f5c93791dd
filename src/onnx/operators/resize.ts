/**
 * The operators that change the size of images. Each axis is resized by itself: each element of the result is a sum of
 * elements of the input, times weights that are computed here.
 */

import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import { add, cast, gather, mul, slice, upsample2d, where } from '../../ops/index.js';
import { isFloating } from '../../tensor/dtype.js';
import { tensor } from '../../tensor/tensor.js';
import type { Call } from '../call.js';
import { axesOf, integers, numbersIn } from './row.js';

type Mode = 'nearest' | 'linear' | 'cubic';

/** How an operator resizes. */
interface Interpolation {
  readonly mode: Mode;
  /** Which position of the input a position of the result stands for. */
  readonly coordinates: string;
  readonly nearest: string;
  readonly cubic: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
  /** The value of elements outside of the input, with the coordinates tf_crop_and_resize. */
  readonly extrapolation: number;
}

/** One axis that is resized. */
interface Along {
  readonly axis: number;
  readonly length: number;
  /** The length of the result. */
  readonly size: number;
  readonly scale: number;
  /** The part of the axis that is resized, with the coordinates tf_crop_and_resize. */
  readonly region: readonly [start: number, end: number];
}

/** The elements of the input of which an element of the result is the sum, with their weights. */
interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
  /** Whether the position is outside of the input. */
  readonly outside: boolean;
}

/** Returns the position in the input of the position `at` of the result. */
function positionOf(coordinates: string, at: number, along: Along): number | undefined {
  const { length, size, scale, region } = along;
  switch (coordinates) {
    case 'half_pixel':
      return (at + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric':
      return (length / 2) * (1 - size / (scale * length)) + (at + 0.5) / scale - 0.5;
    case 'pytorch_half_pixel':
      return size === 1 ? 0 : (at + 0.5) / scale - 0.5;
    case 'align_corners':
      return size === 1 ? 0 : (at * (length - 1)) / (size - 1);
    case 'asymmetric':
      return at / scale;
    case 'tf_half_pixel_for_nn':
      return (at + 0.5) / scale;
    case 'tf_crop_and_resize': {
      const [start, end] = region;
      const offset =
        size === 1
          ? ((end - start) * (length - 1)) / 2
          : (at * (end - start) * (length - 1)) / (size - 1);
      return start * (length - 1) + offset;
    }
    default:
      return undefined;
  }
}

/** The kernel of cubic convolution: Keys, IEEE Transactions on Acoustics, Speech, and Signal Processing 29 (1981). */
function cubicKernel(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
}

function nearestOffset(ratio: number, rule: string): 0 | 1 | undefined {
  if (ratio === 0) return 0;
  if (rule === 'round_prefer_floor') return ratio <= 0.5 ? 0 : 1;
  if (rule === 'round_prefer_ceil') return ratio < 0.5 ? 0 : 1;
  if (rule === 'floor') return 0;
  return rule === 'ceil' ? 1 : undefined;
}

function tapsAt(call: Call, how: Interpolation, along: Along, at: number): Taps {
  const { mode, coordinates, nearest, cubic, antialias } = how;
  const position =
    positionOf(coordinates, at, along) ??
    call.unsupported(`coordinate_transformation_mode '${coordinates}'`);
  const whole = Math.floor(position);
  const ratio = position - whole;
  const outside =
    coordinates === 'tf_crop_and_resize' && (position < 0 || position > along.length - 1);
  if (mode === 'nearest') {
    const offset = nearestOffset(ratio, nearest) ?? call.unsupported(`nearest_mode '${nearest}'`);
    return { first: whole + offset, weights: [1], outside };
  }
  // With antialias, the kernel is as wide as the elements of the result.
  const stretch = antialias ? Math.min(along.scale, 1) : 1;
  const reach = (mode === 'linear' ? 1 : 2) / stretch;
  const start = Math.floor(-reach) + 1;
  const count = call.bounded(2 - 2 * start, 'taps');
  const kernel = (distance: number) =>
    mode === 'linear' ? Math.max(0, 1 - Math.abs(distance)) : cubicKernel(distance, cubic);
  const weights = Array.from({ length: count }, (_, i) => kernel((start + i - ratio) * stretch));
  const first = whole + start;
  if (how.excludeOutside) {
    weights.forEach((_, i) => {
      if (first + i < 0 || first + i >= along.length) weights[i] = 0;
    });
  }
  const sum = weights.reduce((a, b) => a + b, 0);
  const normal = antialias || how.excludeOutside ? weights.map((weight) => weight / sum) : weights;
  return { first, weights: normal, outside };
}

/** Resizes along one axis. */
function resizedAlong(call: Call, x: Node, how: Interpolation, along: Along): Node {
  if (along.size === 0) return slice(x, { axis: along.axis, end: 0 });
  if (how.mode !== 'nearest' && !isFloating(x.dtype)) {
    return call.unsupported(`mode '${how.mode}' of integers`);
  }
  // Runtimes divide by the length of the result, the reference by the scale, which is not a whole number then.
  const exact = Math.fround(along.scale * along.length);
  if (how.coordinates === 'align_corners' && along.size !== exact) {
    return call.unsupported('align_corners with a scale that gives no whole number of elements');
  }
  const taps = Array.from({ length: call.bounded(along.size, 'elements of an axis') }, (_, at) =>
    tapsAt(call, how, along, at),
  );
  const within = (index: number) => Math.min(Math.max(index, 0), along.length - 1);
  const rank = x.shape.length;
  const beside = (elements: readonly number[], dtype: 'float' | 'bool') => {
    const shape = Array.from({ length: rank }, (_, axis) => (axis === along.axis ? along.size : 1));
    return dtype === 'bool'
      ? constant(tensor(Uint8Array.from(elements), { dtype: 'bool', shape }))
      : cast(constant(tensor(Float64Array.from(elements), { shape })), x.dtype);
  };
  const count = Math.max(...taps.map(({ weights }) => weights.length));
  const parts: Node[] = [];
  for (let i = 0; i < count; i++) {
    const weights = taps.map((tap) => tap.weights[i] ?? 0);
    if (weights.every((weight) => weight === 0)) continue;
    const indices = taps.map(({ first }) => within(first + i));
    const part = gather(x, integers(indices), along.axis);
    const plain = weights.every((weight) => weight === 1);
    parts.push(plain ? part : mul(part, beside(weights, 'float')));
  }
  const result = parts.reduce((a, b) => add(a, b));
  if (!taps.some(({ outside }) => outside)) return result;
  const outside = beside(
    taps.map((tap) => Number(tap.outside)),
    'bool',
  );
  return where(outside, constant(how.extrapolation, { dtype: x.dtype }), result);
}

/** Resizes along all axes. */
function resized(call: Call, x: Node, how: Interpolation, axes: readonly Along[]): Node {
  const needed = axes.filter(
    ({ scale, size, length }) =>
      how.coordinates === 'tf_crop_and_resize' || scale !== 1 || size !== length,
  );
  return (
    repeated(x, how, needed) ??
    needed.reduce((node, along) => resizedAlong(call, node, how, along), x)
  );
}

/** Whether each element is repeated if the scale is a whole number. */
function repeats({ mode, coordinates, nearest }: Interpolation): boolean {
  return (
    mode === 'nearest' &&
    ((coordinates === 'asymmetric' && nearest === 'floor') ||
      (coordinates === 'half_pixel' && nearest.startsWith('round')))
  );
}

/** The scales of images whose pixels are repeated, which may have any size; undefined if they are not. */
function wholeScales(
  x: Node,
  how: Interpolation,
  axes: readonly number[],
  scales: readonly number[] | undefined,
): [number, number] | undefined {
  if (scales === undefined || x.shape.length !== 4 || !repeats(how)) return undefined;
  const of = (axis: number) => scales[axes.indexOf(axis)] ?? 1;
  const isWhole = [of(2), of(3)].every((scale) => Number.isInteger(scale) && scale > 0);
  return of(0) === 1 && of(1) === 1 && isWhole ? [of(2), of(3)] : undefined;
}

/** Repeats the pixels of images, if that is what the operator does; otherwise returns undefined. */
function repeated(x: Node, how: Interpolation, axes: readonly Along[]): Node | undefined {
  const isRepeated =
    repeats(how) &&
    x.shape.length === 4 &&
    axes.length > 0 &&
    axes.every(
      ({ axis, scale, length, size }) =>
        axis >= 2 && Number.isInteger(scale) && size === scale * length,
    );
  if (!isRepeated) return undefined;
  const scaleOf = (axis: number) => axes.find((along) => along.axis === axis)?.scale ?? 1;
  return upsample2d(x, { scale: [scaleOf(2), scaleOf(3)] });
}

/** The length of an axis times a scale, which is a float of 32 bits, as runtimes compute it. */
function sizeOf(length: number, scale: number): number {
  return Math.floor(Math.fround(length * scale));
}

export function resize(call: Call): Node {
  const x = call.node(0);
  const mode = modeOf(call);
  const old = call.version < 11;
  const how: Interpolation = {
    mode,
    coordinates: old ? 'asymmetric' : call.text('coordinate_transformation_mode', 'half_pixel'),
    nearest: old ? 'floor' : call.text('nearest_mode', 'round_prefer_floor'),
    cubic: call.float('cubic_coeff_a', -0.75),
    excludeOutside: call.flag('exclude_outside'),
    antialias: call.flag('antialias'),
    extrapolation: call.float('extrapolation_value', 0),
  };
  const rank = x.shape.length;
  const axes = axesOf(call.ints('axes', undefined), rank);
  const policy = call.text('keep_aspect_ratio_policy', 'stretch');
  const [scalesAt, sizesAt] = old ? [1, 3] : [2, 3];
  const given = (index: number, what: string) => {
    const numbers = call.has(index) ? call.numbers(index, what) : [];
    return numbers.length > 0 ? numbers : undefined;
  };
  const scales = given(scalesAt, 'the scales');
  const sizes = given(sizesAt, 'the sizes');
  const regions =
    old || how.coordinates !== 'tf_crop_and_resize' ? undefined : given(1, 'the region');
  const whole = wholeScales(x, how, axes, scales);
  if (whole !== undefined) return upsample2d(x, { scale: whole });
  const lengths = axes.map((axis, index) => {
    // An axis that is not resized may have any length.
    const dim = x.shape[axis];
    if (typeof dim === 'string' && scales?.[index] === 1) return 1;
    return numbersIn(call, [dim ?? 0], 'its input')[0] as number;
  });
  const common = commonScale(call, policy, lengths, sizes);
  const list = axes.map((axis, index): Along => {
    const length = lengths[index] as number;
    const size =
      sizes === undefined
        ? sizeOf(length, scales?.[index] ?? 1)
        : common === undefined
          ? (sizes[index] as number)
          : Math.floor(common * length + 0.5);
    const scale = scales?.[index] ?? common ?? size / length;
    const region = [regions?.[index] ?? 0, regions?.[index + axes.length] ?? 1] as const;
    return { axis, length, size, scale, region };
  });
  return resized(call, x, how, list);
}

/** The scale of all axes, if the result keeps the proportions of the input. */
function commonScale(
  call: Call,
  policy: string,
  lengths: readonly number[],
  sizes: readonly number[] | undefined,
): number | undefined {
  if (policy === 'stretch' || sizes === undefined) return undefined;
  const scales = sizes.map((size, index) => size / (lengths[index] as number));
  if (policy === 'not_larger') return Math.min(...scales);
  if (policy === 'not_smaller') return Math.max(...scales);
  return call.unsupported(`keep_aspect_ratio_policy '${policy}'`);
}

/** The operator before `Resize`. */
export function upsample(call: Call): Node {
  const x = call.node(0);
  const scales = call.version < 9 ? call.floats('scales', []) : call.numbers(1, 'the scales');
  const how: Interpolation = {
    mode: modeOf(call),
    coordinates: 'asymmetric',
    nearest: 'floor',
    cubic: -0.75,
    excludeOutside: false,
    antialias: false,
    extrapolation: 0,
  };
  const axes = scales.flatMap((scale, axis): Along[] => {
    if (scale === 1) return [];
    const [length] = numbersIn(call, [x.shape[axis] ?? 0], 'its input') as [number];
    return [{ axis, length, size: sizeOf(length, scale), scale, region: [0, 1] }];
  });
  return resized(call, x, how, axes);
}

function modeOf(call: Call): Mode {
  const mode = call.text('mode', 'nearest');
  if (mode === 'nearest' || mode === 'linear' || mode === 'cubic') return mode;
  return mode === 'bilinear' ? 'linear' : call.unsupported(`mode '${mode}'`);
}
