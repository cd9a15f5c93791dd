/** Operators that read images at positions that are computed, and that move them. */

import { type Dim, multiplyDims } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  abs,
  add,
  and,
  broadcastTo,
  cast,
  clamp,
  concat,
  floor,
  greaterEqual,
  lessEqual,
  matmul,
  mod,
  mul,
  pad,
  reshape,
  round,
  slice,
  sub,
  takeAlongAxis,
  where,
} from '../../ops/index.js';
import { tensor } from '../../tensor/tensor.js';
import type { Call } from '../call.js';
import { axesOf, numbersIn, type Rows, row, total } from './row.js';

/** The weights of the neighbours of a position, whose distance to the first is `ratio`. */
type Weights = (ratio: Node) => readonly Node[];

const linear: Weights = (ratio) => [sub(1, ratio), ratio];

/** The kernel of cubic convolution with a = -3/4: Keys, IEEE Transactions on Acoustics, Speech, and Signal Processing 29 (1981). */
const cubic: Weights = (ratio) => {
  const a = -0.75;
  const near = (x: Node) => add(mul(mul(sub(mul(x, a + 2), a + 3), x), x), 1);
  const far = (x: Node) => sub(mul(add(mul(sub(mul(x, a), 5 * a), x), 8 * a), x), 4 * a);
  const other = sub(1, ratio);
  return [far(add(ratio, 1)), near(ratio), near(other), far(add(other, 1))];
};

/** Reflects positions at the ends of a range until they are in it. */
function reflected(x: Node, least: number, most: number): Node {
  const span = most - least;
  if (span === 0) return mul(x, 0);
  const within = mod(sub(x, least), 2 * span);
  return add(sub(span, abs(sub(within, span))), least);
}

interface Sampling {
  readonly mode: 'nearest' | 'linear' | 'cubic';
  readonly padding: 'zeros' | 'border' | 'reflection';
  /** Whether the ends of the grid are the centres of the first and the last element. */
  readonly aligned: boolean;
}

interface Place {
  readonly index: Node;
  readonly weight: Node | undefined;
  readonly inside: Node | undefined;
}

/** The elements along an axis that a sample is made of. `at` has positions from -1 to 1. */
function placesAlong(at: Node, length: number, { mode, padding, aligned }: Sampling): Place[] {
  const scaled = aligned
    ? mul(add(at, 1), (length - 1) / 2)
    : sub(mul(add(at, 1), length / 2), 0.5);
  const ends: [number, number] = aligned ? [0, length - 1] : [-0.5, length - 0.5];
  // At the border, the weights of a cubic are those of the position outside, and only the elements are moved inside.
  const inside = padding === 'border' && mode !== 'cubic';
  const near = inside ? clamp(scaled, { min: 0, max: length - 1 }) : scaled;
  const moved = padding === 'reflection' ? reflected(near, ...ends) : near;
  // The elements beside a position may be outside, although the position is not.
  const place = (index: Node, weight: Node | undefined): Place => ({
    index:
      padding === 'reflection'
        ? clamp(reflected(index, ...ends), { min: 0, max: length - 1 })
        : clamp(index, { min: 0, max: length - 1 }),
    weight,
    inside:
      padding === 'zeros' ? and(greaterEqual(index, 0), lessEqual(index, length - 1)) : undefined,
  });
  if (mode === 'nearest') return [place(round(moved), undefined)];
  const low = floor(moved);
  const [first, weights] = mode === 'linear' ? [0, linear] : [-1, cubic];
  return weights(sub(moved, low)).map((weight, i) => place(add(low, first + i), weight));
}

/** Samples x, [batch, channels, sizes], at the positions of a grid, [batch, places, axes], the last axis first. */
function sampled(x: Node, grid: Node, lengths: readonly number[], how: Sampling): Node {
  const [batch, channels] = x.shape as [Dim, Dim];
  const count = lengths.reduce((a, b) => a * b, 1);
  const flat = reshape(x, [batch, channels, count]);
  const places = grid.shape[1] as Dim;
  const along = lengths.map((length, axis) => {
    const at = slice(grid, {
      axis: 2,
      start: lengths.length - 1 - axis,
      end: lengths.length - axis,
    });
    return placesAlong(reshape(at, [batch, places]), length, how);
  });
  const read = (chosen: readonly Place[]): Node => {
    const index = chosen
      .map((place) => place.index)
      .reduce((sum, next, axis) => add(mul(sum, lengths[axis] as number), next));
    const wide = broadcastTo(reshape(cast(index, 'int32'), [batch, 1, places]), [
      batch,
      channels,
      places,
    ]);
    const values = takeAlongAxis(flat, wide, 2);
    const weights = chosen.flatMap(({ weight }) => weight ?? []);
    const inside = chosen.flatMap((place) => place.inside ?? []);
    const column = (node: Node) => reshape(node, [batch, 1, places]);
    const kept =
      inside.length === 0 ? values : where(column(inside.reduce((a, b) => and(a, b))), values, 0);
    return weights.length === 0 ? kept : mul(kept, column(weights.reduce((a, b) => mul(a, b))));
  };
  const combinations = along.reduce<Place[][]>(
    (lists, next) => lists.flatMap((list) => next.map((place) => [...list, place])),
    [[]],
  );
  return total(combinations.map(read));
}

