/** Element-wise arithmetic, powers, exponentials and trigonometry. */

import { assertList } from '../arguments/read.js';
import { ShapeError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { formatShape } from '../tensor/shape.js';
import { equal, greater, sign, where } from './comparison.js';
import { declare } from './declare.js';
import { binary, unary } from './elementwise.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';

const bothSigns = { low: -2, high: 2 };
const positive = { low: 0.3, high: 2 };
const nonZero = { low: -2, high: 2, gap: 0.4 };

/**
 * The sum a + b.
 * The shapes broadcast. Both operands have the same dtype, float32 or float64, and so does the result.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ or are int32; ValueError if an
 *   operand is not a Node, Tensor or number
 * @function
 */
export const add = binary({
  name: 'add',
  domains: [bothSigns, bothSigns],
  gradient: (g) => [g, g],
});

/**
 * The difference a - b.
 * The shapes broadcast. Both operands have the same dtype, float32 or float64, and so does the result.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ or are int32; ValueError if an
 *   operand is not a Node, Tensor or number
 * @function
 */
export const sub = binary({
  name: 'sub',
  domains: [bothSigns, bothSigns],
  gradient: (g) => [g, neg(g)],
});

/**
 * The element-wise product a * b.
 * The shapes broadcast. Both operands have the same dtype, float32 or float64, and so does the result.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ or are int32; ValueError if an
 *   operand is not a Node, Tensor or number
 * @function
 */
export const mul = binary({
  name: 'mul',
  domains: [bothSigns, bothSigns],
  gradient: (g, a, b) => [mul(g, b), mul(g, a)],
});

/**
 * The quotient a / b.
 * The shapes broadcast. Both operands have the same dtype, float32 or float64, and so does the result.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ or are int32; ValueError if an
 *   operand is not a Node, Tensor or number
 * @function
 */
export const div = binary({
  name: 'div',
  domains: [bothSigns, nonZero],
  gradient: (g, _a, b, y) => [div(g, b), neg(div(mul(g, y), b))],
});

/**
 * The negation, -x.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const neg = unary({ name: 'neg', domain: bothSigns, gradient: (g) => neg(g) });

/**
 * The exponential, e^x.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const exp = unary({ name: 'exp', domain: bothSigns, gradient: (g, _x, y) => mul(g, y) });

/**
 * The natural logarithm. It is NaN below 0 and -Infinity at 0.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const log = unary({ name: 'log', domain: positive, gradient: (g, x) => div(g, x) });

/**
 * The square root. Its gradient at 0 is infinite.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const sqrt = unary({
  name: 'sqrt',
  domain: positive,
  gradient: (g, _x, y) => div(g, mul(2, y)),
});

/**
 * The square, x * x.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const square = unary({
  name: 'square',
  domain: bothSigns,
  gradient: (g, x) => mul(g, mul(2, x)),
});

/**
 * The absolute value |x|. The gradient at 0 is 0.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const abs = unary({
  name: 'abs',
  domain: { ...bothSigns, gap: 0.1 },
  gradient: (g, x) => mul(g, sign(x)),
});

/**
 * The cosine of x in radians.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const cos = unary({
  name: 'cos',
  domain: bothSigns,
  gradient: (g, x) => neg(mul(g, sin(x))),
});

/**
 * The sine of x in radians.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const sin = unary({ name: 'sin', domain: bothSigns, gradient: (g, x) => mul(g, cos(x)) });

/**
 * The power base^exponent, as in C's pow. At exponent 0 the power is 1 for every base, so the gradient for the base and
 * its derivatives of every order are 0. At base 0 the gradient for the exponent is 0, unless the exponent is negative.
 * The shapes broadcast. Both operands have the same dtype, float32 or float64, and so does the result.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ or are int32; ValueError if an
 *   operand is not a Node, Tensor or number
 * @function
 */
export const pow = binary({
  name: 'pow',
  domains: [positive, bothSigns],
  gradient: (g, base, exponent, y) => {
    const flat = equal(exponent, 0);
    // At exponent 0 the base is replaced by 1, because pow(0, -1) is infinite and further derivatives would multiply it
    // by 0.
    const power = pow(where(flat, 1, base), sub(exponent, 1));
    return [
      where(flat, 0, mul(mul(g, exponent), power)),
      // At base 0 the power does not depend on the exponent, so the factor there is log(1) = 0.
      mul(g, mul(y, log(where(greater(0, exponent), base, where(equal(base, 0), 1, base))))),
    ];
  },
});

const addAll = declare({
  name: 'addN',
  arity: { atLeast: 1 },
  dtype: floatingDType,
  shape: ([first, ...others], _attributes, fail) => {
    const { shape } = first as Node;
    const odd = others.find((other) => !sameShape(other.shape, shape));
    if (odd)
      fail.shape(
        `operands have different shapes: ${formatShape(shape)} and ${formatShape(odd.shape)}`,
      );
    return shape;
  },
  lowering: { kind: 'accumulate' },
  gradient: ({ inputs, gradient }) => inputs.map(() => gradient),
  samples: [
    { inputs: [{ shape: [2, 3] }, { shape: [2, 3] }, { shape: [2, 3] }], build: (...x) => addN(x) },
    { inputs: [{ shape: [2, 3, 4] }, { shape: [2, 3, 4] }], build: (...x) => addN(x) },
    { inputs: [{ shape: [0, 3] }, { shape: [0, 3] }], build: (...x) => addN(x) },
    { inputs: [{ shape: [2] }], build: (x) => addN([x as Node, x as Node, x as Node]) },
  ],
  refused: [
    {
      build: () => addN([input('a', [2, 3]), input('b', [3])]),
      error: ShapeError,
      message: /^\[addN\] operands have different shapes: \[2, 3\] and \[3\]/,
    },
    refusesIntegers('addN', (x) => addN([x, x])),
  ],
});

/**
 * The sum of all operands, added from first to last. All operands have the same shape and the same dtype, float32 or
 * float64, and so does the result.
 * @throws ShapeError if the shapes differ; DTypeError if the dtypes differ or are int32; GraphError if there are no
 *   operands; ValueError if `operands` is not a list of Nodes, Tensors and numbers
 */
export function addN(operands: readonly Operand[]): Node {
  const nodes = lift('addN', assertList(operands, '[addN] expected a list of operands,'));
  return addAll(nodes, {});
}
