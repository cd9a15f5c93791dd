/** Makes the samples and the refused calls that element-wise ops have in common. The tests use them. */

import { DTypeError, ShapeError } from '../errors.js';
import type { Shape } from '../graph/dimension.js';
import { constant, input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand, Refusal, Sample, SampleInput } from '../graph/op.js';
import type { DType } from '../tensor/dtype.js';

/**
 * The interval [low, high) from which the elements of an operand are drawn. `gap` is the smallest absolute value that
 * an element may have, for ops that are not differentiable at 0.
 */
export interface Range {
  readonly low?: number;
  readonly high?: number;
  readonly gap?: number;
  /** float64 by default. */
  readonly dtype?: DType;
}

/** An element-wise op of one operand. */
export type Unary = (x: Operand) => Node;
/** An element-wise op of two operands. Their shapes broadcast. */
export type Binary = (a: Operand, b: Operand) => Node;

const shapes = [[2, 3], [2, 3, 4], [0, 3], []] as const;

/** Returns samples of an element-wise op of one operand, for several shapes. */
export function unarySamples(op: Unary, range: Range): Sample[] {
  return shapes.map((shape) => ({
    inputs: [{ shape, ...range }],
    build: (x) => op(x as Node),
  }));
}

/** Returns samples of an element-wise op of two operands, for several shapes, of which some broadcast. */
export function binarySamples(op: Binary, a: Range, b: Range): Sample[] {
  const build = (x?: Node, y?: Node) => op(x as Node, y as Node);
  const pair = (left: readonly number[], right: readonly number[]): SampleInput[] => [
    { shape: left, ...a },
    { shape: right, ...b },
  ];
  return [
    ...shapes.map((shape) => ({ inputs: pair(shape, shape), build })),
    { inputs: pair([2, 1, 4], [3, 1]), build, broadcast: true },
    { inputs: pair([], [2, 3]), build, broadcast: true },
    { inputs: pair([2, 3], [1, 1]), build, broadcast: true },
    { inputs: pair([0, 1], [1, 3]), build, broadcast: true },
  ];
}

/** Returns a call with an int32 operand that must be refused. `build` calls the op `name` with its argument. */
export function refusesIntegers(name: string, build: (x: Node) => unknown): Refusal {
  return {
    build: () => build(input('indices', [3], { dtype: 'int32' })),
    error: DTypeError,
    message: new RegExp(`^\\[${name}\\] is defined for float32 and float64, but received int32`),
  };
}

/** Returns calls of an op of two operands of `dtype` that must be refused: the shapes do not broadcast. */
export function refusesShapes(name: string, op: Binary, dtype: DType = 'float32'): Refusal[] {
  const operand = (label: string, shape: Shape) => input(label, shape, { dtype });
  return [
    {
      build: () => op(operand('a', [2, 3]), operand('b', [2, 4])),
      error: ShapeError,
      message: new RegExp(
        `^\\[${name}\\] shapes do not broadcast: \\[2, 3\\] and \\[2, 4\\] \\(operands: \\[input 'a'\\], \\[input 'b'\\]\\)$`,
      ),
    },
    {
      build: () => op(operand('a', ['batch']), operand('b', [5])),
      error: ShapeError,
      message: new RegExp(`^\\[${name}\\] shapes do not broadcast: \\[batch\\] and \\[5\\]`),
    },
  ];
}

/**
 * Returns calls of an op of two operands that must be refused: shapes that do not broadcast, and dtypes that differ.
 */
export function refusesMismatch(name: string, op: Binary): Refusal[] {
  return [
    ...refusesShapes(name, op),
    {
      build: () => op(input('a', [2]), constant(1, { dtype: 'float64' })),
      error: DTypeError,
      message: new RegExp(`^\\[${name}\\] operands have different dtypes: float32 and float64`),
    },
  ];
}
