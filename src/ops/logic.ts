/** Logical operations on bools, and tests of numbers for NaN and infinity. */

import { DTypeError } from '../errors.js';
import { input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { notDifferentiable, type OpDeclaration } from '../graph/op.js';
import { abs } from './arithmetic.js';
import { less, notEqual } from './comparison.js';
import { declare } from './declare.js';
import { broadcastShape, floatingDType, sameDType } from './rules.js';
import {
  type Binary,
  binarySamples,
  type Range,
  refusesIntegers,
  refusesShapes,
  type Unary,
  unarySamples,
} from './samples.js';

/** The dtype rule of logical operations: all operands are bools. */
const logic: OpDeclaration['dtype'] = (inputs, attributes, fail) => {
  const other = inputs.find(({ dtype }) => dtype !== 'bool');
  if (other) {
    fail.dtype(
      `is defined for bool, but received ${other.dtype}; compare it with 0 (notEqual), or cast() it first`,
    );
  }
  return sameDType(inputs, attributes, fail);
};

const refusesNumbers = (name: string, op: Unary) => ({
  build: () => op(input('x', [2])),
  error: DTypeError,
  message: new RegExp(`^\\[${name}\\] is defined for bool, but received float32; compare it`),
});

const truths = notDifferentiable('the operands and the result are bools');
const tests = notDifferentiable('the result is a bool');
const signs: Range = { low: -2, high: 2 };
const bools: Range = { dtype: 'bool' };

/** Declares a logical operation of two operands that broadcast. The kernel has the name of the op. */
function logical(name: string): Binary {
  const function_: Binary = (a, b) => apply([a, b], {});
  const apply = declare({
    name,
    arity: 2,
    broadcasts: true,
    dtype: logic,
    shape: broadcastShape,
    lowering: { kind: 'map', kernel: name },
    gradient: truths,
    samples: binarySamples((a, b) => function_(a, b), bools, bools),
    refused: [
      ...refusesShapes(name, (a, b) => function_(a, b), 'bool'),
      refusesNumbers(name, (x) => function_(x, notEqual(x, 0))),
      refusesNumbers(name, (x) => function_(notEqual(x, 0), x)),
    ],
  });
  return function_;
}

/**
 * Returns true where a and b are both true, as bool. The shapes broadcast. Both operands are bool. (To test numbers,
 * compare them: `and(greater(x, 0), less(x, 1))`.) No gradient flows through `and`.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if an operand is not bool; ValueError if an operand is
 *   not a Node, Tensor or number
 * @function
 */
export const and = logical('and');

/**
 * Returns true where at least one of a and b is true, as bool. The shapes broadcast. Both operands are bool. No gradient
 * flows through `or`.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if an operand is not bool; ValueError if an operand is
 *   not a Node, Tensor or number
 * @function
 */
export const or = logical('or');

/**
 * Returns true where exactly one of a and b is true, as bool. The shapes broadcast. Both operands are bool. No gradient
 * flows through `xor`.
 * @throws ShapeError if the shapes do not broadcast; DTypeError if an operand is not bool; ValueError if an operand is
 *   not a Node, Tensor or number
 * @function
 */
export const xor = logical('xor');

const negate = declare({
  name: 'not',
  arity: 1,
  dtype: logic,
  shape: ([x]) => (x as Node).shape,
  lowering: { kind: 'map', kernel: 'not' },
  gradient: truths,
  samples: unarySamples((x) => not(x), bools),
  refused: [refusesNumbers('not', (x) => not(x))],
});

/**
 * Returns true where x is false, and false where x is true, as bool. The result has the shape of x, which is bool. No
 * gradient flows through `not`.
 * @throws DTypeError if x is not bool; ValueError if x is not a Node, Tensor or number
 */
export function not(x: Parameters<Unary>[0]): Node {
  return negate([x], {});
}

/** Declares a test of the elements of a floating-point operand, which other ops compute. */
function tested(name: string, expand: Unary): Unary {
  const function_: Unary = (x) => apply([x], {});
  const apply = declare({
    name,
    arity: 1,
    dtype: (inputs, attributes, fail) => {
      floatingDType(inputs, attributes, fail);
      return 'bool';
    },
    shape: ([x]) => (x as Node).shape,
    lowering: { kind: 'compose', expand: ([x]) => expand(x as Node) },
    gradient: tests,
    samples: [
      ...unarySamples((x) => function_(x), signs),
      {
        inputs: [{ shape: [5], values: [Number.NaN, 1, Infinity, -Infinity, 0] }],
        build: (x) => function_(x as Node),
      },
    ],
    refused: [refusesIntegers(name, (x) => function_(x))],
  });
  return function_;
}

/**
 * Returns true where x is NaN, and false elsewhere, as bool. The result has the shape of x, which is float32 or float64.
 * No gradient flows through `isNaN`.
 * @throws DTypeError if x is neither float32 nor float64; ValueError if x is not a Node, Tensor or number
 * @function
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: the op has the name of the function of numbers
export const isNaN = tested('isNaN', (x) => notEqual(x, x));

/**
 * Returns true where x is neither infinite nor NaN, and false elsewhere, as bool. The result has the shape of x, which is
 * float32 or float64. No gradient flows through `isFinite`.
 * @throws DTypeError if x is neither float32 nor float64; ValueError if x is not a Node, Tensor or number
 * @function
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: the op has the name of the function of numbers
export const isFinite = tested('isFinite', (x) => less(abs(x), Infinity));
