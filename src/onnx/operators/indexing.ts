/** Operators that read and write elements at positions: slices, and lists of indices. */

import { type Dim, sizeOfDims } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  add,
  broadcastTo,
  cast,
  div,
  gather,
  greater,
  less,
  maximum,
  mul,
  oneHot,
  reshape,
  scatterAdd,
  slice,
  takeAlongAxis,
  transpose,
  where,
} from '../../ops/index.js';
import { addAlongAxis } from '../../ops/indexing.js';
import type { Call } from '../call.js';
import { elementTypes, isFloatingType, Known } from '../elements.js';
import type { Value } from '../value.js';
import { axisOf, integers, moving, numbersIn, numeric, type Rows, row } from './row.js';

const first = () => [0];

/** A position that stands for the end of an axis. Exporters write the largest and the smallest integers. */
const beyond = 2 ** 31 - 1;

/** Cuts a range of positions out of an axis, as NumPy does: positions out of range are moved to the nearest end. */
function cut(x: Node, axis: number, start: Dim, end: Dim, step: number): Node {
  const length = x.shape[axis] as Dim;
  if (typeof length === 'number' && typeof start === 'number' && typeof end === 'number') {
    return cutNumbers(x, axis, length, start, end, step);
  }
  const isHuge = (at: Dim) => typeof at === 'number' && at >= beyond;
  const isTiny = (at: Dim) => typeof at === 'number' && at <= -beyond;
  if (step > 0) {
    if (isHuge(start)) return slice(x, { axis, start: 0, end: 0 });
    const from = isTiny(start) ? 0 : start;
    return slice(x, { axis, start: from, ...(!isHuge(end) && { end }), step });
  }
  const from = isHuge(start) || start === -1 ? undefined : start;
  return slice(x, {
    axis,
    ...(from !== undefined && { start: from }),
    ...(!isTiny(end) && { end }),
    step,
  });
}

function cutNumbers(
  x: Node,
  axis: number,
  length: number,
  start: number,
  end: number,
  step: number,
): Node {
  const at = (position: number, least: number, most: number) =>
    Math.min(Math.max(position < 0 ? position + length : position, least), most);
  // The specification moves a start before the axis to its first element, also if the step is negative.
  const from = step > 0 ? at(start, 0, length) : at(start, 0, length - 1);
  const to = step > 0 ? at(end, 0, length) : at(end, -1, length - 1);
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (count === 0) return slice(x, { axis, start: 0, end: 0 });
  if (step > 0) return slice(x, { axis, start: from, end: to, step });
  return slice(x, { axis, start: from, ...(to >= 0 && { end: to }), step });
}

/** The ranges of a slice: attributes before version 10, and then inputs. */
function ranges(call: Call): { axis: number; start: Dim; end: Dim; step: number }[] {
  const rank = call.value(0).shape.length;
  const [starts, ends] =
    call.version < 10
      ? [call.ints('starts', []), call.ints('ends', [])]
      : [call.dims(1, 'the starts'), call.dims(2, 'the ends')];
  const axes =
    call.version < 10
      ? call.ints('axes', undefined)
      : call.has(3)
        ? call.numbers(3, 'the axes')
        : undefined;
  const steps = call.version >= 10 && call.has(4) ? call.numbers(4, 'the steps') : undefined;
  return starts.map((start, index) => ({
    axis: axisOf(axes?.[index] ?? index, rank),
    start,
    end: ends[index] as Dim,
    step: steps?.[index] ?? 1,
  }));
}

// ---- Indices.

/** Indices that count from the end become those that count from the start. */
function fromStart(indices: Node, length: Dim): Node {
  if (typeof length !== 'number') return indices;
  return numeric(elementTypes.int64, [indices], (index) =>
    where(less(index, 0), add(index, length), index),
  );
}

/**
 * The positions of rows, of tensors whose first axes are joined. The last axis of `indices` has one index for each of
 * these axes.
 */
function joinedIndices(indices: Node, lengths: readonly number[]): Node {
  const depth = indices.shape.length - 1;
  const parts = lengths.map((length, at) => {
    const part = slice(indices, { axis: depth, start: at, end: at + 1 });
    return fromStart(part, length);
  });
  const joined = parts.reduce((sum, part, at) =>
    numeric(elementTypes.int64, [sum, part], (a, b) => add(mul(a, lengths[at] as number), b)),
  );
  return reshape(joined, indices.shape.slice(0, depth));
}

