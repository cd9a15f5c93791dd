/** Ops that compute nothing: `transpose`, `reshape` and `stopGradient` return the elements of their input. */

import { describeValue } from '../arguments/describe.js';
import { assertList, isList } from '../arguments/read.js';
import { ShapeError, ValueError } from '../errors.js';
import {
  type Dim,
  dimension,
  divideDims,
  multiplyDims,
  type Shape,
  sizeOfDims,
} from '../graph/dimension.js';
import { twin } from '../graph/interning.js';
import { input, lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import { notDifferentiable, type Operand } from '../graph/op.js';
import type { Region } from '../graph/window.js';
import { dimensionList, formatShape, resolveAxis, stridesOf } from '../tensor/shape.js';
import { declare } from './declare.js';

const sameType = ([x]: readonly Node[]) => (x as Node).dtype;

const reorder = declare<{ readonly axes: readonly number[] }>({
  name: 'transpose',
  arity: 1,
  interned: true,
  dtype: sameType,
  shape: ([x], { axes }) => axes.map((axis) => (x as Node).shape[axis] as Dim),
  lowering: {
    kind: 'view',
    view: ({ attributes, inputShapes: [shape] }) => {
      const strides = stridesOf(shape as readonly number[]);
      return { offset: 0, strides: attributes.axes.map((axis) => strides[axis] as number) };
    },
  },
  gradient: ({ attributes: { axes }, gradient }) => [
    transpose(
      gradient,
      axes.map((_, axis) => axes.indexOf(axis)),
    ),
  ],
  local: ({ attributes, region }) => {
    const before = (list: Shape) =>
      list.map((_, axis) => list[attributes.axes.indexOf(axis)] as Dim);
    return {
      inputs: [{ start: before(region.start), shape: before(region.shape) }],
      attributes,
    };
  },
  label: ({ axes }) => axes.join(' '),
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => transpose(x as Node) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => transpose(x as Node, [1, 2, 0]) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => transpose(x as Node, [0, -1, 1]) },
    { inputs: [{ shape: [0, 3] }], build: (x) => transpose(x as Node) },
  ],
  refused: [
    {
      build: () => transpose(input('x', [2, 3]), [0, 0]),
      error: ShapeError,
      message: /^\[transpose\] expected each of the 2 axes once, but received \[0, 0\]/,
    },
    {
      build: () => transpose(input('x', [2, 3]), [0, 2]),
      error: ShapeError,
      message: /^\[transpose\] axis 2 is out of range \(allowed: -2 to 1\)/,
    },
  ],
});

/**
 * Permutes the axes of x. By default, the order of the axes is reversed. The result has the dtype of x, which may be
 * any dtype.
 * @param axes a list with one element for each axis of the result: the axis of x that becomes this axis
 * @throws ShapeError if `axes` is not a list that contains each axis of x once; ValueError if x is not a Node, Tensor
 *   or number
 */
export function transpose(x: Operand, axes?: readonly number[]): Node {
  const [node] = lift('transpose', [x]) as [Node];
  const rank = node.shape.length;
  const fail = failFor({ name: 'transpose' }, [node]);
  if (axes !== undefined && !isList(axes)) {
    fail.shape(
      `expected all axes in one list, as in transpose(x, [1, 0]), but received ${describeValue(axes)}`,
    );
  }
  const given = axes && assertList(axes, '[transpose] expected axes,');
  const resolved = given
    ? given.map((axis) => resolveAxis(axis, rank, '[transpose]'))
    : Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  if (resolved.length !== rank || new Set(resolved).size !== rank) {
    fail.shape(`expected each of the ${rank} axes once, but received ${formatShape(given ?? [])}`);
  }
  return resolved.every((axis, index) => axis === index)
    ? node
    : reorder([node], { axes: resolved });
}

const refold = declare<{ readonly shape: Shape }>({
  name: 'reshape',
  arity: 1,
  interned: true,
  dtype: sameType,
  shape: ([x], { shape }, fail) => {
    const from = (x as Node).shape;
    if (sizeOfDims(shape) !== sizeOfDims(from)) {
      fail.shape(
        `cannot reshape ${formatShape(from)} to ${formatShape(shape)}: the numbers of elements differ: ${sizeOfDims(from)} and ${sizeOfDims(shape)}`,
      );
    }
    return shape;
  },
  lowering: { kind: 'alias' },
  gradient: ({ inputs, gradient }) => [reshape(gradient, (inputs[0] as Node).shape)],
  local: ({ inputs: [x], attributes, region }) => {
    const from = axesOfOne((x as Node).shape, attributes.shape, region);
    return from && { inputs: [from], attributes: { shape: region.shape } };
  },
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => reshape(x as Node, [3, 2]) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => reshape(x as Node, [4, -1]) },
    { inputs: [{ shape: [0, 3] }], build: (x) => reshape(x as Node, [3, 0, 2]) },
    { inputs: [{ shape: [1, 1] }], build: (x) => reshape(x as Node, []) },
  ],
  refused: [
    {
      build: () => reshape(input('x', [2, 3]), [4, 2]),
      error: ShapeError,
      message:
        /^\[reshape\] cannot reshape \[2, 3\] to \[4, 2\]: the numbers of elements differ: 6 and 8/,
    },
    {
      build: () => reshape(input('x', ['batch', 3]), [2, -1]),
      error: ShapeError,
      message: /^\[reshape\] cannot infer -1: 3\*batch elements do not divide by 2/,
    },
    {
      build: () => reshape(input('x', [4]), [-1, -1]),
      error: ShapeError,
      message: /^\[reshape\] at most one dimension may be -1, but received \[-1, -1\]/,
    },
  ],
});

