/** Normalisations. */

import { type Dim, divideDims, sizeOfDims } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  add,
  cast,
  div,
  greater,
  mean,
  mul,
  norm,
  pad,
  pow,
  reshape,
  slice,
  sqrt,
  square,
  sub,
  where,
} from '../../ops/index.js';
import { normalized } from '../../ops/normalization.js';
import type { Call } from '../call.js';
import { axesOf, axisOf, type Rows, row, total } from './row.js';

const keepDims = { keepDims: true } as const;

/** Returns a vector of the channels of x in a shape that broadcasts to x. */
function alongChannels(x: Node, vector: Node): Node {
  return reshape(vector, [vector.shape[0] as Dim, ...x.shape.slice(2).map(() => 1)]);
}

function after(axis: number, { shape }: Node): number[] {
  return shape.flatMap((_, at) => (at < axis ? [] : [at]));
}

function ones(x: Node): Node {
  return constant(1, { dtype: x.dtype });
}

/**
 * Batch normalisation by running statistics, which are states of the module, or by those of the batch. PyTorch stores
 * tensors of equal elements once, so each node gets variables of its own.
 */
function batchNormalization(call: Call): (Node | undefined)[] {
  const x = call.node(0);
  const epsilon = call.float('epsilon', 1e-5);
  const momentum = call.float('momentum', 0.9);
  if (call.int('spatial', 1) !== 1) call.unsupported('spatial 0');
  const training = call.flag('training_mode');
  const [scale, bias] = [call.own(1, 'parameter'), call.own(2, 'parameter')];
  const [oldMean, oldVariance] = [call.own(3, 'state'), call.own(4, 'state')];
  if (!training) {
    const factor = div(cast(scale, x.dtype), sqrt(add(cast(oldVariance, x.dtype), epsilon)));
    const offset = sub(cast(bias, x.dtype), mul(cast(oldMean, x.dtype), factor));
    return [add(mul(x, alongChannels(x, factor)), alongChannels(x, offset))];
  }
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const batchMean = mean(x, axes);
  const batchVariance = mean(square(sub(x, alongChannels(x, batchMean))), axes);
  const how = { axes, epsilon, centered: true };
  const result = add(normalized(x, alongChannels(x, scale), how), alongChannels(x, bias));
  const mixed = (old: Node, batch: Node) => add(mul(old, momentum), mul(batch, 1 - momentum));
  return [result, mixed(oldMean, batchMean), mixed(oldVariance, batchVariance)];
}

/** Layer normalisation. Its other outputs are the mean and the reciprocal of the deviation. */
function layerNormalization(call: Call): (Node | undefined)[] {
  const x = call.node(0);
  const axis = axisOf(call.int('axis', -1), x.shape.length);
  const epsilon = call.float('epsilon', 1e-5);
  // Values of 16 bits are computed with 32 bits anyway.
  call.int('stash_type', 1);
  const axes = after(axis, x);
  const scaled = normalized(x, call.vector(1), { axes, epsilon, centered: true });
  const result = call.has(2) ? add(scaled, call.vector(2)) : scaled;
  if (call.proto.output.length === 1) return [result];
  const average = mean(x, axes, keepDims);
  const variance = mean(square(sub(x, average)), axes, keepDims);
  return [result, average, div(1, sqrt(add(variance, epsilon)))];
}

function rmsNormalization(call: Call): Node {
  const x = call.node(0);
  const axis = axisOf(call.int('axis', -1), x.shape.length);
  const epsilon = call.float('epsilon', 1e-5);
  call.int('stash_type', 1);
  return normalized(x, call.vector(1), { axes: after(axis, x), epsilon, centered: false });
}

function instanceNormalization(call: Call): Node {
  const x = call.node(0);
  const epsilon = call.float('epsilon', 1e-5);
  const [scale, bias] = [call.vector(1), call.vector(2)].map((vector) => alongChannels(x, vector));
  const how = { axes: after(2, x), epsilon, centered: true };
  return add(normalized(x, scale as Node, how), bias as Node);
}

/** Group normalisation. Up to version 20, there is a scale for each group; later, for each channel. */
function groupNormalization(call: Call): Node {
  const x = call.node(0);
  const epsilon = call.float('epsilon', 1e-5);
  const groups = call.int('num_groups', 1);
  call.int('stash_type', 1);
  const [batch, channels, ...rest] = x.shape as [Dim, Dim, ...Dim[]];
  const size = divideDims(channels, groups);
  if (size === undefined) return call.unsupported(`${channels} channels in ${groups} groups`);
  const grouped = reshape(x, [batch, groups, size, sizeOfDims(rest)]);
  const normal = normalized(grouped, ones(x), { axes: [2, 3], epsilon, centered: true });
  const perGroup = call.version < 21;
  const along = (vector: Node) => reshape(vector, [groups, perGroup ? 1 : size, 1]);
  const result = add(mul(normal, along(call.vector(1))), along(call.vector(2)));
  return reshape(result, x.shape);
}

/** Local response normalisation: Krizhevsky, Sutskever & Hinton, NIPS 2012. */
function localResponse(call: Call): Node {
  const x = call.node(0);
  const size = call.int('size', 1);
  const [alpha, beta, bias] = [
    call.float('alpha', 1e-4),
    call.float('beta', 0.75),
    call.float('bias', 1),
  ];
  const channels = x.shape[1] as Dim;
  if (typeof channels !== 'number') return call.unsupported('channels without a number');
  const before = Math.floor((size - 1) / 2);
  const sides = x.shape.map((_, axis): [number, number] =>
    axis === 1 ? [before, size - 1 - before] : [0, 0],
  );
  const squares = pad(square(x), sides);
  const windows = Array.from({ length: call.bounded(size, 'channels') }, (_, start) =>
    slice(squares, { axis: 1, start, end: start + channels }),
  );
  return div(x, pow(add(mul(total(windows), alpha / size), bias), beta));
}

export const normalization: Rows = {
  BatchNormalization: row(batchNormalization, 'spatial 0'),
  LayerNormalization: row((call) => layerNormalization(call)),
  RMSNormalization: row(rmsNormalization),
  InstanceNormalization: row(instanceNormalization),
  GroupNormalization: row(groupNormalization),
  LRN: row(localResponse, 'channels without a number'),
  MeanVarianceNormalization: row((call) => {
    const x = call.node(0);
    const axes = axesOf(call.ints('axes', [0, 2, 3]), x.shape.length);
    const centred = sub(x, mean(x, axes, keepDims));
    const variance = mean(square(centred), axes, keepDims);
    // The gradient of the root at 0 is infinite, so equal elements have a deviation that is a constant 0.
    const some = greater(variance, 0);
    const deviation = where(some, sqrt(where(some, variance, 1)), 0);
    return div(centred, add(deviation, 1e-9));
  }),
  LpNormalization: row((call) => {
    const x = call.node(0);
    const axis = axisOf(call.int('axis', -1), x.shape.length);
    const p = call.int('p', 2);
    // `norm` has the gradient 0 at a vector of zeros, which stays one.
    const size = norm(x, { p, axes: axis, keepDims: true });
    return div(x, where(greater(size, 0), size, 1));
  }),
};