function gatherND(call: Call): Node {
  const [x, indices] = call.nodes() as [Node, Node];
  const batch = call.int('batch_dims', 0);
  const depth = indices.shape.at(-1) as Dim;
  if (typeof depth !== 'number') return call.unsupported('indices of a length without a number');
  const lengths = numbersIn(call, x.shape.slice(0, batch + depth), 'its first input');
  const rest = x.shape.slice(batch + depth);
  const inner = lengths.slice(batch);
  const leading = lengths.slice(0, batch);
  const count = leading.reduce((a, b) => a * b, 1);
  const perBatch = inner.reduce((a, b) => a * b, 1);
  const rows = reshape(x, [count * perBatch, ...rest]);
  let found = joinedIndices(indices, inner);
  if (batch > 0) {
    const shape = found.shape;
    const flat = reshape(found, [count, ...(shape.length > batch ? [-1] : [])]);
    const offsets = integers(
      Array.from({ length: call.bounded(count, 'rows') }, (_, index) => index * perBatch),
      [count, ...(shape.length > batch ? [1] : [])],
    );
    const moved = numeric(elementTypes.int64, [flat, offsets], add);
    found = reshape(moved, shape);
  }
  return gather(rows, found, 0);
}

/** How updates are combined with the elements of a tensor. */
type Reduction = 'none' | 'add' | 'mul' | 'max' | 'min';

function reductionOf(call: Call): Reduction {
  const name = call.version < 16 ? 'none' : call.text('reduction', 'none');
  return name === 'add' || name === 'none' ? name : call.unsupported(`reduction '${name}'`);
}

/**
 * Writes updates into a tensor. `sum` adds numbers to zeros at the same places. Of several updates of one element, the
 * specification leaves open which counts; here it is their mean, which is the update if they are equal.
 */
function written(x: Node, updates: Node, sum: (into: Node, values: Node) => Node): Node {
  const numbers =
    x.dtype === 'float64' ? x : cast(x, x.dtype === 'float32' ? 'float32' : 'float64');
  const zeros = broadcastTo(constant(0, { dtype: numbers.dtype }), x.shape);
  const ones = broadcastTo(constant(1, { dtype: numbers.dtype }), updates.shape);
  const counts = sum(zeros, ones);
  const sums = sum(zeros, cast(updates, numbers.dtype));
  const values = div(sums, maximum(counts, 1));
  return cast(where(greater(counts, 0), values, numbers), x.dtype);
}

function scatterElements(call: Call): Node {
  const [x, indices, updates] = call.nodes() as [Node, Node, Node];
  const axis = axisOf(call.int('axis', 0), x.shape.length);
  const how = reductionOf(call);
  const type = call.value(0).type;
  const whole = indices.shape.every((dim, at) => at === axis || dim === x.shape[at]);
  if (!whole) return call.unsupported('indices of fewer elements along other axes');
  const sum = (into: Node, values: Node) => addAlongAxis(into, indices, values, axis);
  if (how === 'add') {
    return numeric(type, [x, updates], (into, values) =>
      add(into, sum(broadcastTo(constant(0, { dtype: into.dtype }), into.shape), values)),
    );
  }
  return written(x, updates, sum);
}

function scatterND(call: Call): Node {
  const [x, indices, updates] = call.nodes() as [Node, Node, Node];
  const how = reductionOf(call);
  const depth = indices.shape.at(-1) as Dim;
  if (typeof depth !== 'number') return call.unsupported('indices of a length without a number');
  const lengths = numbersIn(call, x.shape.slice(0, depth), 'its first input');
  const rest = x.shape.slice(depth);
  const rows = lengths.reduce((a, b) => a * b, 1);
  const flat = reshape(x, [rows, ...rest]);
  const count = sizeOfDims(indices.shape.slice(0, -1));
  const found = reshape(joinedIndices(indices, lengths), [count]);
  const values = reshape(updates, [count, ...rest]);
  const sum = (into: Node, list: Node) => scatterAdd(into, found, list, 0);
  const result =
    how === 'add' ? numeric(call.value(0).type, [flat, values], sum) : written(flat, values, sum);
  return reshape(result, x.shape);
}

