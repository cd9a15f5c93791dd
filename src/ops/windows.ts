/**
 * The op `slice`, and the ops that assemble a tensor from several operands: `concat`, `stack` and `assemble`. The
 * gradient of `slice` is a part (a gradient for only a window of the input), and `assemble` adds parts. The gradients
 * of the assembling ops are slices.
 */

import { describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { assertList } from '../arguments/read.js';
import { DTypeError, ShapeError } from '../errors.js';
import {
  addDims,
  type Dim,
  dimension,
  type Shape,
  sameShape,
  subtractDims,
} from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import { isPart, type Operand, Part } from '../graph/op.js';
import { formatShape, resolveAxis, stridesOf } from '../tensor/shape.js';
import { dimensions } from './broadcast.js';
import { declare } from './declare.js';
import { floatingDType, sameDType } from './rules.js';
import { reshape } from './views.js';

interface SliceAttributes {
  readonly axis: number;
  readonly start: Dim;
  readonly end: Dim;
}

const cut = declare<SliceAttributes>({
  name: 'slice',
  arity: 1,
  interned: true,
  dtype: ([x]) => (x as Node).dtype,
  shape: ([x], { axis, start, end }, fail) => {
    const dims = (x as Node).shape;
    const length = subtractDims(end, start);
    const dim = dims[axis] as Dim;
    const numbers = typeof start === 'number' && typeof end === 'number' && typeof dim === 'number';
    if ((typeof length === 'number' && length < 0) || (numbers && (start < 0 || end > dim))) {
      fail.shape(`${start} to ${end} is not within axis ${axis} of ${formatShape(dims)}`);
    }
    return dims.map((d, i) => (i === axis ? length : d));
  },
  lowering: {
    kind: 'view',
    view: ({ attributes: { axis, start, end }, inputShapes: [from], bind }) => {
      const shape = from as readonly number[];
      const [first, last, dim] = [bind(start), bind(end), shape[axis] as number];
      if (first < 0 || last < first || last > dim) {
        // The shape rule could not check this, because the length of a named axis is known only when its name is bound.
        throw new ShapeError(
          `${first} to ${last} is not within axis ${axis} of ${formatShape(shape)}`,
        );
      }
      const strides = stridesOf(shape);
      return { offset: first * (strides[axis] as number), strides };
    },
  },
  gradient: ({ inputs, attributes: { axis, start }, gradient }) => [
    new Part(
      gradient,
      (inputs[0] as Node).shape.map((_, i) => (i === axis ? start : 0)),
    ),
  ],
  label: ({ axis, start, end }) => `${axis}: ${start} to ${end}`,
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => slice(x as Node, { axis: 1, start: 1 }) },
    {
      inputs: [{ shape: [2, 3, 4] }],
      build: (x) => slice(x as Node, { axis: -1, start: 1, end: 3 }),
    },
    { inputs: [{ shape: [5] }], build: (x) => slice(x as Node, { axis: 0, start: -3, end: -1 }) },
    { inputs: [{ shape: [2, 3] }], build: (x) => slice(x as Node, { axis: 0, start: 1, end: 1 }) },
    { inputs: [{ shape: [0, 3] }], build: (x) => slice(x as Node, { axis: 1, end: 2 }) },
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
  ],
});

const sliceOptions = declareOptions('slice', {
  /** The axis to slice. A negative axis counts from the end. */
  axis: required(checkedLater<number>('an axis (an integer)'), 'dim'),
  /** The index of the first element; 0 by default. */
  start: optional(checkedLater<Dim>('a position'), 'begin', 'from'),
  /** The index after the last element; the length of the axis by default. */
  end: optional(checkedLater<Dim>('a position'), 'stop', 'to'),
});

/** Options of `slice`. */
export interface SliceOptions extends OptionsOf<typeof sliceOptions> {}

/**
 * Returns the elements from index `start` to index `end` along one axis; the element at `end` is not included. Negative
 * indices count from the end. Along a named axis, the indices are checked when the name is bound. The result has as
 * many axes as x, and the dtype of x, which may be any dtype.
 * @throws ShapeError if the axis is out of range, or the indices are not within it; ValueError if x is not a Node,
 *   Tensor or number, if `options` has no axis, or if an option is unknown
 */
export function slice(x: Operand, options: SliceOptions): Node {
  const { axis, start = 0, end } = sliceOptions.read(options, '[slice]');
  const [node] = lift('slice', [x]) as [Node];
  const resolved = resolveAxis(axis, node.shape.length, '[slice]');
  const dim = node.shape[resolved] as Dim;
  const position = (at: Dim): Dim =>
    typeof at === 'number' && at < 0 && Number.isInteger(at)
      ? addDims(dim, at)
      : dimension(at, '[slice]');
  const from = position(start);
  const to = end === undefined ? dim : position(end);
  return from === 0 && to === dim ? node : cut([node], { axis: resolved, start: from, end: to });
}

