/** Operators of shapes, and operators that move elements. */

import {
  addDims,
  type Dim,
  divideDims,
  multiplyDims,
  type Shape,
  sizeOfDims,
  subtractDims,
} from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  add,
  broadcastTo,
  cast,
  concat,
  div,
  gather,
  greater,
  less,
  maximum,
  mul,
  oneHot,
  pad,
  reshape,
  scatterAdd,
  slice,
  takeAlongAxis,
  tile,
  transpose,
  tril,
  triu,
  where,
} from '../../ops/index.js';
import { addAlongAxis } from '../../ops/indexing.js';
import { positions } from '../../ops/positions.js';
import { tensor } from '../../tensor/tensor.js';
import type { Call } from '../call.js';
import { elementTypeOf, elementTypes, isFloatingType, Known } from '../elements.js';
import type { Value } from '../value.js';
import {
  axesOf,
  axisOf,
  foldable,
  moved,
  moving,
  numbersIn,
  numeric,
  type Rows,
  row,
} from './row.js';

const first = () => [0];

/** A position that stands for the end of an axis. Exporters write the largest and the smallest integers. */
const beyond = 2 ** 31 - 1;

// ---- Slices.

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
  const [least, most] = step > 0 ? [0, length] : [-1, length - 1];
  const [from, to] = [at(start, least, most), at(end, least, most)];
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

// ---- Shapes.

/** The shape to which `Reshape` brings a tensor: 0 stands for the dimension of the tensor at the same place. */
function reshaped(call: Call): Shape {
  const { shape } = call.value(0);
  const zeros = call.flag('allowzero');
  return call
    .dims(1, 'the shape')
    .map((dim, axis) => (dim === 0 && !zeros ? (shape[axis] as Dim) : dim));
}

/** The shape to which `Expand` brings a tensor: both broadcast to it. */
function expanded(shape: Shape, target: readonly Dim[]): Shape {
  const rank = Math.max(shape.length, target.length);
  return Array.from({ length: rank }, (_, axis) => {
    const own = shape[axis - rank + shape.length] ?? 1;
    const wanted = target[axis - rank + target.length] ?? 1;
    return wanted === 1 ? own : wanted;
  });
}

function squeezed(call: Call): Shape {
  const { shape } = call.value(0);
  const axes = axesAt(call, 1, call.version >= 13);
  if (axes === undefined) return shape.filter((dim) => dim !== 1);
  const gone = axesOf(axes, shape.length);
  return shape.filter((_, axis) => !gone.includes(axis));
}

function unsqueezed(call: Call): Shape {
  const { shape } = call.value(0);
  const axes = axesAt(call, 1, call.version >= 13) ?? [];
  const rank = shape.length + axes.length;
  const added = axesOf(axes, rank);
  let next = 0;
  return Array.from({ length: rank }, (_, axis) =>
    added.includes(axis) ? 1 : (shape[next++] as Dim),
  );
}

function axesAt(call: Call, index: number, isInput: boolean): readonly number[] | undefined {
  if (!isInput) return call.ints('axes', undefined);
  return call.has(index) ? call.numbers(index, 'the axes') : undefined;
}

// ---- Joining and splitting.

function parts(call: Call): readonly Dim[] {
  const { shape } = call.value(0);
  const axis = axisOf(call.int('axis', 0), shape.length);
  const length = shape[axis] as Dim;
  const given =
    call.version < 13
      ? call.ints('split', undefined)
      : call.has(1)
        ? call.dims(1, 'the sizes')
        : undefined;
  const counted = call.version >= 18 ? call.int('num_outputs', undefined) : undefined;
  if (given !== undefined) return given;
  const count = counted ?? call.proto.output.length;
  if (typeof length !== 'number') {
    const equal = divideDims(length, count);
    return equal === undefined
      ? call.unsupported(`an axis of the length '${length}' in ${count} parts`)
      : new Array<Dim>(count).fill(equal);
  }
  const size = Math.ceil(length / count);
  return Array.from({ length: count }, (_, index) =>
    Math.max(0, Math.min(size, length - index * size)),
  );
}

function split(call: Call): Value[] {
  const value = call.value(0);
  const axis = axisOf(call.int('axis', 0), value.shape.length);
  let start: Dim = 0;
  return parts(call).map((size) => {
    const [from, end] = [start, addDims(start, size)];
    start = end;
    const build = ([x]: readonly Node[]) => slice(x as Node, { axis, start: from, end });
    return moved(call, [value], build) ?? call.as(value.type, build([value.node]));
  });
}

// ---- Filling.

