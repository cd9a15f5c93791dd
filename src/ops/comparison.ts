/** Comparison, selection and dtype conversion. */

import { describeValue } from '../arguments/describe.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import { constant, input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { none, notDifferentiable, type OpDeclaration, type Operand } from '../graph/op.js';
import { assertDType, type DType, dtypeName, isFloating } from '../tensor/dtype.js';
import { tensor } from '../tensor/tensor.js';
import { sumTo } from './broadcast.js';
import { declare } from './declare.js';
import { binary, elementwise, unary } from './elementwise.js';
import { broadcastShape, sameDType } from './rules.js';
import { reshape } from './views.js';

const apart = [
  { low: -2, high: 2 },
  { low: -2, high: 2 },
] as const;
const stepwise = notDifferentiable('it is piecewise constant');

/** The dtype rule of comparisons: the operands have one dtype, and the result is bool. */
const comparison: OpDeclaration['dtype'] = (inputs, attributes, fail) => {
  sameDType(inputs, attributes, fail);
  return 'bool';
};

/**
 * Returns true where a > b, and false elsewhere, as bool. A comparison with NaN is false. The shapes broadcast. Both
 * operands must have the same dtype, which may be any dtype. No gradient flows through `greater`. To compute with the
 * result, convert it: `cast(greater(a, b), 'float32')`.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ; ValueError if an operand is not a
 *   Node, Tensor or number
 * @function
 */
export const greater = binary({
  name: 'greater',
  domains: apart,
  dtype: comparison,
  gradient: stepwise,
});

/**
 * Returns true where a >= b, and false elsewhere, as bool. A comparison with NaN is false. The shapes broadcast. Both
 * operands must have the same dtype, which may be any dtype. No gradient flows through `greaterEqual`. To compute with
 * the result, convert it: `cast(greaterEqual(a, b), 'float32')`.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ; ValueError if an operand is not a
 *   Node, Tensor or number
 * @function
 */
export const greaterEqual = binary({
  name: 'greaterEqual',
  domains: apart,
  dtype: comparison,
  gradient: stepwise,
});

/**
 * Returns true where a < b, and false elsewhere, as bool. A comparison with NaN is false. The shapes broadcast. Both
 * operands must have the same dtype, which may be any dtype. No gradient flows through `less`. To compute with the
 * result, convert it: `cast(less(a, b), 'float32')`.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ; ValueError if an operand is not a
 *   Node, Tensor or number
 * @function
 */
export const less = binary({
  name: 'less',
  domains: apart,
  dtype: comparison,
  expand: (a, b) => greater(b, a),
  gradient: stepwise,
});

/**
 * Returns true where a <= b, and false elsewhere, as bool. A comparison with NaN is false. The shapes broadcast. Both
 * operands must have the same dtype, which may be any dtype. No gradient flows through `lessEqual`. To compute with the
 * result, convert it: `cast(lessEqual(a, b), 'float32')`.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ; ValueError if an operand is not a
 *   Node, Tensor or number
 * @function
 */
export const lessEqual = binary({
  name: 'lessEqual',
  domains: apart,
  dtype: comparison,
  expand: (a, b) => greaterEqual(b, a),
  gradient: stepwise,
});

/**
 * Returns true where a equals b, and false elsewhere, as bool. NaN does not equal anything. The shapes broadcast. Both
 * operands must have the same dtype, which may be any dtype. No gradient flows through `equal`. To compute with the
 * result, convert it: `cast(equal(a, b), 'float32')`.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ; ValueError if an operand is not a
 *   Node, Tensor or number
 * @function
 */
export const equal = binary({
  name: 'equal',
  domains: apart,
  dtype: comparison,
  gradient: stepwise,
});

/**
 * Returns true where a differs from b, and false elsewhere, as bool. NaN differs from everything, also from NaN. The
 * shapes broadcast. Both operands must have the same dtype, which may be any dtype. No gradient flows through
 * `notEqual`. To compute with the result, convert it: `cast(notEqual(a, b), 'float32')`.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ; ValueError if an operand is not a
 *   Node, Tensor or number
 * @function
 */
export const notEqual = binary({
  name: 'notEqual',
  domains: apart,
  dtype: comparison,
  gradient: stepwise,
});

