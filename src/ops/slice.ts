/**
 * The ops `slice` and `flip`, which read windows of their input. The gradient of `slice` is a part (a gradient for only
 * a window of the input); see `assemble` in windows.ts.
 */

import { checkedLater, nonZeroInteger } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { ShapeError, ValueError } from '../errors.js';
import {
  addDims,
  ceilDivideDim,
  type Dim,
  dimension,
  type Shape,
  subtractDims,
} from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { type Operand, Part } from '../graph/op.js';
import { endOf, layoutOf } from '../graph/window.js';
import { formatShape, resolveAxis, stridesOf } from '../tensor/shape.js';
import { type Axes, resolveAxes } from './broadcast.js';
import { declare } from './declare.js';

interface SliceAttributes {
  readonly axis: number;
  /** The index of the first element. It is -1 if the axis is empty and the step is negative. */
  readonly start: Dim;
  /** The index at which the slice ends; the element at this index is not included. For a negative step, it may be -1. */
  readonly end: Dim;
  readonly step: number;
  /**
   * True for a window whose length may be 0 when its names are bound. Then its end, which is one beyond its last
   * element, is before its start.
   */
  readonly mayBeEmpty?: true;
}

type Range = Omit<SliceAttributes, 'axis'>;

/** Returns the distance from the start of a slice to its end, in the direction of the step. */
function distanceOf({ start, end, step }: Range): Dim {
  return step > 0 ? subtractDims(end, start) : subtractDims(start, end);
}

/** Returns the range of a slice as text, such as `1 to 4` or `7 to 0 in steps of -2`. */
function rangeText({ start, end, step }: Range): string {
  const last = step < 0 && end === -1 ? 'the first element' : end;
  return step === 1 ? `${start} to ${end}` : `${start} to ${last} in steps of ${step}`;
}

/** Whether a slice is within an axis of length `dim`, and does not end before it starts, as far as this is known. */
function mayBeWithin(range: Range, dim: Dim): boolean {
  const { start, end, step, mayBeEmpty = false } = range;
  const distance = distanceOf(range);
  // The length of a slice is rounded up, so it does not show an end that is before the start by less than a step.
  if (typeof distance === 'number' && distance < 0 && !mayBeEmpty) return false;
  if (typeof start !== 'number' || typeof end !== 'number' || typeof dim !== 'number') return true;
  return step > 0
    ? start >= 0 && start <= dim && end <= dim
    : start >= -1 && start < dim && end >= -1;
}