/**
 * If the shapes `from` and `to` differ only in axes of length 1, returns the region of `from` that has the elements of
 * a region of `to`. Otherwise returns undefined.
 */
function axesOfOne(from: Shape, to: Shape, region: Region): Region | undefined {
  const long = (shape: Shape) => shape.flatMap((dim, axis) => (dim === 1 ? [] : [axis]));
  const [axes, others] = [long(from), long(to)];
  if (
    axes.length !== others.length ||
    axes.some((axis, i) => from[axis] !== to[others[i] as number])
  ) {
    return undefined;
  }
  // An empty region may be empty along an axis of length 1, which `from` may not have.
  if (region.shape.some((dim, axis) => to[axis] === 1 && dim !== 1)) return undefined;
  const along = (list: Shape, one: Dim) =>
    from.map((dim, axis) =>
      dim === 1 ? one : (list[others[axes.indexOf(axis)] as number] as Dim),
    );
  return { start: along(region.start, 0), shape: along(region.shape, 1) };
}

/**
 * Returns the elements of x in another shape. Their row-major order stays the same. One dimension of `shape` may be -1;
 * it is inferred from the others and the number of elements. The result has the dtype of x, which may be any dtype.
 * @throws ShapeError if `shape` is not a shape, has another number of elements, or has a -1 that cannot be inferred;
 *   ValueError if x is not a Node, Tensor or number
 */
export function reshape(x: Operand, shape: readonly Dim[]): Node {
  const [node] = lift('reshape', [x]) as [Node];
  const fail = failFor({ name: 'reshape' }, [node]);
  const target = inferred(node, shape, fail);
  const same =
    target.length === node.shape.length && target.every((dim, i) => dim === node.shape[i]);
  return same ? node : refold([node], { shape: target });
}

/**
 * Returns a new node with the value of `node`. If the new node gets a label, or an origin (see graph/origins.ts), this
 * does not change `node`.
 */
export function sameAs(node: Node): Node {
  return node.op.interned ? node[twin]() : refold([node], { shape: node.shape })[twin]();
}

/** Returns the target shape of a reshape. If it contains -1, this dimension is inferred. */
function inferred(node: Node, given: readonly Dim[], fail: ReturnType<typeof failFor>): Shape {
  const shape = dimensionList(given, fail.where);
  const wildcards = shape.filter((dim) => dim === -1).length;
  if (wildcards > 1)
    return fail.shape(`at most one dimension may be -1, but received ${formatShape(shape)}`);
  const known = shape.map((dim) => (dim === -1 ? 1 : dimension(dim, '[reshape]')));
  if (wildcards === 0) return known;
  const size = sizeOfDims(node.shape);
  const product = known.reduce<Dim>(multiplyDims, 1);
  const missing = divideDims(size, product);
  if (
    missing === undefined ||
    (typeof missing === 'number' && (!Number.isInteger(missing) || missing < 0))
  ) {
    return fail.shape(`cannot infer -1: ${size} elements do not divide by ${product}`);
  }
  return known.map((dim, axis) => (shape[axis] === -1 ? missing : dim));
}

const stop = declare({
  name: 'stopGradient',
  arity: 1,
  dtype: sameType,
  shape: ([x]) => (x as Node).shape,
  lowering: { kind: 'alias' },
  gradient: notDifferentiable('its purpose is to stop the gradient'),
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => stopGradient(x as Node) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => stopGradient(x as Node) },
    { inputs: [{ shape: [0, 3] }], build: (x) => stopGradient(x as Node) },
  ],
  refused: [
    {
      build: () => stopGradient('x' as unknown as Operand),
      error: ValueError,
      message:
        /^\[stopGradient\] expected a node, a tensor or a number as operand 0, but received the string "x"/,
    },
  ],
});

/**
 * Returns a node with the value of x. No gradient flows through this node to x.
 * @throws ValueError if x is not a Node, Tensor or number
 */
export function stopGradient(x: Operand): Node {
  return stop([x], {});
}