const join = declare<{ readonly axis: number }>({
  name: 'concat',
  arity: { atLeast: 1 },
  dtype: sameDType,
  shape: (inputs, { axis }, fail) => {
    const shapes = inputs.map((node) => node.shape);
    const first = shapes[0] as Shape;
    const fits = (shape: Shape) =>
      shape.length === first.length && shape.every((dim, i) => i === axis || dim === first[i]);
    const odd = shapes.find((shape) => !fits(shape));
    if (odd) {
      fail.shape(
        `shapes differ in more than axis ${axis}: ${formatShape(first)} and ${formatShape(odd)}`,
      );
    }
    const total = shapes.reduce<Dim>((length, shape) => addDims(length, shape[axis] as Dim), 0);
    return first.map((dim, i) => (i === axis ? total : dim));
  },
  lowering: {
    kind: 'place',
    accumulate: false,
    views: ({ attributes: { axis }, shape, inputShapes }) => {
      const strides = stridesOf(shape);
      let before = 0;
      return inputShapes.map((part) => {
        const offset = before * (strides[axis] as number);
        before += part[axis] as number;
        return { offset, strides };
      });
    },
  },
  gradient: ({ inputs, attributes: { axis }, gradient }) => {
    let start: Dim = 0;
    return inputs.map((node) => {
      const end = addDims(start, node.shape[axis] as Dim);
      const part = slice(gradient, { axis, start, end });
      start = end;
      return part;
    });
  },
  label: ({ axis }) => `${axis}`,
  samples: [
    {
      inputs: [{ shape: [2, 3] }, { shape: [2, 1] }],
      build: (...x) => concat(x, 1),
    },
    {
      inputs: [{ shape: [2, 3, 4] }, { shape: [2, 1, 4] }, { shape: [2, 2, 4] }],
      build: (...x) => concat(x, -2),
    },
    { inputs: [{ shape: [2, 0] }, { shape: [2, 3] }], build: (...x) => concat(x, 1) },
    { inputs: [{ shape: [2, 3] }], build: (x) => concat([x as Node, x as Node], 0) },
  ],
  refused: [
    {
      build: () => concat([input('a', [2, 3]), input('b', [3, 3])], 1),
      error: ShapeError,
      message: /^\[concat\] shapes differ in more than axis 1: \[2, 3\] and \[3, 3\]/,
    },
    {
      build: () => concat([input('a', [2]), input('b', [2], { dtype: 'float64' })], 0),
      error: DTypeError,
      message: /^\[concat\] operands have different dtypes/,
    },
    {
      build: () => concat([input('a', [2])], 1),
      error: ShapeError,
      message: /^\[concat\] axis 1 is out of range/,
    },
  ],
});

/**
 * Joins operands along an existing axis. All other dimensions of the operands must be equal. The operands must have the
 * same dtype, which may be any dtype. The result has this dtype.
 * @throws ShapeError if there are no operands, other dimensions differ or the axis is out of range; DTypeError if the
 *   dtypes differ; ValueError if `operands` is not a list of Nodes, Tensors and numbers
 */
export function concat(operands: readonly Operand[], axis: number): Node {
  const nodes = several('concat', operands);
  return join(nodes, { axis: resolveAxis(axis, (nodes[0] as Node).shape.length, '[concat]') });
}

const pile = declare<{ readonly axis: number }>({
  name: 'stack',
  arity: { atLeast: 1 },
  dtype: sameDType,
  shape: (inputs, { axis }, fail) => {
    const first = (inputs[0] as Node).shape;
    const odd = inputs.find((node) => !sameShape(node.shape, first));
    if (odd)
      fail.shape(
        `operands have different shapes: ${formatShape(first)} and ${formatShape(odd.shape)}`,
      );
    return [...first.slice(0, axis), inputs.length, ...first.slice(axis)];
  },
  lowering: {
    kind: 'place',
    accumulate: false,
    views: ({ attributes: { axis }, shape, inputShapes }) => {
      const strides = stridesOf(shape);
      const others = strides.toSpliced(axis, 1);
      return inputShapes.map((_, i) => ({
        offset: i * (strides[axis] as number),
        strides: others,
      }));
    },
  },
  gradient: ({ inputs, attributes: { axis }, gradient }) =>
    inputs.map((node, i) => reshape(slice(gradient, { axis, start: i, end: i + 1 }), node.shape)),
  label: ({ axis }) => `${axis}`,
  samples: [
    { inputs: [{ shape: [3] }, { shape: [3] }], build: (...x) => stack(x, 0) },
    {
      inputs: [{ shape: [2, 3] }, { shape: [2, 3] }, { shape: [2, 3] }],
      build: (...x) => stack(x, 1),
    },
    { inputs: [{ shape: [2, 3, 4] }, { shape: [2, 3, 4] }], build: (...x) => stack(x, -1) },
    { inputs: [{ shape: [0, 3] }, { shape: [0, 3] }], build: (...x) => stack(x, 0) },
  ],
  refused: [
    {
      build: () => stack([input('a', [2, 3]), input('b', [3])], 0),
      error: ShapeError,
      message: /^\[stack\] operands have different shapes: \[2, 3\] and \[3\]/,
    },
    {
      build: () => stack([], 0),
      error: ShapeError,
      message: /^\[stack\] expected at least one operand/,
    },
  ],
});

