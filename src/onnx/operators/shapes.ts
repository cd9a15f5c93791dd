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
  broadcastTo,
  concat,
  reshape,
  slice,
  tile,
  transpose,
  tril,
  triu,
} from '../../ops/index.js';
import { positions } from '../../ops/positions.js';
import type { Call } from '../call.js';
import { elementTypeOf, elementTypes, isFloatingType, Known } from '../elements.js';
import type { Value } from '../value.js';
import { axesOf, axisOf, foldable, moved, moving, numbersIn, type Rows, row } from './row.js';

const first = () => [0];

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
  const count = call.bounded(counted ?? call.proto.output.length, 'parts');
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
    const count = call.bounded(Math.max(0, Math.ceil((to - from) / by)), 'numbers');
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
  const elements = Array.from({ length: call.bounded(rows * columns, 'elements') }, (_, index) =>
    Number((index % columns) - Math.floor(index / columns) === k),
  );
  return call.result(new Known(type, [rows, columns], elements));
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
  Split: row(split),
  ConstantOfShape: row(constantOfShape),
  Range: row(range, 'bounds that are computed'),
  EyeLike: row(eyeLike),
  Trilu: row(triangle),
  DepthToSpace: moving(first, depthToSpace),
  SpaceToDepth: moving(first, spaceToDepth),
};
