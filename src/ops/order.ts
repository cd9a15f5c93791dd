/** Ops that sort along an axis, and the running sum and the running product along an axis. */

import { describeValue } from '../arguments/describe.js';
import { flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import { type Dim, sameShape } from '../graph/dimension.js';
import { constant, input, lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import { none, notDifferentiable, type Operand } from '../graph/op.js';
import { result } from '../graph/result.js';
import { formatShape, resolveAxis } from '../tensor/shape.js';
import { mul } from './arithmetic.js';
import { broadcastTo } from './broadcast.js';
import { type Apply, declare, declareSeveral } from './declare.js';
import { addAlongAxis, aroundAxis, takeAlongAxis } from './indexing.js';
import { floatingDType, indexDType, numberDType } from './rules.js';
import { slice } from './slice.js';
import { concat } from './windows.js';

interface SortAttributes {
  readonly axis: number;
  readonly descending: boolean;
}

const sortOptions = declareOptions('sort, argsort, sortWithIndices', {
  /** If true, the largest element is the first. The default is false. */
  descending: optional(flag, 'reverse'),
});

/** Options of `sort`, `argsort` and `sortWithIndices`. */
export interface SortOptions extends OptionsOf<typeof sortOptions> {}

/** The integers of the routines `sort` and `argsort`. */
const sortIntegers = ({ descending }: SortAttributes) => [Number(descending)];

const sortLabel = ({ axis, descending }: SortAttributes) =>
  `${axis}${descending ? ' descending' : ''}`;

const positions = declare<SortAttributes>({
  name: 'argsort',
  arity: 1,
  dtype: indexDType,
  shape: ([x]) => (x as Node).shape,
  lowering: {
    kind: 'routine',
    routine: 'argsort',
    call: ({ attributes, shape }) => {
      const around = aroundAxis(shape, attributes.axis);
      return { reads: [around], write: around, integers: sortIntegers(attributes) };
    },
  },
  gradient: notDifferentiable('an index is an integer'),
  label: sortLabel,
  samples: [
    { inputs: [{ shape: [2, 5] }], build: (x) => argsort(x as Node) },
    {
      inputs: [{ shape: [2, 4, 3] }],
      build: (x) => argsort(x as Node, 1, { descending: true }),
    },
    { inputs: [{ shape: [0, 3] }], build: (x) => argsort(x as Node) },
  ],
  refused: [
    {
      build: () => argsort(input('x', [2]), 1),
      error: ShapeError,
      message: /^\[argsort\] axis 1 is out of range/,
    },
  ],
});

/**
 * Returns the indices, as int32, that sort x along an axis: takeAlongAxis(x, argsort(x, axis), axis) is sorted. The sort
 * is stable: equal elements keep their order, also if the order is descending. NaN counts as the largest number. The
 * result has the shape of x. No gradient flows through `argsort`.
 * @param axis the axis; the last by default. A negative axis counts from the end
 * @throws ShapeError if the axis is out of range; DTypeError if x is bool or uint8; ValueError if x is not a Node, Tensor
 *   or number, or if an option is unknown
 */
export function argsort(x: Operand, axis = -1, options?: SortOptions): Node {
  const { node, attributes } = sorting('argsort', x, axis, options);
  return positions([node], attributes);
}

const sorted = declareSeveral<SortAttributes, 'values' | 'indices'>({
  name: 'sort',
  arity: 1,
  interned: true,
  results: (inputs, _attributes, fail) => {
    const [x] = inputs as [Node];
    return {
      values: { dtype: numberDType(inputs, {}, fail), shape: x.shape },
      indices: { dtype: 'int32', shape: x.shape },
    };
  },
  lowering: {
    kind: 'routine',
    routine: 'sort',
    call: ({ attributes, inputShapes: [x] }) => {
      const around = aroundAxis(x as readonly number[], attributes.axis);
      const writes = { values: around, indices: around };
      return { reads: [around], writes, integers: sortIntegers(attributes) };
    },
  },
  // The elements are sorted once: the gradient reads the indices that the sort wrote.
  gradient: ({ node, inputs: [x], attributes: { axis }, gradients: { values } }) => [
    values === none || values === undefined
      ? none
      : addAlongAxis(x as Node, result(node, 'indices'), values, axis),
  ],
  label: sortLabel,
  samples: [
    { inputs: [{ shape: [2, 5] }], build: (x) => sort(x as Node) },
    { inputs: [{ shape: [2, 4, 3] }], build: (x) => sort(x as Node, 1, { descending: true }) },
    { inputs: [{ shape: [0, 3] }], build: (x) => sort(x as Node) },
    { inputs: [{ shape: [3, 4] }], build: (x) => sortWithIndices(x as Node, 0).indices },
  ],
  refused: [
    {
      build: () => sort(input('x', [2]), 1),
      error: ShapeError,
      message: /^\[sort\] axis 1 is out of range/,
    },
  ],
});

/**
 * Returns the elements of x, sorted along an axis. The sort is stable: equal elements keep their order, also if the
 * order is descending. NaN counts as the largest number, so it is last, or first if the order is descending. The result
 * has the shape and the dtype of x. The gradient goes to the elements from which the sorted ones come.
 * @param axis the axis; the last by default. A negative axis counts from the end
 * @throws ShapeError if the axis is out of range; DTypeError if x is bool or uint8; ValueError if x is not a Node, Tensor
 *   or number, or if an option is unknown
 */
export function sort(x: Operand, axis = -1, options?: SortOptions): Node {
  const { node, attributes } = sorting('sort', x, axis, options);
  return sorted([node], attributes).values;
}

/**
 * Returns the elements of x, sorted along an axis, and their indices as int32. It takes as long as `sort` alone. The
 * results are those of `sort` and `argsort`: the sort is stable, NaN counts as the largest number, and the gradient goes
 * to the elements from which the sorted ones come. Both results have the shape of x.
 * @param axis the axis; the last by default. A negative axis counts from the end
 * @throws ShapeError if the axis is out of range; DTypeError if x is bool or uint8; ValueError if x is not a Node, Tensor
 *   or number, or if an option is unknown
 */
export function sortWithIndices(
  x: Operand,
  axis = -1,
  options?: SortOptions,
): { readonly values: Node; readonly indices: Node } {
  const { node, attributes } = sorting('sortWithIndices', x, axis, options);
  return sorted([node], attributes);
}

/** Reads the arguments of the ops that sort. */
function sorting(name: string, x: Operand, axis: number, options: SortOptions | undefined) {
  const { descending = false } = sortOptions.read(options, `[${name}]`);
  const [node] = lift(name, [x]) as [Node];
  const resolved = resolveAxis(axis, node.shape.length, `[${name}]`);
  return { node, attributes: { axis: resolved, descending } };
}

interface TopAttributes {
  readonly axis: number;
  readonly k: number;
}

const largestPositions = declare<TopAttributes>({
  name: 'topK',
  arity: 1,
  dtype: indexDType,
  shape: ([x], { axis, k }) => (x as Node).shape.map((dim, i) => (i === axis ? k : dim)),
  lowering: {
    kind: 'routine',
    routine: 'topK',
    call: ({ attributes: { axis, k }, shape, inputShapes: [x] }) => {
      const from = x as readonly number[];
      const length = from[axis] as number;
      if (length < k) {
        // The op could not check this, because the length of a named axis is known only when its name is bound.
        throw new ShapeError(
          `expected at least ${k} elements along axis ${axis}, but there are ${length}`,
        );
      }
      return { reads: [aroundAxis(from, axis)], write: aroundAxis(shape, axis), integers: [] };
    },
  },
  gradient: notDifferentiable('an index is an integer'),
  label: ({ axis, k }) => `${k} along ${axis}`,
  samples: [
    { inputs: [{ shape: [2, 5] }], build: (x) => topK(x as Node, 3).indices },
    { inputs: [{ shape: [2, 4, 3] }], build: (x) => topK(x as Node, 1, 1).indices },
    { inputs: [{ shape: [0, 3] }], build: (x) => topK(x as Node, 2).indices },
    { inputs: [{ shape: [3] }], build: (x) => topK(x as Node, 0).indices },
  ],
  refused: [
    {
      build: () => topK(input('x', [2, 3]), 4),
      error: ShapeError,
      message: /^\[topK\] expected at least 4 elements along axis 1, but there are 3/,
    },
    {
      build: () => topK(input('x', [2, 3]), 1.5),
      error: ValueError,
      message: /^\[topK\] expected k to be a whole number, but received number 1\.5/,
    },
  ],
});

/**
 * Returns the k largest elements of x along an axis, and their indices as int32. The largest is first. NaN counts as the
 * largest number. Equal elements are in the order of their indices. Both results have the shape of x, in which the axis
 * has length k; `values` have the dtype of x. The gradient goes to the elements that were chosen.
 * @param k a whole number, at most the length of the axis
 * @param axis the axis; the last by default. A negative axis counts from the end
 * @throws ShapeError if the axis is out of range or has fewer than k elements; ValueError if x is not a Node, Tensor or
 *   number, or if k is not a whole number
 */
export function topK(
  x: Operand,
  k: number,
  axis = -1,
): { readonly values: Node; readonly indices: Node } {
  const [node] = lift('topK', [x]) as [Node];
  const fail = failFor({ name: 'topK' }, [node]);
  const resolved = resolveAxis(axis, node.shape.length, '[topK]');
  if (!Number.isSafeInteger(k) || k < 0) {
    fail.value(`expected k to be a whole number, but received ${describeValue(k)}`);
  }
  const length = node.shape[resolved] as Dim;
  if (typeof length === 'number' && length < k) {
    fail.shape(`expected at least ${k} elements along axis ${resolved}, but there are ${length}`);
  }
  const indices = largestPositions([node], { axis: resolved, k });
  return { values: takeAlongAxis(node, indices, resolved), indices };
}

interface RunningAttributes {
  readonly axis: number;
  /** Whether the sums start at the end of the axis. */
  readonly reverse: boolean;
}

const runningLabel = ({ axis, reverse }: RunningAttributes) =>
  `${axis}${reverse ? ' from the end' : ''}`;

const running: Apply<RunningAttributes> = declare<RunningAttributes>({
  name: 'cumsum',
  arity: 1,
  dtype: numberDType,
  shape: ([x]) => (x as Node).shape,
  lowering: {
    kind: 'routine',
    routine: 'cumsum',
    call: ({ attributes: { axis, reverse }, shape }) => {
      const around = aroundAxis(shape, axis);
      return { reads: [around], write: around, integers: [Number(reverse)] };
    },
  },
  gradient: ({ attributes: { axis, reverse }, gradient }) => [
    running([gradient], { axis, reverse: !reverse }),
  ],
  label: runningLabel,
  samples: [
    { inputs: [{ shape: [2, 5] }], build: (x) => cumsum(x as Node, 1) },
    { inputs: [{ shape: [2, 4, 3] }], build: (x) => cumsum(x as Node, -2) },
    { inputs: [{ shape: [0, 3] }], build: (x) => cumsum(x as Node, 0) },
  ],
  refused: [
    {
      build: () => cumsum(input('x', [2]), 1),
      error: ShapeError,
      message: /^\[cumsum\] axis 1 is out of range/,
    },
  ],
});

/**
 * Returns the running sums along an axis: result[j] = x[0] + … + x[j]. Sums of floats are accumulated in float64; sums
 * of int32 wrap around. The result has the shape and the dtype of x.
 * @param axis the axis; a negative axis counts from the end
 * @throws ShapeError if the axis is out of range; ValueError if x is not a Node, Tensor or number
 */
export function cumsum(x: Operand, axis: number): Node {
  const [node] = lift('cumsum', [x]) as [Node];
  const resolved = resolveAxis(axis, node.shape.length, '[cumsum]');
  return running([node], { axis: resolved, reverse: false });
}

/** Returns x, moved by one element along an axis: `first`, then all elements of x but the last one. */
function moved(x: Node, axis: number, first: number): Node {
  const one = x.shape.map((dim, i) => (i === axis ? 1 : dim));
  const before = broadcastTo(constant(first, { dtype: x.dtype }), one);
  // The slice ends in the concatenation, not in x, because the axis may have no elements.
  return slice(concat([before, x], axis), { axis, start: 0, end: x.shape[axis] as Dim });
}

/**
 * The linear recurrence result[j] = b[j] + a[j] result[j - 1], which starts at 0, so a[0] is not used. With `reverse`,
 * its adjoint: result[j] = b[j] + a[j + 1] result[j + 1]. The gradient of each is the other one. It has no division, so
 * derivatives of `cumprod` of any order are correct at zeros, too.
 */
const recurrence: Apply<RunningAttributes> = declare<RunningAttributes>({
  name: 'recurrence',
  arity: 2,
  dtype: floatingDType,
  shape: ([b, a], _attributes, fail) => {
    const [{ shape }, { shape: factors }] = [b as Node, a as Node];
    if (sameShape(shape, factors)) return shape;
    return fail.shape(`shapes differ: ${formatShape(shape)} and ${formatShape(factors)}`);
  },
  lowering: {
    kind: 'routine',
    routine: 'recurrence',
    call: ({ attributes: { axis, reverse }, shape }) => {
      const around = aroundAxis(shape, axis);
      return { reads: [around, around], write: around, integers: [Number(reverse)] };
    },
  },
  gradient: ({ node, inputs: [, a], attributes: { axis, reverse }, gradient }) => {
    const adjoint = recurrence([gradient, a as Node], { axis, reverse: !reverse });
    const [forward, backward] = reverse ? [adjoint, node] : [node, adjoint];
    return [adjoint, mul(backward, moved(forward, axis, 0))];
  },
  label: runningLabel,
  samples: [
    {
      inputs: [{ shape: [2, 5] }, { shape: [2, 5] }],
      build: (b, a) => recurrence([b as Node, a as Node], { axis: 1, reverse: false }),
    },
    {
      inputs: [{ shape: [2, 4, 3] }, { shape: [2, 4, 3] }],
      build: (b, a) => recurrence([b as Node, a as Node], { axis: 1, reverse: true }),
    },
    {
      inputs: [{ shape: [0, 3] }, { shape: [0, 3] }],
      build: (b, a) => recurrence([b as Node, a as Node], { axis: 0, reverse: false }),
    },
  ],
  refused: [
    {
      build: () => recurrence([input('b', [2]), input('a', [3])], { axis: 0, reverse: false }),
      error: ShapeError,
      message: /^\[recurrence\] shapes differ: \[2\] and \[3\]/,
    },
  ],
});

interface AlongAttributes {
  readonly axis: number;
}

const products: Apply<AlongAttributes> = declare<AlongAttributes>({
  name: 'cumprod',
  arity: 1,
  dtype: floatingDType,
  shape: ([x]) => (x as Node).shape,
  lowering: {
    kind: 'routine',
    routine: 'cumprod',
    call: ({ attributes: { axis }, shape }) => {
      const around = aroundAxis(shape, axis);
      return { reads: [around], write: around, integers: [] };
    },
  },
  // The gradient of x[i] is the product of the elements before it, times the sum over j >= i of the gradient of
  // result[j] times the product of the elements between i and j.
  gradient: ({ node, inputs: [x], attributes: { axis }, gradient }) => [
    mul(recurrence([gradient, x as Node], { axis, reverse: true }), moved(node, axis, 1)),
  ],
  label: ({ axis }) => `${axis}`,
  samples: [
    { inputs: [{ shape: [2, 5] }], build: (x) => cumprod(x as Node, 1) },
    { inputs: [{ shape: [2, 4, 3] }], build: (x) => cumprod(x as Node, -2) },
    { inputs: [{ shape: [0, 3] }], build: (x) => cumprod(x as Node, 0) },
    {
      inputs: [{ shape: [2, 4], values: [2, 0, 3, -1, 0, 1.5, 0, 2] }],
      build: (x) => cumprod(x as Node, 1),
    },
  ],
  refused: [
    {
      build: () => cumprod(input('x', [2]), 1),
      error: ShapeError,
      message: /^\[cumprod\] axis 1 is out of range/,
    },
    {
      build: () => cumprod(input('x', [2], { dtype: 'int32' }), 0),
      error: DTypeError,
      message: /^\[cumprod\] is defined for float32 and float64, but received int32/,
    },
  ],
});

/**
 * Returns the running products along an axis: result[j] = x[0] * … * x[j]. They are accumulated in float64. The result
 * has the shape and the dtype of x, which is float32 or float64. The gradient is correct for elements that are 0, too.
 * @param axis the axis; a negative axis counts from the end
 * @throws ShapeError if the axis is out of range; DTypeError if x is not float32 or float64; ValueError if x is not a
 *   Node, Tensor or number
 */
export function cumprod(x: Operand, axis: number): Node {
  const [node] = lift('cumprod', [x]) as [Node];
  const resolved = resolveAxis(axis, node.shape.length, '[cumprod]');
  return products([node], { axis: resolved });
}