/** Adds elements at the sides of axes. A negative number of them removes elements. */
function padded(call: Call): Value {
  const value = call.value(0);
  const { type } = value;
  const mode = call.text('mode', 'constant');
  const pads = call.version < 11 ? call.ints('pads', []) : call.numbers(1, 'the padding');
  const filler = call.version < 11 ? call.float('value', 0) : call.has(2) ? call.node(2) : 0;
  const rank = value.shape.length;
  const axes = axesOf(
    call.version >= 18 && call.has(3) ? call.numbers(3, 'the axes') : undefined,
    rank,
  );
  const pairs = value.shape.map((): [number, number] => [0, 0]);
  axes.forEach((axis, index) => {
    pairs[axis] = [pads[index] ?? 0, pads[index + axes.length] ?? 0];
  });
  const build = (x: Node, fill: Node | number) => {
    const cropped = pairs.reduce((node, [before, after], axis) => {
      if (before >= 0 && after >= 0) return node;
      const end = after < 0 ? { end: after } : {};
      return slice(node, { axis, start: Math.max(0, -before), ...end });
    }, x);
    const added = pairs.map(
      ([before, after]) => [Math.max(0, before), Math.max(0, after)] as const,
    );
    if (mode === 'wrap') return wrapAround(call, cropped, added);
    if (mode === 'constant') return filled(cropped, added, fill);
    if (mode === 'reflect' || mode === 'edge') return pad(cropped, added, { mode });
    return call.unsupported(`mode '${mode}'`);
  };
  if (typeof filler === 'number') {
    const fold = moved(call, [value], ([x]) => build(x as Node, 0));
    if (fold !== undefined && (filler === 0 ? mode !== 'constant' : false)) return fold;
    return call.as(type, build(value.node, filler));
  }
  return call.as(type, build(value.node, reshape(filler, [])));
}

/** Adds elements of one value. */
function filled(x: Node, added: readonly (readonly [number, number])[], fill: Node | number): Node {
  if (typeof fill === 'number') return pad(x, added, { mode: 'constant', value: fill });
  return added.reduce((node, [before, after], axis) => {
    const side = (count: number) =>
      broadcastTo(
        cast(fill, x.dtype),
        node.shape.map((dim, at) => (at === axis ? count : dim)),
      );
    const all = [...(before > 0 ? [side(before)] : []), node, ...(after > 0 ? [side(after)] : [])];
    return all.length === 1 ? node : concat(all, axis);
  }, x);
}

/** Repeats the elements of an axis from its other end. */
function wrapAround(call: Call, x: Node, added: readonly (readonly [number, number])[]): Node {
  return added.reduce((node, [before, after], axis) => {
    if (before === 0 && after === 0) return node;
    const length = node.shape[axis] as Dim;
    if (typeof length !== 'number') return call.unsupported(`an axis of the length '${length}'`);
    const indices = Array.from(
      { length: before + length + after },
      (_, index) => (((index - before) % length) + length) % length,
    );
    return gather(node, integers(indices), axis);
  }, x);
}

/** Returns integers as a constant. */
export function integers(elements: readonly number[], shape = [elements.length]): Node {
  return constant(tensor(Int32Array.from(elements), { shape }));
}

function constantOfShape(call: Call): Value {
  const dims = call.dims(0, 'the shape');
  const stored = call.tensor('value', '');
  const type = stored?.type ?? elementTypes.float;
  const element = stored === undefined ? 0 : (stored.numbers()[0] as number);
  if (dims.every((dim) => typeof dim === 'number')) {
    const shape = dims as readonly number[];
    const size = shape.reduce((a, b) => a * b, 1);
    if (size <= 2 ** 12) {
      return call.result(new Known(type, shape, new Array<Dim>(size).fill(element)));
    }
  }
  return call.as(type, broadcastTo(constant(element, { dtype: call.dtypeOf(type) }), dims));
}

function range(call: Call): Value {
  const [start, limit, delta] = call.values() as [Value, Value, Value];
  const { type } = start;
  const [from, to, by] = [start, limit, delta].map((value) => foldable(value)?.elements[0]);
  if (typeof from === 'number' && typeof to === 'number' && typeof by === 'number') {
    const count = Math.max(0, Math.ceil((to - from) / by));
    const elements = Array.from({ length: count }, (_, index) => from + index * by);
    return call.result(new Known(type, [count], elements));
  }
  if (typeof from === 'number' && to !== undefined && by === 1 && !isFloatingType(type)) {
    return call.as(type, positions(subtractDims(to, from), from));
  }
  return call.unsupported('bounds that are computed');
}