/**
 * Joins operands of the same shape along a new axis. `axis` is the index of the new axis in the result; -1 makes it the
 * last axis. The operands must have the same dtype, which may be any dtype. The result has this dtype.
 * @throws ShapeError if there are no operands, the shapes differ or the axis is out of range; DTypeError if the dtypes
 *   differ; ValueError if `operands` is not a list of Nodes, Tensors and numbers
 */
export function stack(operands: readonly Operand[], axis: number): Node {
  const nodes = several('stack', operands);
  return pile(nodes, { axis: resolveAxis(axis, (nodes[0] as Node).shape.length + 1, '[stack]') });
}

/**
 * Returns the operands as nodes.
 * @throws ShapeError if the list is empty; ValueError if `operands` is not a list of operands
 */
function several(opName: string, operands: readonly Operand[]): Node[] {
  const fail = failFor({ name: opName }, []);
  const expected = `${fail.where} expected a list of operands, as in ${opName}([a, b], 0),`;
  const list = assertList(operands, expected);
  if (list.length === 0) fail.shape('expected at least one operand');
  return lift(opName, list);
}

interface AssembleAttributes {
  readonly shape: Shape;
  /** For each input, the index along each axis at which its window starts. */
  readonly starts: readonly Shape[];
}

const putTogether = declare<AssembleAttributes>({
  name: 'assemble',
  arity: { atLeast: 1 },
  dtype: floatingDType,
  shape: (inputs, { shape, starts }, fail) => {
    inputs.forEach((node, i) => {
      const start = starts[i] as Shape;
      const outside = node.shape.some((dim, axis) => {
        const end = addDims(start[axis] ?? 0, dim);
        const whole = shape[axis] as Dim;
        return typeof end === 'number' && typeof whole === 'number' && end > whole;
      });
      if (node.shape.length !== shape.length || start.length !== shape.length || outside) {
        fail.shape(
          `a part of ${formatShape(node.shape)} at ${formatShape(start)} is not within ${formatShape(shape)}`,
        );
      }
    });
    return shape;
  },
  lowering: {
    kind: 'place',
    accumulate: true,
    views: ({ attributes: { starts }, shape, bind, inputShapes }) => {
      const strides = stridesOf(shape);
      return inputShapes.map((part, i) => {
        let offset = 0;
        (starts[i] as Shape).forEach((dim, axis) => {
          const start = bind(dim);
          const end = start + (part[axis] as number);
          if (start < 0 || end > (shape[axis] as number)) {
            throw new ShapeError(
              `${start} to ${end} is not within axis ${axis} of ${formatShape(shape)}`,
            );
          }
          offset += start * (strides[axis] as number);
        });
        return { offset, strides };
      });
    },
  },
  gradient: ({ inputs, attributes: { starts }, gradient }) =>
    inputs.map((node, i) =>
      (starts[i] as Shape).reduce<Node>(
        (window, start, axis) =>
          slice(window, { axis, start, end: addDims(start, node.shape[axis] as Dim) }),
        gradient,
      ),
    ),
  label: ({ starts }) => `${starts.length} parts`,
  samples: [
    {
      inputs: [{ shape: [2, 2] }, { shape: [2, 2] }],
      build: (a, b) => assemble([2, 3], [new Part(a as Node, [0, 0]), new Part(b as Node, [0, 1])]),
    },
    {
      inputs: [{ shape: [1, 3, 2] }, { shape: [2, 1, 4] }],
      build: (a, b) =>
        assemble([2, 3, 4], [new Part(a as Node, [1, 0, 2]), new Part(b as Node, [0, 1, 0])]),
    },
    { inputs: [{ shape: [0, 2] }], build: (a) => assemble([2, 2], [new Part(a as Node, [1, 0])]) },
  ],
  refused: [
    {
      build: () => assemble([2, 3], [new Part(input('x', [2, 2]), [0, 2])]),
      error: ShapeError,
      message: /^\[assemble\] a part of \[2, 2\] at \[0, 2\] is not within \[2, 3\]/,
    },
  ],
});

/**
 * Returns a tensor of the given shape: zeros, to which every part is added at its window. The gradients of slices are
 * summed in this way. All parts must have the same dtype, float32 or float64. The result has this dtype.
 * @throws ShapeError if a part is not within the shape; DTypeError if the dtypes differ or are int32; GraphError if
 *   there are no parts; ValueError if `parts` is not a list of Parts
 */
export function assemble(shape: Shape, parts: readonly Part[]): Node {
  const target = dimensions('assemble', shape);
  const fail = failFor({ name: 'assemble' }, []);
  const list = assertList(parts, '[assemble] expected a list of parts,');
  for (const part of list) {
    if (!isPart(part)) fail.value(`expected a Part, but received ${describeValue(part)}`);
  }
  return putTogether(
    list.map((part) => part.gradient),
    { shape: target, starts: list.map((part) => dimensions('assemble', part.start)) },
  );
}