/**
 * Returns the sign of x: -1, 0 or 1; NaN if x is NaN.
 * The result has the shape and dtype of x, which is float32 or float64. No gradient flows through `sign`.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const sign = unary({
  name: 'sign',
  domain: { low: -2, high: 2, gap: 0.1 },
  gradient: stepwise,
});

const choose = declare({
  name: 'where',
  arity: 3,
  broadcasts: true,
  dtype: ([, ...branches], attributes, fail) => sameDType(branches, attributes, fail),
  shape: broadcastShape,
  lowering: { kind: 'map', kernel: 'where' },
  gradient: ({ inputs, gradient: g }) => {
    const [condition, a, b] = inputs as [Node, Node, Node];
    return [none, sumTo(where(condition, g, 0), a), sumTo(where(condition, 0, g), b)];
  },
  local: elementwise,
  samples: [
    ...[
      [2, 3],
      [2, 3, 4],
      [0, 3],
    ].map((shape) => ({
      inputs: [{ shape }, { shape }, { shape }],
      build: (c?: Node, a?: Node, b?: Node) => where(greater(c as Node, 0), a as Node, b as Node),
    })),
    {
      inputs: [{ shape: [3, 1] }, { shape: [2, 1, 4] }, { shape: [] }],
      build: (c, a, b) => where(greater(c as Node, 0), a as Node, b as Node),
      broadcast: true,
    },
    {
      inputs: [{ shape: [3], values: [0, 1, 0], dtype: 'bool' }, { shape: [2, 3] }],
      build: (c, a) => where(c as Node, a as Node, 1),
      broadcast: true,
    },
    {
      inputs: [{ shape: [3], values: [0, -4, 0], dtype: 'int32' }, { shape: [2, 3] }],
      build: (c, a) => where(c as Node, a as Node, 1),
      broadcast: true,
    },
  ],
  refused: [
    {
      build: () => where(input('c', [2]), input('a', [3]), 0),
      error: ShapeError,
      message: /^\[where\] shapes do not broadcast: \[2\] and \[3\]/,
    },
    {
      build: () => where(input('c', [2]), input('a', [2]), input('b', [2], { dtype: 'float64' })),
      error: DTypeError,
      message: /^\[where\] operands have different dtypes/,
    },
  ],
});

/**
 * Returns the elements of `a` where the condition is true, and the elements of `b` elsewhere. The three shapes
 * broadcast. The condition is bool. It may also have any other dtype; then every number that is not 0, and also NaN,
 * counts as true. `a` and `b` must have the same dtype. The result has this dtype. No gradient flows to the condition.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes of `a` and `b` differ; ValueError if an
 *   operand is not a Node, Tensor or number
 */
export function where(condition: Operand, a: Operand, b: Operand): Node {
  const [test] = lift('where', [condition]) as [Node];
  // If `a` and `b` are both plain numbers, only the condition has a dtype. If it is float32 or float64, the numbers
  // take this dtype.
  const numbers = typeof a === 'number' && typeof b === 'number' && isFloating(test.dtype);
  const [left, right] = (
    numbers ? lift('where', [test, a, b]).slice(1) : lift('where', [a, b])
  ) as [Node, Node];
  return choose([cast(test, 'bool'), left, right], {});
}

const convert = declare<{ readonly dtype: DType }>({
  name: 'cast',
  arity: 1,
  dtype: (_inputs, { dtype }) => dtype,
  shape: ([x]) => (x as Node).shape,
  lowering: { kind: 'cast' },
  gradient: ({ inputs, attributes, gradient }) => {
    const [x] = inputs as [Node];
    return [isFloating(x.dtype) && isFloating(attributes.dtype) ? cast(gradient, x.dtype) : none];
  },
  local: elementwise,
  label: ({ dtype }) => dtype,
  samples: [
    {
      // The sample converts to float32 and back. Both dtypes represent the values and the step size exactly.
      inputs: [{ shape: [2, 3], values: [-1.5, -0.25, 0, 0.5, 1, 2.75] }],
      step: 2 ** -10,
      build: (x) => cast(cast(x as Node, 'float32'), 'float64'),
    },
    { inputs: [{ shape: [2, 3, 4], low: -9, high: 9 }], build: (x) => cast(x as Node, 'int32') },
    { inputs: [{ shape: [0, 3] }], build: (x) => cast(x as Node, 'float32') },
    {
      inputs: [{ shape: [3], values: [-1, 0, 7], dtype: 'int32' }],
      build: (x) => cast(x as Node, 'float64'),
    },
    { inputs: [{ shape: [2, 3], low: -2, high: 300 }], build: (x) => cast(x as Node, 'uint8') },
    { inputs: [{ shape: [3], values: [-1, 0, 7] }], build: (x) => cast(x as Node, 'bool') },
    {
      inputs: [{ shape: [2, 1, 3], values: [0, 1, 1, 0, 1, 0], dtype: 'bool' }],
      build: (x) => cast(x as Node, 'float64'),
    },
  ],
  refused: [
    {
      build: () => cast(input('x', [2]), 'float16' as DType),
      error: DTypeError,
      message:
        /^\[cast\] expected a dtype of float32, float64, int32, bool, uint8, but received the string "float16"/,
    },
  ],
});

