/** Arithmetic, powers, exponentials and trigonometry, element by element. */

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
 * a + b.
 * Shapes broadcast; of the operands' one dtype, float32 or float64.
 * @throws ShapeError for shapes that do not broadcast; DTypeError for two dtypes or int32; ValueError if
 *   an operand is not a node, a tensor or a number
 * @function
 */
export const add = binary({
  name: 'add',
  domains: [bothSigns, bothSigns],
  gradient: (g) => [g, g],
});

/**
 * a - b.
 * Shapes broadcast; of the operands' one dtype, float32 or float64.
 * @throws ShapeError for shapes that do not broadcast; DTypeError for two dtypes or int32; ValueError if
 *   an operand is not a node, a tensor or a number
 * @function
 */
export const sub = binary({
  name: 'sub',
  domains: [bothSigns, bothSigns],
  gradient: (g) => [g, neg(g)],
});

/**
 * a * b.
 * Shapes broadcast; of the operands' one dtype, float32 or float64.
 * @throws ShapeError for shapes that do not broadcast; DTypeError for two dtypes or int32; ValueError if
 *   an operand is not a node, a tensor or a number
 * @function
 */
export const mul = binary({
  name: 'mul',
  domains: [bothSigns, bothSigns],
  gradient: (g, a, b) => [mul(g, b), mul(g, a)],
});

/**
 * a / b.
 * Shapes broadcast; of the operands' one dtype, float32 or float64.
 * @throws ShapeError for shapes that do not broadcast; DTypeError for two dtypes or int32; ValueError if
 *   an operand is not a node, a tensor or a number
 * @function
 */
export const div = binary({
  name: 'div',
  domains: [bothSigns, nonZero],
  gradient: (g, _a, b, y) => [div(g, b), neg(div(mul(g, y), b))],
});

/**
 * -x.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const neg = unary({ name: 'neg', domain: bothSigns, gradient: (g) => neg(g) });

/**
 * e^x.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const exp = unary({ name: 'exp', domain: bothSigns, gradient: (g, _x, y) => mul(g, y) });

/**
 * The natural logarithm; NaN below 0, -Infinity at 0.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const log = unary({ name: 'log', domain: positive, gradient: (g, x) => div(g, x) });

/**
 * The square root; its gradient at 0 is infinite.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const sqrt = unary({
  name: 'sqrt',
  domain: positive,
  gradient: (g, _x, y) => div(g, mul(2, y)),
});

/**
 * x * x.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const square = unary({
  name: 'square',
  domain: bothSigns,
  gradient: (g, x) => mul(g, mul(2, x)),
});

/**
 * |x|; the gradient at 0 is 0.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const abs = unary({
  name: 'abs',
  domain: { ...bothSigns, gap: 0.1 },
  gradient: (g, x) => mul(g, sign(x)),
});

/**
 * The cosine of x in radians.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const cos = unary({
  name: 'cos',
  domain: bothSigns,
  gradient: (g, x) => neg(mul(g, sin(x))),
});

/**
 * The sine of x in radians.
 * Of x's shape and dtype, float32 or float64.
 * @throws DTypeError for int32; ValueError if x is not a node, a tensor or a number
 * @function
 */
export const sin = unary({ name: 'sin', domain: bothSigns, gradient: (g, x) => mul(g, cos(x)) });

/**
 * base^exponent, as C's pow. Gradients are 0 where the power is constant: for the base at exponent
 * 0, for the exponent at base 0 (unless the exponent is negative).
 * Shapes broadcast; of the operands' one dtype, float32 or float64.
 * @throws ShapeError for shapes that do not broadcast; DTypeError for two dtypes or int32; ValueError if
 *   an operand is not a node, a tensor or a number
 * @function
 */
export const pow = binary({
  name: 'pow',
  domains: [positive, bothSigns],
  gradient: (g, base, exponent, y) => [
    where(equal(exponent, 0), 0, mul(mul(g, exponent), pow(base, sub(exponent, 1)))),
    // Where the power is constant in the exponent, at base 0, log(1) makes the gradient 0.
    mul(g, mul(y, log(where(greater(0, exponent), base, where(equal(base, 0), 1, base))))),
  ],
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
 * The sum of all operands, from the first to the last; all of one shape and dtype, float32 or float64.
 * @throws ShapeError for two shapes; DTypeError for two dtypes or int32; GraphError for no operands; ValueError if
 *   `operands` is not a list of nodes, tensors and numbers
 */
export function addN(operands: readonly Operand[]): Node {
  const nodes = lift('addN', assertList(operands, '[addN] expected a list of operands,'));
  return addAll(nodes, {});
}
