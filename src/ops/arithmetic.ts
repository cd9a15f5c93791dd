/** Element-wise arithmetic, powers, exponentials and trigonometry. */

import { assertList } from '../arguments/read.js';
import { ShapeError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import { Constant, input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { formatShape } from '../tensor/shape.js';
import { equal, greater, sign, where } from './comparison.js';
import { declare } from './declare.js';
import { binary, elementwise, unary } from './elementwise.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';

const bothSigns = { low: -2, high: 2 };
const positive = { low: 0.3, high: 2 };
const nonZero = { low: -2, high: 2, gap: 0.4 };

/**
 * Returns the sum a + b.
 * The shapes broadcast. Both operands must have the same dtype, float32 or float64. The result has this dtype.
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
 * Returns the difference a - b.
 * The shapes broadcast. Both operands must have the same dtype, float32 or float64. The result has this dtype.
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
 * Returns the element-wise product a * b.
 * The shapes broadcast. Both operands must have the same dtype, float32 or float64. The result has this dtype.
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
 * Returns the quotient a / b.
 * The shapes broadcast. Both operands must have the same dtype, float32 or float64. The result has this dtype.
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
 * Returns the negation, -x.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const neg = unary({ name: 'neg', domain: bothSigns, gradient: (g) => neg(g) });

/**
 * Returns the exponential, e^x.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const exp = unary({ name: 'exp', domain: bothSigns, gradient: (g, _x, y) => mul(g, y) });

/**
 * Returns the natural logarithm of x. It is NaN if x is below 0, and -Infinity if x is 0.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const log = unary({ name: 'log', domain: positive, gradient: (g, x) => div(g, x) });

/**
 * Returns the square root of x. Its gradient at 0 is infinite.
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
 * Returns the square, x * x.
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
 * Returns the absolute value |x|. Its gradient at 0 is 0.
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
 * Returns the cosine of x, where x is in radians.
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
 * Returns the sine of x, where x is in radians.
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const sin = unary({ name: 'sin', domain: bothSigns, gradient: (g, x) => mul(g, cos(x)) });

/**
 * Returns the power base^exponent, as C's `pow` does. If the exponent is 0, the power is 1 for every base, so its
 * derivatives for the base are 0 (up to the fourth order, if the exponent is not constant). If the base is 0, the
 * gradient for the exponent is 0, unless the exponent is negative. Where the exponent is 0 and the base is NaN, or its
 * magnitude is not between 2^-31 and 2^31 (float64: 2^-255 and 2^255), the derivative of the gradient for the base with
 * respect to the exponent is 0.
 * The shapes broadcast. Both operands must have the same dtype, float32 or float64. The result has this dtype.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if the dtypes differ or are int32; ValueError if an
 *   operand is not a Node, Tensor or number
 * @function
 */
export const pow = binary({
  name: 'pow',
  domains: [positive, bothSigns],
  gradient: (g, base, exponent, y) => {
    const flat = equal(exponent, 0);
    // The factor b^(e - 1) is infinite at 0^-1. Derivatives of higher order would multiply it by the exponent 0, which
    // is NaN. Where that could happen, the base is replaced by 1. Elsewhere the exponent's own factor makes the gradient
    // 0, and must stay: the derivative of e b^(e - 1) for e is not 0 at e = 0.
    const masked = isConstant(exponent)
      ? (masking: number, otherwise: Node): Node => where(flat, masking, otherwise)
      : (masking: number, otherwise: Node): Node =>
          where(isModerate(base), otherwise, where(flat, masking, otherwise));
    const power = pow(masked(1, base), sub(exponent, 1));
    return [
      masked(0, mul(mul(g, exponent), power)),
      // Where the base is 0 and the exponent is not negative, the power does not depend on the exponent, so the
      // gradient must be 0. There the base is replaced by 1, and log(1) = 0 is a factor of the gradient.
      mul(g, mul(y, log(where(greater(0, exponent), base, where(equal(base, 0), 1, base))))),
    ];
  },
});

/** Returns where the magnitude of a node and its inverse are so large that their fourth powers are finite and not 0. */
function isModerate(x: Node): Node {
  const magnitude = abs(x);
  const least = where(greater(magnitude, 1), div(1, magnitude), magnitude);
  return greater(least, x.dtype === 'float64' ? 2 ** -255 : 2 ** -31);
}

/** For each node that `isConstant` has seen, its answer. */
const constant = new WeakMap<Node, boolean>();

/** Returns whether no run can change the value of a node, because it follows from constants alone. */
function isConstant(node: Node): boolean {
  const pending = [node];
  for (let one = pending.at(-1); one; one = pending.at(-1)) {
    const unknown = one.inputs.filter((input) => !constant.has(input));
    if (unknown.length === 0) {
      const { inputs } = one;
      constant.set(
        one,
        one instanceof Constant ||
          (inputs.length > 0 && inputs.every((input) => constant.get(input))),
      );
      pending.pop();
    }
    pending.push(...unknown);
  }
  return constant.get(node) as boolean;
}

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
  local: elementwise,
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
 * Returns the sum of all operands, which are added from the first to the last. All operands must have the same shape
 * and the same dtype, float32 or float64. The result has this shape and this dtype.
 * @throws ShapeError if the shapes differ; DTypeError if the dtypes differ or are int32; GraphError if there are no
 *   operands; ValueError if `operands` is not a list of Nodes, Tensors and numbers
 */
export function addN(operands: readonly Operand[]): Node {
  const nodes = lift('addN', assertList(operands, '[addN] expected a list of operands,'));
  return addAll(nodes, {});
}
