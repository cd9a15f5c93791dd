/**
 * Ops that read or write elements at indices: `gather`, `takeAlongAxis` and `scatterAdd`. The gradients of those that
 * read are computed by those that add, and the reverse.
 */

import { DTypeError, ShapeError } from '../errors.js';
import { type Dim, type Shape, sameShape } from '../graph/dimension.js';
import { constant, input, lift } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { type Fail, none, type Operand, type Sample, type SampleInput } from '../graph/op.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape, resolveAxis, sizeOf } from '../tensor/shape.js';
import { isTensor } from '../tensor/tensor.js';
import { broadcastTo } from './broadcast.js';
import { cast } from './comparison.js';
import { type Apply, declare } from './declare.js';
import { numberDType } from './rules.js';
import { slice } from './slice.js';

interface AxisAttributes {
  readonly axis: number;
}

/** Returns the shape [outer, n, inner] in which a routine reads a tensor along an axis. */
export function aroundAxis(shape: readonly number[], axis: number): [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis] as number, sizeOf(shape.slice(axis + 1))];
}

/**
 * Returns indices for the routines, which read int32. A whole number becomes a constant of int32, because other ops lift
 * numbers to floats.
 */
function asIndices(indices: Operand): Operand {
  if (Number.isInteger(indices)) return constant(indices as number, { dtype: 'int32' });
  const isBytes = (isNode(indices) || isTensor(indices)) && indices.dtype === 'uint8';
  return isBytes ? cast(indices, 'int32') : indices;
}

/** @throws ShapeError if an axis has no elements, so that no index is valid, but there are `count` indices */
function assertElements([, n]: readonly number[], axis: number, count: number): void {
  if (n === 0 && count > 0) {
    throw new ShapeError(`axis ${axis} of x has no elements, so that no index is valid`);
  }
}

/** @throws DTypeError if the node is not of int32; `asIndices` has converted uint8 */
function assertIndices({ dtype }: Node, fail: Fail): void {
  if (dtype !== 'int32') fail.dtype(`expected indices of int32 or uint8, but received ${dtype}`);
}

/** @throws DTypeError if x is bool or uint8, if the updates have another dtype, or if the indices are not of int32 */
function updateDType(inputs: readonly Node[], fail: Fail): DType {
  const [, indices, updates] = inputs;
  assertIndices(indices as Node, fail);
  const dtype = numberDType(inputs, {}, fail);
  const other = (updates as Node).dtype;
  if (dtype !== other) fail.dtype(`x is of ${dtype}, but the updates are of ${other}`);
  return dtype;
}

/** Returns zeros with the shape and the dtype of x. */
function zerosLike({ dtype, shape }: Node): Node {
  return broadcastTo(constant(0, { dtype }), shape);
}

const indicesOf = (shape: readonly number[], values: readonly number[]): SampleInput => ({
  shape,
  values,
  dtype: 'int32',
});

const rows = declare<AxisAttributes>({
  name: 'gather',
  arity: 2,
  dtype: ([x, indices], _attributes, fail) => {
    assertIndices(indices as Node, fail);
    return (x as Node).dtype;
  },
  shape: ([x, indices], { axis }) => takenShape(x as Node, indices as Node, axis),
  lowering: {
    kind: 'routine',
    routine: 'gather',
    call: ({ attributes: { axis }, inputShapes: [x, indices] }) => {
      const from = aroundAxis(x as readonly number[], axis);
      const count = sizeOf(indices as readonly number[]);
      assertElements(from, axis, count * from[0] * from[2]);
      return { reads: [from, [count]], write: [from[0], count, from[2]], integers: [axis] };
    },
  },
  gradient: ({ inputs: [x, indices], attributes: { axis }, gradient }) => [
    scatterAdd(zerosLike(x as Node), indices as Node, gradient, axis),
    none,
  ],
  label: ({ axis }) => `${axis}`,
  samples: [
    {
      inputs: [{ shape: [4, 3] }, indicesOf([5], [3, 0, -1, 0, 2])],
      build: (x, indices) => gather(x as Node, indices as Node),
    },
    {
      inputs: [{ shape: [2, 3, 4] }, indicesOf([2, 2], [2, -3, 1, 1])],
      build: (x, indices) => gather(x as Node, indices as Node, 1),
    },
    {
      inputs: [{ shape: [5] }, indicesOf([], [-2])],
      build: (x, indices) => gather(x as Node, indices as Node),
    },
    {
      inputs: [{ shape: [3, 0] }, indicesOf([2], [0, 1])],
      build: (x, indices) => gather(x as Node, indices as Node),
    },
    {
      inputs: [{ shape: [3, 2] }, indicesOf([0], [])],
      build: (x, indices) => gather(x as Node, indices as Node),
    },
  ],
  refused: [
    {
      build: () => gather(input('x', [3, 2]), input('indices', [2])),
      error: DTypeError,
      message: /^\[gather\] expected indices of int32 or uint8, but received float32/,
    },
    {
      build: () => gather(input('x', [3, 2]), input('indices', [2], { dtype: 'int32' }), 2),
      error: ShapeError,
      message: /^\[gather\] axis 2 is out of range/,
    },
  ],
});