function oneHotRow(call: Call): Value {
  const indices = call.value(0);
  const depth = call.number(1, 'the depth');
  const [off, on] = [0, 1].map((at) => {
    const values = call.node(2);
    return reshape(slice(values, { axis: 0, start: at, end: at + 1 }), []);
  }) as [Node, Node];
  const { type } = call.value(2);
  const rank = indices.shape.length + 1;
  const axis = axisOf(call.int('axis', -1), rank);
  const whole = isFloatingType(indices.type) ? cast(indices.node, 'int32') : indices.node;
  const found = fromStart(whole, depth);
  const hot = cast(oneHot(found, depth), 'bool');
  // The new axis is the last one. It moves to its place.
  const order = Array.from({ length: rank }, (_, at) =>
    at === axis ? rank - 1 : at > axis ? at - 1 : at,
  );
  return call.as(type, where(transpose(hot, order), on, off));
}

function reversed(call: Call, [x]: readonly Node[]): Node {
  const lengths = call.numbers(1, 'the lengths');
  const [time, batch] = [call.int('time_axis', 0), call.int('batch_axis', 1)];
  const { shape } = x as Node;
  const [steps, rows] = numbersIn(call, [shape[time] as Dim, shape[batch] as Dim], 'its input') as [
    number,
    number,
  ];
  const dims = shape.map((_, axis) => (axis === time ? steps : axis === batch ? rows : 1));
  const order = Array.from({ length: call.bounded(steps * rows, 'elements') }, (_, index) => {
    const [step, at] =
      time < batch
        ? [Math.floor(index / rows), index % rows]
        : [index % steps, Math.floor(index / steps)];
    const length = lengths[at] as number;
    return step < length ? length - 1 - step : step;
  });
  const wide = shape.map((dim, axis) => (axis === time ? steps : axis === batch ? rows : dim));
  return takeAlongAxis(x as Node, broadcastTo(integers(order, dims), wide), time);
}

function compressed(call: Call, [x]: readonly Node[]): Node {
  const kept = call.numbers(1, 'the condition').flatMap((keep, index) => (keep ? [index] : []));
  const axis = call.int('axis', undefined);
  if (axis === undefined) {
    return gather(reshape(x as Node, [-1]), integers(kept), 0);
  }
  return gather(x as Node, integers(kept), axisOf(axis, (x as Node).shape.length));
}

function nonZero(call: Call): Value {
  const { shape } = call.value(0);
  const elements = call.numbers(0, 'its input');
  const dims = shape as readonly number[];
  const found = elements.flatMap((element, index) => (element !== 0 ? [index] : []));
  let step = elements.length;
  const places = dims.map((dim) => {
    step /= dim;
    return found.map((index) => Math.floor(index / step) % dim);
  });
  return call.result(new Known(elementTypes.int64, [dims.length, found.length], places.flat()));
}

export const indexing: Rows = {
  Slice: moving(first, (call, [x]) =>
    ranges(call).reduce(
      (node, { axis, start, end, step }) => cut(node, axis, start, end, step),
      x as Node,
    ),
  ),
  Gather: moving(first, (call, [x]) => {
    const { shape } = x as Node;
    const axis = axisOf(call.int('axis', 0), shape.length);
    return gather(x as Node, call.node(1), axis);
  }),
  GatherElements: moving(first, (call, [x]) => {
    const axis = axisOf(call.int('axis', 0), (x as Node).shape.length);
    return takeAlongAxis(x as Node, call.node(1), axis);
  }),
  GatherND: row((call) => call.as(call.value(0).type, gatherND(call))),
  Scatter: row((call) => call.as(call.value(0).type, scatterElements(call))),
  ScatterElements: row(
    (call) => call.as(call.value(0).type, scatterElements(call)),
    'the reductions mul, max and min',
  ),
  ScatterND: row(
    (call) => call.as(call.value(0).type, scatterND(call)),
    'the reductions mul, max and min',
  ),
  OneHot: row(oneHotRow, 'a depth that is computed'),
  ReverseSequence: moving(first, reversed, 'lengths that are computed'),
  Compress: moving(first, compressed, 'a condition that is computed'),
  NonZero: row(nonZero, 'an input that is computed'),
};