function gridSample(call: Call): Node {
  const [x, grid] = [call.node(0), call.node(1)];
  const [batch, channels, ...sizes] = x.shape as [Dim, Dim, ...Dim[]];
  const lengths = numbersIn(call, sizes, 'its first input');
  const given = call.text('mode', 'linear');
  const mode = given === 'bilinear' ? 'linear' : given === 'bicubic' ? 'cubic' : given;
  if (mode !== 'nearest' && mode !== 'linear' && mode !== 'cubic') {
    return call.unsupported(`mode '${given}'`);
  }
  const padding = call.text('padding_mode', 'zeros');
  if (padding !== 'zeros' && padding !== 'border' && padding !== 'reflection') {
    return call.unsupported(`padding_mode '${padding}'`);
  }
  const aligned = call.flag('align_corners');
  const [, ...rest] = grid.shape as [Dim, ...Dim[]];
  const shape = rest.slice(0, -1);
  const places = shape.reduce<Dim>(multiplyDims, 1);
  const flat = reshape(cast(grid, x.dtype), [batch, places, lengths.length]);
  const result = sampled(x, flat, lengths, { mode, padding, aligned });
  return reshape(result, [batch, channels, ...shape]);
}

/** The position from -1 to 1 of an element. A single one is in the middle. */
function alignedAt(at: number, length: number): number {
  return length === 1 ? 0 : (2 * at) / (length - 1) - 1;
}

/** The positions of an image, moved by a matrix. */
function affineGrid(call: Call): Node {
  const theta = call.node(0);
  const [, , ...lengths] = call.numbers(1, 'the size');
  const aligned = call.flag('align_corners');
  const count = call.bounded(
    lengths.reduce((a, b) => a * b, 1),
    'positions',
  );
  const axes = lengths.length;
  const points = new Float64Array((axes + 1) * count).fill(1);
  let step = count;
  lengths.forEach((length, axis) => {
    step /= length;
    for (let index = 0; index < count; index++) {
      const at = Math.floor(index / step) % length;
      const position = aligned ? alignedAt(at, length) : (2 * at + 1) / length - 1;
      points[(axes - 1 - axis) * count + index] = position;
    }
  });
  const base = cast(constant(tensor(points, { shape: [axes + 1, count] })), theta.dtype);
  const [batch] = theta.shape as [Dim];
  const moved = matmul(theta, base);
  // [batch, axes, count] becomes [batch, sizes, axes].
  const columns = Array.from({ length: axes }, (_, axis) =>
    reshape(slice(moved, { axis: 1, start: axis, end: axis + 1 }), [batch, ...lengths, 1]),
  );
  return concat(columns, lengths.length + 1);
}

/** Cuts axes, or fills them with zeros, at both ends. */
function centred(call: Call): Node {
  const x = call.node(0);
  const sizes = call.numbers(1, 'the shape');
  const axes = axesOf(call.ints('axes', undefined), x.shape.length);
  return axes.reduce((node, axis, index) => {
    const [length] = numbersIn(call, [node.shape[axis] as Dim], 'its input') as [number];
    const size = sizes[index] as number;
    const before = Math.floor(Math.abs(size - length) / 2);
    if (size <= length) return slice(node, { axis, start: before, end: before + size });
    const sides = node.shape.map((_, at): [number, number] =>
      at === axis ? [before, size - length - before] : [0, 0],
    );
    return pad(node, sides);
  }, x);
}

export const sampling: Rows = {
  GridSample: row(gridSample),
  AffineGrid: row(affineGrid, 'a size that is computed'),
  CenterCropPad: row((call) => call.as(call.value(0).type, centred(call))),
};
