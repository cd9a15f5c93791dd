/**
 * The ops that assemble a tensor from several operands: `concat`, `stack` and `assemble`. Their gradients are slices.
 * The gradient of `slice` is a part (a gradient for only a window of the input), and `assemble` adds parts.
 */

import { describeValue } from '../arguments/describe.js';
import { assertList } from '../arguments/read.js';
import { DTypeError, ShapeError } from '../errors.js';
import { addDims, type Dim, type Shape, sameShape } from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import { isPart, type Operand, Part } from '../graph/op.js';
import { mayFit } from '../graph/window.js';
import { formatShape, resolveAxis } from '../tensor/shape.js';
import { dimensions } from './broadcast.js';
import { declare } from './declare.js';
import { floatingDType, sameDType } from './rules.js';
import { slice, windowOf } from './slice.js';
import { reshape } from './views.js';

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
    windows: ({ attributes: { axis }, inputShapes }) => {
      let before = 0;
      return inputShapes.map((shape) => {
        const start = shape.map((_, i) => (i === axis ? before : 0));
        before += shape[axis] as number;
        return { start, shape };
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
    windows: ({ attributes: { axis }, shape }) => {
      const window = shape.with(axis, 1);
      return Array.from({ length: shape[axis] as number }, (_, i) => ({
        start: shape.map((_size, at) => (at === axis ? i : 0)),
        shape: window,
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
  /** For each input, the index along each axis of the first element of its window. */
  readonly starts: readonly Shape[];
  /** For each input, the step of its window along each axis. */
  readonly steps: readonly (readonly number[])[];
}

const putTogether = declare<AssembleAttributes>({
  name: 'assemble',
  arity: { atLeast: 1 },
  dtype: floatingDType,
  shape: (inputs, { shape, starts, steps }, fail) => {
    inputs.forEach((node, i) => {
      const [start, step] = [starts[i] as Shape, steps[i] as readonly number[]];
      const fits =
        [node.shape, start, step].every(({ length }) => length === shape.length) &&
        node.shape.every((length, axis) =>
          mayFit(shape[axis] as Dim, start[axis] as Dim, length, step[axis] as number),
        );
      if (!fits) {
        const by = step.some((one) => one !== 1) ? ` in steps of ${formatShape(step)}` : '';
        fail.shape(
          `a part of ${formatShape(node.shape)} at ${formatShape(start)}${by} is not within ${formatShape(shape)}`,
        );
      }
    });
    return shape;
  },
  lowering: {
    kind: 'place',
    accumulate: true,
    windows: ({ attributes: { starts, steps }, bind, inputShapes }) =>
      inputShapes.map((shape, i) => ({
        start: (starts[i] as Shape).map(bind),
        step: steps[i] as readonly number[],
        shape,
      })),
  },
  gradient: ({ inputs, attributes: { starts, steps }, gradient }) =>
    inputs.map((node, i) =>
      windowOf(gradient, starts[i] as Shape, steps[i] as readonly number[], node.shape),
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
    {
      inputs: [{ shape: [3, 2] }, { shape: [2, 5] }],
      build: (a, b) =>
        assemble(
          [6, 5],
          [new Part(a as Node, [5, 1], [-2, 3]), new Part(b as Node, [0, 4], [3, -1])],
        ),
    },
  ],
  refused: [
    {
      build: () => assemble([2, 3], [new Part(input('x', [2, 2]), [0, 2])]),
      error: ShapeError,
      message: /^\[assemble\] a part of \[2, 2\] at \[0, 2\] is not within \[2, 3\]/,
    },
    {
      build: () => assemble([5], [new Part(input('x', [3]), [3], [-2])]),
      error: ShapeError,
      message: /^\[assemble\] a part of \[3\] at \[3\] in steps of \[-2\] is not within \[5\]/,
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
    {
      shape: target,
      starts: list.map((part) => dimensions('assemble', part.start)),
      steps: list.map((part) => part.step),
    },
  );
}