/** Returns the shape of x in which the axis is replaced by the axes of the indices. */
function takenShape({ shape }: Node, indices: Node, axis: number): Shape {
  return [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)];
}

/**
 * Returns the elements of x at the given indices along one axis, as NumPy's `take`: with axis 0, the rows of x. An index
 * is from -n to n - 1, where n is the length of the axis; negative indices count from the end. The result has the dtype
 * of x and the shape of x, in which the axis is replaced by the axes of `indices`.
 * @param indices a Node, Tensor or number of int32 or uint8, of any shape
 * @param axis the axis of the indices; 0 by default. A negative axis counts from the end
 * @throws ShapeError if the axis is out of range; DTypeError if the indices are neither int32 nor uint8; ValueError if
 *   an operand is not a Node, Tensor or number. A run throws ValueError if an index is out of range, unless the result
 *   has no elements; it then writes nothing
 */
export function gather(x: Operand, indices: Operand, axis = 0): Node {
  const [from, at] = lift('gather', [x, asIndices(indices)]) as [Node, Node];
  return rows([from, at], { axis: resolveAxis(axis, from.shape.length, '[gather]') });
}

const added = declare<AxisAttributes>({
  name: 'scatterAdd',
  arity: 3,
  dtype: (inputs, _attributes, fail) => updateDType(inputs, fail),
  shape: ([x, indices, updates], { axis }, fail) => {
    const expected = takenShape(x as Node, indices as Node, axis);
    const { shape } = updates as Node;
    if (!sameShape(shape, expected)) {
      fail.shape(
        `expected updates of shape ${formatShape(expected)}, but received ${formatShape(shape)}`,
      );
    }
    return (x as Node).shape;
  },
  lowering: {
    kind: 'routine',
    routine: 'scatterAdd',
    call: ({ attributes: { axis }, inputShapes: [x, indices] }) => {
      const to = aroundAxis(x as readonly number[], axis);
      const count = sizeOf(indices as readonly number[]);
      assertElements(to, axis, count * to[0] * to[2]);
      return { reads: [to, [count], [to[0], count, to[2]]], write: to, integers: [axis] };
    },
  },
  gradient: ({ inputs: [, indices], attributes: { axis }, gradient }) => [
    gradient,
    none,
    gather(gradient, indices as Node, axis),
  ],
  label: ({ axis }) => `${axis}`,
  samples: [
    {
      inputs: [{ shape: [4, 3] }, indicesOf([5], [3, 0, -1, 0, 2]), { shape: [5, 3] }],
      build: (x, indices, updates) => scatterAdd(x as Node, indices as Node, updates as Node),
    },
    {
      inputs: [{ shape: [2, 3, 4] }, indicesOf([2, 2], [2, -3, 1, 1]), { shape: [2, 2, 2, 4] }],
      build: (x, indices, updates) => scatterAdd(x as Node, indices as Node, updates as Node, 1),
    },
    {
      inputs: [{ shape: [3, 0] }, indicesOf([2], [0, 1]), { shape: [2, 0] }],
      build: (x, indices, updates) => scatterAdd(x as Node, indices as Node, updates as Node),
    },
    {
      inputs: [{ shape: [3, 2] }, indicesOf([0], []), { shape: [0, 2] }],
      build: (x, indices, updates) => scatterAdd(x as Node, indices as Node, updates as Node),
    },
  ],
  refused: [
    {
      build: () =>
        scatterAdd(input('x', [3, 2]), input('i', [4], { dtype: 'int32' }), input('u', [3, 2])),
      error: ShapeError,
      message: /^\[scatterAdd\] expected updates of shape \[4, 2\], but received \[3, 2\]/,
    },
    {
      build: () => scatterAdd(input('x', [3, 2]), input('i', [4]), input('u', [4, 2])),
      error: DTypeError,
      message: /^\[scatterAdd\] expected indices of int32 or uint8, but received float32/,
    },
  ],
});