/**
 * Converts x to another dtype. If `dtype` is int32 or uint8, numbers are truncated towards 0, a number outside the range
 * of the dtype becomes the nearest number in it, and NaN becomes 0. If `dtype` is bool, numbers that are not 0, and also
 * NaN, become true. If x is bool, true becomes 1 and false becomes 0. The result has the shape of x. A gradient flows
 * only if both dtypes are float32 or float64.
 * @throws DTypeError if `dtype` is not a dtype; ValueError if x is not a Node, Tensor or number
 */
export function cast(x: Operand, dtype: DType): Node {
  assertDType(dtype, '[cast]');
  const [node] = lift('cast', [x]) as [Node];
  return node.dtype === dtype ? node : convert([node], { dtype });
}

const isIndex = (dtype: DType) => dtype === 'int32' || dtype === 'uint8';

const encode = declare<{ readonly depth: number; readonly dtype: DType }>({
  name: 'oneHot',
  arity: 1,
  dtype: ([indices], { dtype }, fail) => {
    if (!isIndex((indices as Node).dtype)) {
      fail.dtype(`expected indices of int32 or uint8, but received ${(indices as Node).dtype}`);
    }
    return dtype;
  },
  shape: ([indices], { depth }) => [...(indices as Node).shape, depth],
  lowering: {
    kind: 'compose',
    expand: ([indices], { depth, dtype }) => {
      const classes = constant(tensor(Int32Array.from({ length: depth }, (_, i) => i)));
      const column = reshape(cast(indices as Node, 'int32'), [...(indices as Node).shape, 1]);
      return cast(equal(column, classes), dtype);
    },
  },
  gradient: notDifferentiable('indices are integers'),
  label: ({ depth }) => `${depth}`,
  samples: [
    {
      inputs: [{ shape: [4], values: [2, 0, 1, 2], dtype: 'int32' }],
      build: (x) => oneHot(x as Node, 3),
    },
    {
      inputs: [{ shape: [1, 2, 3], values: [0, 1, 2, 3, 4, 0], dtype: 'int32' }],
      build: (x) => oneHot(x as Node, 5, { dtype: 'float64' }),
    },
    { inputs: [{ shape: [0], values: [], dtype: 'int32' }], build: (x) => oneHot(x as Node, 3) },
  ],
  refused: [
    {
      build: () => oneHot(input('x', [2]), 3),
      error: DTypeError,
      message: /^\[oneHot\] expected indices of int32 or uint8, but received float32/,
    },
    {
      build: () => oneHot(input('x', [2], { dtype: 'int32' }), 2.5),
      error: ValueError,
      message: /^\[oneHot\] expected a depth \(a non-negative integer\), but received 2.5/,
    },
  ],
});

// The greatest depth. The lowering makes an int32 array of all class indices.
const mostClasses = 2 ** 31 - 1;

const oneHotOptions = declareOptions('oneHot', {
  /** The dtype of the result; `float32` by default. */
  dtype: optional(dtypeName, 'type'),
});

/** Options of `oneHot`. */
export interface OneHotOptions extends OptionsOf<typeof oneHotOptions> {}

/**
 * Returns a one-hot row for each index, along a new last axis of length `depth`: 1 at the index, 0 elsewhere. An index
 * below 0 or above depth - 1 gives a row of zeros. No gradient flows through `oneHot`.
 * @param indices int32 or uint8 indices of any shape [..]; the result has shape [.., depth]
 * @throws DTypeError if `indices` is neither int32 nor uint8 or `dtype` is not a dtype; ValueError if `depth` is not an integer from
 *   0 to 2^31 - 1, if `indices` is not a Node, Tensor or number, or if an option is unknown
 */
export function oneHot(indices: Operand, depth: number, options?: OneHotOptions): Node {
  if (!Number.isInteger(depth) || depth < 0 || depth > mostClasses) {
    const came = typeof depth === 'number' ? depth : describeValue(depth);
    throw new ValueError(
      `[oneHot] expected a depth (a non-negative integer), but received ${came}`,
    );
  }
  const { dtype = 'float32' } = oneHotOptions.read(options, '[oneHot]');
  const index = typeof indices === 'number' ? constant(indices, { dtype: 'int32' }) : indices;
  return encode([index], { depth, dtype });
}
