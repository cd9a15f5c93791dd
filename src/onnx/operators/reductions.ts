/** Operators that reduce axes, or run along them. */

import { addDims, type Dim, multiplyDims } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import {
  abs,
  argmax,
  argmin,
  argsort,
  broadcastTo,
  concat,
  cumprod,
  cumsum,
  flip,
  log,
  logSumExp,
  max,
  mean,
  min,
  norm,
  prod,
  slice,
  square,
  sub,
  sum,
  takeAlongAxis,
  topK,
} from '../../ops/index.js';
import type { Call } from '../call.js';
import { type ElementType, elementTypes, isFloatingType, Known } from '../elements.js';
import { axesOf, axisOf, foldable, numeric, type Row, type Rows, row } from './row.js';

type Reduce = (x: Node, axes: readonly number[], options: { keepDims: boolean }) => Node;

/**
 * A reduction. Its axes are an attribute before the version `since`, and then an input. Without axes it reduces all, or,
 * if an attribute says so, none.
 */
function reduction(
  reduce: Reduce,
  {
    since = 18,
    alone = (x: Node) => x,
    known,
    neutral = 0,
  }: {
    since?: number;
    /** What remains of the function if there are no axes to reduce. */
    alone?: (x: Node) => Node;
    /** The function of integers and of dimensions with names. */
    known?: (a: Dim, b: Dim) => Dim;
    neutral?: number;
  } = {},
): Row {
  return row((call) => {
    const { type, node } = call.value(0);
    const given =
      call.version >= since && call.has(1) ? call.numbers(1, 'axes') : call.ints('axes', undefined);
    const none = call.flag('noop_with_empty_axes');
    const keepDims = call.flag('keepdims', true);
    const axes = given !== undefined && given.length > 0 ? given : undefined;
    const reduces = axes !== undefined || !none;
    const folded =
      known && reduces ? foldAll(call, type, axes, keepDims, known, neutral) : undefined;
    if (folded !== undefined) return folded;
    if (type.name === 'bool') call.unsupported('bools');
    if (axes === undefined && none) return call.as(type, numeric(type, [node], alone));
    const resolved = axesOf(axes, node.shape.length);
    const apply = (x: Node) => reduce(x, resolved, { keepDims });
    return call.as(type, numeric(type, [node], apply));
  });
}

/** Reduces a list of integers that are known to one. */
function foldAll(
  call: Call,
  type: ElementType,
  axes: readonly number[] | undefined,
  keepDims: boolean,
  reduce: (a: Dim, b: Dim) => Dim,
  neutral: number,
) {
  const elements = isFloatingType(type) ? undefined : foldable(call.value(0))?.elements;
  const rank = call.value(0).shape.length;
  if (elements === undefined || rank !== 1 || (axes !== undefined && axes.length !== 1)) {
    return undefined;
  }
  return call.result(new Known(type, keepDims ? [1] : [], [elements.reduce(reduce, neutral)]));
}

/** The position of the largest or the smallest element along an axis. */
function position(find: (x: Node, axis: number, options: { keepDims: boolean }) => Node): Row {
  return row((call) => {
    const x = call.node(0);
    const axis = axisOf(call.int('axis', 0), x.shape.length);
    const options = { keepDims: call.flag('keepdims', true) };
    if (!call.flag('select_last_index')) return call.as(elementTypes.int64, find(x, axis, options));
    const length = x.shape[axis] as Dim;
    if (typeof length !== 'number') {
      return call.unsupported(`select_last_index along an axis of the length '${length}'`);
    }
    const fromEnd = find(flip(x, axis), axis, options);
    const last = numeric(elementTypes.int64, [fromEnd], (index) => sub(length - 1, index));
    return call.as(elementTypes.int64, last);
  });
}

/** A running sum or product along an axis, which is an input. */
function running(run: (x: Node, axis: number) => Node, neutral: number): Row {
  return row((call) => {
    const { type, node } = call.value(0);
    const axis = axisOf(call.number(1, 'the axis'), node.shape.length);
    const [exclusive, reverse] = [call.flag('exclusive'), call.flag('reverse')];
    const apply = (x: Node) => {
      const turned = reverse ? flip(x, axis) : x;
      const result = run(exclusive ? shifted(turned, axis, neutral) : turned, axis);
      return reverse ? flip(result, axis) : result;
    };
    return call.as(type, numeric(type, [node], apply));
  });
}

/** Moves the elements along an axis by one, and puts a number first. */
function shifted(x: Node, axis: number, first: number): Node {
  const { shape, dtype } = x;
  if (shape[axis] === 0) return x;
  const filler = broadcastTo(
    constant(first, { dtype }),
    shape.map((dim, at) => (at === axis ? 1 : dim)),
  );
  return concat([filler, slice(x, { axis, end: -1 })], axis);
}

function largestOrSmallest(call: Call) {
  const { type, node } = call.value(0);
  const k = call.version < 10 ? call.int('k', 0) : call.number(1, 'k');
  const axis = axisOf(call.int('axis', -1), node.shape.length);
  // Sorted elements are also right where any order is allowed.
  call.flag('sorted', true);
  if (call.flag('largest', true)) {
    const { values, indices } = topK(node, k, axis);
    return [call.as(type, values), call.as(elementTypes.int64, indices)];
  }
  const indices = slice(argsort(node, axis), { axis, start: 0, end: k });
  return [call.as(type, takeAlongAxis(node, indices, axis)), call.as(elementTypes.int64, indices)];
}

export const reductions: Rows = {
  ReduceSum: reduction(sum, { since: 13, known: addDims }),
  ReduceMean: reduction(mean),
  ReduceMax: reduction(max),
  ReduceMin: reduction(min),
  ReduceProd: reduction(prod, { known: multiplyDims, neutral: 1 }),
  ReduceL1: reduction((x, axes, options) => sum(abs(x), axes, options), { alone: abs }),
  ReduceL2: reduction((x, axes, { keepDims }) => norm(x, { axes, keepDims }), { alone: abs }),
  ReduceLogSum: reduction((x, axes, options) => log(sum(x, axes, options)), { alone: log }),
  ReduceLogSumExp: reduction(logSumExp),
  ReduceSumSquare: reduction((x, axes, options) => sum(square(x), axes, options), {
    alone: square,
  }),
  ArgMax: position(argmax),
  ArgMin: position(argmin),
  CumSum: running(cumsum, 0),
  CumProd: running(cumprod, 1),
  TopK: row(largestOrSmallest),
};