/**
 * Returns x with `updates` added at the given indices along one axis: with axis 0, to the rows of x. It is the gradient
 * of `gather`. If an index appears several times, its updates are added in the order of the indices, so the result does
 * not depend on the number of threads. The result has the shape and the dtype of x.
 * @param indices a Node, Tensor or number of int32 or uint8, of any shape; from -n to n - 1, where n is the length of the
 *   axis
 * @param updates of the dtype of x, and of the shape of x in which the axis is replaced by the axes of `indices`
 * @param axis the axis of the indices; 0 by default. A negative axis counts from the end
 * @throws ShapeError if the axis is out of range or the shape of the updates does not fit; DTypeError if the indices
 *   are neither int32 nor uint8, if x is bool or uint8, or if the dtypes of x and the updates differ; ValueError if an
 *   operand is not a Node, Tensor or number. A run throws ValueError if an index is out of range, unless the result has
 *   no elements; it then writes nothing
 */
export function scatterAdd(x: Operand, indices: Operand, updates: Operand, axis = 0): Node {
  const [to, at, from] = lift('scatterAdd', [x, asIndices(indices), updates]) as [Node, Node, Node];
  return added([to, at, from], { axis: resolveAxis(axis, to.shape.length, '[scatterAdd]') });
}

/** Refuses shapes that differ in more than the axis. */
function assertAlike(x: Node, indices: Node, axis: number, fail: Fail): void {
  const fits =
    x.shape.length === indices.shape.length &&
    x.shape.every((dim, i) => i === axis || dim === indices.shape[i]);
  if (!fits) {
    fail.shape(
      `x and the indices differ in more than axis ${axis}: ${formatShape(x.shape)} and ${formatShape(indices.shape)}`,
    );
  }
}

const along = [
  { x: [3, 4], at: [2, 4], values: [0, -1, 2, 1, 2, 2, 0, 0], axis: 0 },
  {
    x: [2, 3, 2],
    at: [2, 4, 2],
    values: [0, 1, 2, -1, 0, 0, 1, 1, 2, -3, 1, 1, 0, 0, 2, 2],
    axis: 1,
  },
  { x: [2, 0], at: [0, 0], values: [], axis: 0 },
  { x: [2, 3], at: [2, 0], values: [], axis: 1 },
] as const;

const taken = declare<AxisAttributes>({
  name: 'takeAlongAxis',
  arity: 2,
  dtype: ([x, indices], _attributes, fail) => {
    assertIndices(indices as Node, fail);
    return (x as Node).dtype;
  },
  shape: ([x, indices], { axis }, fail) => {
    assertAlike(x as Node, indices as Node, axis, fail);
    return (indices as Node).shape;
  },
  lowering: {
    kind: 'routine',
    routine: 'takeAlongAxis',
    call: ({ attributes: { axis }, inputShapes: [x, indices] }) => {
      const from = aroundAxis(x as readonly number[], axis);
      const to = aroundAxis(indices as readonly number[], axis);
      assertElements(from, axis, sizeOf(to));
      return { reads: [from, to], write: to, integers: [axis] };
    },
  },
  gradient: ({ inputs: [x, indices], attributes, gradient }) => [
    addAlongAxis(x as Node, indices as Node, gradient, attributes.axis),
    none,
  ],
  label: ({ axis }) => `${axis}`,
  samples: along.map(({ x: shape, at, values, axis }) => ({
    inputs: [{ shape }, indicesOf(at, values)],
    build: (x, indices) => takeAlongAxis(x as Node, indices as Node, axis),
  })),
  refused: [
    {
      build: () => takeAlongAxis(input('x', [3, 2]), input('i', [2, 3], { dtype: 'int32' }), 0),
      error: ShapeError,
      message:
        /^\[takeAlongAxis\] x and the indices differ in more than axis 0: \[3, 2\] and \[2, 3\]/,
    },
    {
      build: () => takeAlongAxis(input('x', [3, 2]), input('i', [2, 2]), 0),
      error: DTypeError,
      message: /^\[takeAlongAxis\] expected indices of int32 or uint8/,
    },
  ],
});