/** A value in an attribute. */
function constantValue(call: Call): Value {
  const name = call.proto.output[0] ?? '';
  const stored = call.tensor('value', name);
  if (stored !== undefined) return call.importing.valueOf(stored);
  const scalar = call.float('value_float', undefined);
  if (scalar !== undefined) return call.result(new Known(elementTypes.float, [], [scalar]));
  const integer = call.int('value_int', undefined);
  if (integer !== undefined) return call.result(new Known(elementTypes.int64, [], [integer]));
  const floats = call.floats('value_floats', undefined);
  if (floats !== undefined) {
    return call.result(new Known(elementTypes.float, [floats.length], floats));
  }
  const ints = call.ints('value_ints', undefined);
  if (ints !== undefined) return call.result(Known.ints(ints));
  return call.unsupported('a value that is neither a tensor nor numbers');
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
      Array.from({ length: count }, (_, index) => index * perBatch),
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

function depthToSpace(call: Call, [x]: readonly Node[]): Node {
  const size = call.int('blocksize', 1);
  const mode = call.text('mode', 'DCR');
  const [batch, channels, height, width] = (x as Node).shape as [Dim, Dim, Dim, Dim];
  const depth = divideDims(channels, size * size);
  if (depth === undefined) return call.unsupported(`${channels} channels in blocks of ${size}`);
  const [tall, wide] = [multiplyDims(height, size), multiplyDims(width, size)];
  const [shape, order] =
    mode === 'DCR'
      ? [
          [batch, size, size, depth, height, width],
          [0, 3, 4, 1, 5, 2],
        ]
      : [
          [batch, depth, size, size, height, width],
          [0, 1, 4, 2, 5, 3],
        ];
  return reshape(transpose(reshape(x as Node, shape), order), [batch, depth, tall, wide]);
}

function spaceToDepth(call: Call, [x]: readonly Node[]): Node {
  const size = call.int('blocksize', 1);
  const [batch, channels, height, width] = (x as Node).shape as [Dim, Dim, Dim, Dim];
  const [rows, columns] = [divideDims(height, size), divideDims(width, size)];
  if (rows === undefined || columns === undefined) {
    return call.unsupported(`images of ${height} x ${width} in blocks of ${size}`);
  }
  const cells = reshape(x as Node, [batch, channels, rows, size, columns, size]);
  const moved = transpose(cells, [0, 3, 5, 1, 2, 4]);
  return reshape(moved, [batch, multiplyDims(channels, size * size), rows, columns]);
}

function triangle(call: Call): Value {
  const { type, node } = call.value(0);
  const k = call.has(1) ? call.number(1, 'k') : 0;
  const upper = call.flag('upper', true);
  return call.as(type, (upper ? triu : tril)(node, k));
}

function eyeLike(call: Call): Value {
  const value = call.value(0);
  const code = call.int('dtype', undefined);
  const type =
    (code === undefined ? value.type : elementTypeOf(code)) ?? call.unsupported('its dtype');
  const k = call.int('k', 0);
  const [rows, columns] = numbersIn(call, value.shape, 'its input') as [number, number];
  const elements = Array.from({ length: rows * columns }, (_, index) =>
    Number((index % columns) - Math.floor(index / columns) === k),
  );
  return call.result(new Known(type, [rows, columns], elements));
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
  const order = Array.from({ length: steps * rows }, (_, index) => {
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

export const shapes: Rows = {
  Constant: row(constantValue, 'strings and sparse tensors'),
  Shape: row((call) => {
    const { shape } = call.value(0);
    const rank = shape.length;
    const within = (at: number) => Math.min(Math.max(at < 0 ? at + rank : at, 0), rank);
    const start = within(call.int('start', 0));
    const end = within(call.int('end', rank));
    return call.result(Known.ints(shape.slice(start, Math.max(start, end))));
  }),
  Size: row((call) => call.result(Known.ints([sizeOfDims(call.value(0).shape)], []))),
  Reshape: moving(first, (call, [x]) => reshape(x as Node, reshaped(call))),
  Flatten: moving(first, (call, [x]) => {
    const { shape } = x as Node;
    const at = call.int('axis', 1);
    const axis = at < 0 ? at + shape.length : at;
    return reshape(x as Node, [sizeOfDims(shape.slice(0, axis)), sizeOfDims(shape.slice(axis))]);
  }),
  Squeeze: moving(first, (call, [x]) => reshape(x as Node, squeezed(call))),
  Unsqueeze: moving(first, (call, [x]) => reshape(x as Node, unsqueezed(call))),
  Transpose: moving(first, (call, [x]) => {
    const reverse = (x as Node).shape.map((_, axis) => axis).reverse();
    return transpose(x as Node, call.ints('perm', reverse));
  }),
  Expand: moving(first, (call, [x]) =>
    broadcastTo(x as Node, expanded((x as Node).shape, call.dims(1, 'the shape'))),
  ),
  Tile: moving(first, (call, [x]) => tile(x as Node, call.numbers(1, 'the repeats'))),
  Concat: moving(
    (call) => call.values().map((_, index) => index),
    (call, nodes) => {
      const axis = axisOf(call.int('axis', 1), (nodes[0] as Node).shape.length);
      return nodes.length === 1 ? (nodes[0] as Node) : concat(nodes, axis);
    },
  ),
  Slice: moving(first, (call, [x]) =>
    ranges(call).reduce(
      (node, { axis, start, end, step }) => cut(node, axis, start, end, step),
      x as Node,
    ),
  ),
  Split: row(split),
  Pad: row(padded),
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
  ConstantOfShape: row(constantOfShape),
  Range: row(range, 'bounds that are computed'),
  EyeLike: row(eyeLike),
  Trilu: row(triangle),
  OneHot: row(oneHotRow, 'a depth that is computed'),
  DepthToSpace: moving(first, depthToSpace),
  SpaceToDepth: moving(first, spaceToDepth),
  ReverseSequence: moving(first, reversed, 'lengths that are computed'),
  Compress: moving(first, compressed, 'a condition that is computed'),
  NonZero: row(nonZero, 'an input that is computed'),
};