const cut = declare<SliceAttributes>({
  name: 'slice',
  arity: 1,
  interned: true,
  dtype: ([x]) => (x as Node).dtype,
  shape: ([x], attributes, fail) => {
    const { axis, step } = attributes;
    const dims = (x as Node).shape;
    const length = ceilDivideDim(distanceOf(attributes), Math.abs(step));
    if (length === undefined) {
      return fail.shape(
        `the length of ${rangeText(attributes)} along axis ${axis} of ${formatShape(dims)} is not a polynomial of the dimension names; choose positions whose distance is divisible by ${Math.abs(step)}`,
      );
    }
    if (!mayBeWithin(attributes, dims[axis] as Dim)) {
      fail.shape(`${rangeText(attributes)} is not within axis ${axis} of ${formatShape(dims)}`);
    }
    return dims.map((d, i) => (i === axis ? length : d));
  },
  lowering: {
    kind: 'view',
    view: ({ attributes: { axis, ...range }, shape, inputShapes: [from], bind }) => {
      const dims = from as readonly number[];
      const { step } = range;
      const first = bind(range.start);
      const bound = { ...range, start: first, end: bind(range.end) };
      if (!mayBeWithin(bound, dims[axis] as number)) {
        // The shape rule could not check this, because the length of a named axis is known only when its name is bound.
        throw new ShapeError(
          `${rangeText(bound)} is not within axis ${axis} of ${formatShape(dims)}`,
        );
      }
      const strides = stridesOf(dims);
      const unit = strides[axis] as number;
      const length = shape[axis] as number;
      if (length > 1) strides[axis] = step * unit;
      return { offset: length === 0 ? 0 : first * unit, strides };
    },
  },
  gradient: ({ inputs, attributes: { axis, start, step }, gradient }) => {
    const along = <T>(own: T, other: T) =>
      (inputs[0] as Node).shape.map((_, i) => (i === axis ? own : other));
    // The start of an empty slice may be -1, which is not an index.
    const first = gradient.shape[axis] === 0 ? 0 : start;
    return [new Part(gradient, along<Dim>(first, 0), along(step, 1))];
  },
  local: ({ attributes: { axis, start, step }, region }) => {
    if (step !== 1) return undefined;
    const own = (list: Shape, at: Dim) => list.map((dim, i) => (i === axis ? at : dim));
    const first = addDims(start, region.start[axis] as Dim);
    const length = region.shape[axis] as Dim;
    return {
      inputs: [{ start: own(region.start, first), shape: region.shape }],
      attributes: { axis, start: 0, end: length, step },
    };
  },
  label: (attributes) => `${attributes.axis}: ${rangeText(attributes)}`,
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => slice(x as Node, { axis: 1, start: 1 }) },
    {
      inputs: [{ shape: [2, 3, 4] }],
      build: (x) => slice(x as Node, { axis: -1, start: 1, end: 3 }),
    },
    { inputs: [{ shape: [5] }], build: (x) => slice(x as Node, { axis: 0, start: -3, end: -1 }) },
    { inputs: [{ shape: [2, 3] }], build: (x) => slice(x as Node, { axis: 0, start: 1, end: 1 }) },
    { inputs: [{ shape: [0, 3] }], build: (x) => slice(x as Node, { axis: 1, end: 2 }) },
    { inputs: [{ shape: [7, 2] }], build: (x) => slice(x as Node, { axis: 0, start: 1, step: 3 }) },
    {
      inputs: [{ shape: [2, 6, 2] }],
      build: (x) => slice(x as Node, { axis: 1, start: 4, end: 0, step: -2 }),
    },
    { inputs: [{ shape: [3, 5] }], build: (x) => slice(x as Node, { axis: 1, step: -1 }) },
    {
      inputs: [{ shape: [6, 5] }],
      build: (x) => {
        const rows = slice(x as Node, { axis: 0, start: -1, step: -2 });
        return slice(rows, { axis: 1, start: 1, step: 2 });
      },
    },
    { inputs: [{ shape: [0, 3] }], build: (x) => slice(x as Node, { axis: 0, step: -1 }) },
  ],
  refused: [
    {
      build: () => slice(input('x', [2, 3]), { axis: 1, start: 1, end: 4 }),
      error: ShapeError,
      message: /^\[slice\] 1 to 4 is not within axis 1 of \[2, 3\]/,
    },
    {
      build: () => slice(input('x', [2, 3]), { axis: 1, start: 2, end: 1 }),
      error: ShapeError,
      message: /^\[slice\] 2 to 1 is not within axis 1/,
    },
    {
      build: () => slice(input('x', [2]), { axis: 0, start: 0.5 }),
      error: ShapeError,
      message: /^\[slice\] expected a dimension/,
    },
    {
      build: () => slice(input('x', [2, 3]), { axis: 1, start: 3, step: -1 }),
      error: ShapeError,
      message: /^\[slice\] 3 to the first element in steps of -1 is not within axis 1 of \[2, 3\]/,
    },
    {
      build: () => slice(input('x', [4]), { axis: 0, start: 1, end: 2, step: -1 }),
      error: ShapeError,
      message: /^\[slice\] 1 to 2 in steps of -1 is not within axis 0 of \[4\]/,
    },
    {
      build: () => slice(input('x', [4]), { axis: 0, step: 0 }),
      error: ValueError,
      message: /^\[slice\]: step must be an integer that is not 0, but is number 0/,
    },
    {
      build: () => slice(input('x', ['batch', 3]), { axis: 0, step: 2 }),
      error: ShapeError,
      message:
        /^\[slice\] the length of 0 to batch in steps of 2 along axis 0 of \[batch, 3\] is not a polynomial/,
    },
  ],
});

const sliceOptions = declareOptions('slice', {
  /** The axis to slice. A negative axis counts from the end. */
  axis: required(checkedLater<number>('an axis (an integer)'), 'dim'),
  /** The index of the first element; by default 0, or the last index if the step is negative. */
  start: optional(checkedLater<Dim>('a position'), 'begin', 'from'),
  /**
   * The index at which the slice ends; the element at this index is not included. By default, the slice ends with the
   * last element, or with the first element if the step is negative.
   */
  end: optional(checkedLater<Dim>('a position'), 'stop', 'to'),
  /** The distance from one index to the next: an integer, not 0; 1 by default. A negative step reads backwards. */
  step: optional(nonZeroInteger, 'stride', 'by'),
});

/** Options of `slice`. */
export interface SliceOptions extends OptionsOf<typeof sliceOptions> {}