/**
 * Returns, for each element of `indices`, the element of x at this index along one axis, as torch.gather:
 * result[i, j] = x[indices[i, j], j] for axis 0 of matrices. An index is from -n to n - 1, where n is the length of the
 * axis of x. The result has the shape of `indices` and the dtype of x.
 * @param indices of int32 or uint8. It has as many axes as x. Along any other axis, it is as long as x. If both lengths are
 *   numbers, it may also be shorter; the rest of x is then not read
 * @param axis the axis; a negative axis counts from the end
 * @throws ShapeError if the axis is out of range or the shapes do not fit; DTypeError if the indices are neither int32
 *   nor uint8; ValueError if an operand is not a Node, Tensor or number. A run throws ValueError if an index is out of range; it
 *   then writes nothing
 */
export function takeAlongAxis(x: Operand, indices: Operand, axis: number): Node {
  const [from, at] = lift('takeAlongAxis', [x, asIndices(indices)]) as [Node, Node];
  const resolved = resolveAxis(axis, from.shape.length, '[takeAlongAxis]');
  return taken([withinShape(from, at, resolved), at], { axis: resolved });
}

/** Returns the part of x that has the lengths of `indices`, except along the axis. */
function withinShape(x: Node, indices: Node, axis: number): Node {
  if (x.shape.length !== indices.shape.length) return x;
  return indices.shape.reduce<Node>((part: Node, end: Dim, i: number) => {
    const length = x.shape[i] as Dim;
    const shorter = typeof end === 'number' && typeof length === 'number' && end < length;
    return i !== axis && shorter ? slice(part, { axis: i, end }) : part;
  }, x);
}

const addedAlong: Apply<AxisAttributes> = declare<AxisAttributes>({
  name: 'scatterAddAlongAxis',
  arity: 3,
  dtype: (inputs, _attributes, fail) => updateDType(inputs, fail),
  shape: ([x, indices, updates], { axis }, fail) => {
    assertAlike(x as Node, indices as Node, axis, fail);
    const [at, from] = [(indices as Node).shape, (updates as Node).shape];
    if (!sameShape(at, from)) {
      fail.shape(`the updates have shape ${formatShape(from)}, the indices ${formatShape(at)}`);
    }
    return (x as Node).shape;
  },
  lowering: {
    kind: 'routine',
    routine: 'scatterAddAlongAxis',
    call: ({ attributes: { axis }, inputShapes: [x, indices] }) => {
      const to = aroundAxis(x as readonly number[], axis);
      const from = aroundAxis(indices as readonly number[], axis);
      assertElements(to, axis, sizeOf(from));
      return { reads: [to, from, from], write: to, integers: [axis] };
    },
  },
  gradient: ({ inputs: [, indices], attributes, gradient }) => [
    gradient,
    none,
    taken([gradient, indices as Node], attributes),
  ],
  label: ({ axis }) => `${axis}`,
  samples: along.map(
    ({ x: shape, at, values, axis }): Sample => ({
      inputs: [{ shape }, indicesOf(at, values), { shape: at }],
      build: (...inputs) => addedAlong(inputs, { axis }),
    }),
  ),
  refused: [
    {
      build: () =>
        addedAlong(
          [input('x', [3, 2]), input('i', [2, 2], { dtype: 'int32' }), input('u', [2, 3])],
          { axis: 0 },
        ),
      error: ShapeError,
      message: /^\[scatterAddAlongAxis\] the updates have shape \[2, 3\], the indices \[2, 2\]/,
    },
    {
      build: () =>
        addedAlong(
          [
            input('x', [3, 2]),
            input('i', [2, 2], { dtype: 'int32' }),
            input('u', [2, 2], { dtype: 'float64' }),
          ],
          { axis: 0 },
        ),
      error: DTypeError,
      message: /^\[scatterAddAlongAxis\] x is of float32, but the updates are of float64/,
    },
  ],
});

/**
 * Returns zeros of the shape of x with `updates` added at the indices along the axis: the gradient of `takeAlongAxis`
 * with respect to x.
 */
export function addAlongAxis(x: Node, indices: Node, updates: Node, axis: number): Node {
  return addedAlong([zerosLike(x), indices, updates], { axis });
}