/**
 * Returns the elements with the indices start, start + step, start + 2 * step, … along one axis, up to the index `end`,
 * which is not included. If the step is negative, the indices decrease, down to `end`, which is not included. Negative
 * indices count from the end. Along a named axis, the indices are checked when the name is bound. The result has as
 * many axes as x, and the dtype of x, which may be any dtype.
 * @throws ShapeError if the axis is out of range, the indices are not within it, or the length of the result cannot be
 *   written as a polynomial of dimension names (as for every second element of an axis 'batch'); ValueError if x is not
 *   a Node, Tensor or number, if `options` has no axis, if an option is unknown, or if the step is not an integer or 0
 */
export function slice(x: Operand, options: SliceOptions): Node {
  const { axis, start, end, step = 1 } = sliceOptions.read(options, '[slice]');
  const [node] = lift('slice', [x]) as [Node];
  const resolved = resolveAxis(axis, node.shape.length, '[slice]');
  const dim = node.shape[resolved] as Dim;
  const position = (at: Dim): Dim =>
    typeof at === 'number' && at < 0 && Number.isInteger(at)
      ? addDims(dim, at)
      : dimension(at, '[slice]');
  const [first, beyond]: [Dim, Dim] = step > 0 ? [0, dim] : [subtractDims(dim, 1), -1];
  const from = start === undefined ? first : position(start);
  const to = end === undefined ? beyond : position(end);
  return from === 0 && to === dim && step === 1
    ? node
    : cut([node], { axis: resolved, start: from, end: to, step });
}

/** Returns the window of `x` that has the given start and step along each axis, and the shape `shape`. */
export function windowOf(x: Node, start: Shape, step: readonly number[], shape: Shape): Node {
  return shape.reduce<Node>((window, length, axis) => {
    const from = start[axis] as Dim;
    const by = length === 0 || length === 1 ? 1 : (step[axis] as number);
    if (from === 0 && by === 1 && length === x.shape[axis]) return window;
    const end = endOf(from, length, by);
    const mayBeEmpty = typeof length !== 'number' && Math.abs(by) > 1;
    return cut([window], { axis, start: from, end, step: by, ...(mayBeEmpty && { mayBeEmpty }) });
  }, x);
}

const turn = declare<{ readonly axes: readonly number[] }>({
  name: 'flip',
  arity: 1,
  interned: true,
  dtype: ([x]) => (x as Node).dtype,
  shape: ([x]) => (x as Node).shape,
  lowering: {
    kind: 'view',
    view: ({ attributes: { axes }, shape }) => {
      if (shape.includes(0)) return { offset: 0, strides: stridesOf(shape) };
      const flips = shape.map((_, axis) => axes.includes(axis));
      const start = shape.map((size, axis) => (flips[axis] ? size - 1 : 0));
      return layoutOf({ start, step: flips.map((flip) => (flip ? -1 : 1)), shape }, shape);
    },
  },
  gradient: ({ attributes: { axes }, gradient }) => [flip(gradient, axes)],
  label: ({ axes }) => axes.join(' '),
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => flip(x as Node, [1]) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => flip(x as Node) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => flip(x as Node, [-1, 0]) },
    { inputs: [{ shape: [5] }], build: (x) => flip(x as Node, 0) },
    { inputs: [{ shape: [0, 3] }], build: (x) => flip(x as Node) },
  ],
  refused: [
    {
      build: () => flip(input('x', [2, 3]), 2),
      error: ShapeError,
      message: /^\[flip\] axis 2 is out of range \(allowed: -2 to 1\)/,
    },
    {
      build: () => flip(input('x', [2, 3]), [0, -2]),
      error: ShapeError,
      message: /^\[flip\] an axis appears twice: \[0, -2\]/,
    },
    {
      build: () => flip(input('x', [2, 3]), 'x' as unknown as Axes),
      error: ShapeError,
      message: /^\[flip\] expected an axis or a list of axes, but received the string "x"/,
    },
  ],
});

/**
 * Returns the elements of x in reverse order along the given axes, which may be named. The result has the shape and the
 * dtype of x, which may be any dtype.
 * @param axes an axis, or a list of axes; all axes by default. A negative axis counts from the end
 * @throws ShapeError if `axes` is not an axis or a list of axes, or an axis is out of range or appears twice;
 *   ValueError if x is not a Node, Tensor or number
 */
export function flip(x: Operand, axes?: Axes): Node {
  const [node] = lift('flip', [x]) as [Node];
  const resolved = resolveAxes('flip', node, axes);
  return resolved.length === 0 ? node : turn([node], { axes: resolved });
}
