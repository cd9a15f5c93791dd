/** First values of parameters. */

import { describeValue } from '../arguments/describe.js';
import { ValueError } from '../errors.js';
import { evaluate } from '../evaluate/evaluate.js';
import type { Initializer } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import {
  mul,
  type RandomOptions,
  randomNormal,
  randomTruncatedNormal,
  randomUniform,
  sub,
} from '../ops/index.js';
import { Tensor } from '../tensor/tensor.js';

/** How many inputs feed a unit, and how many units an input feeds: the last axis is the units. */
function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const fanOut = shape.at(-1) ?? 1;
  const fanIn = shape.length < 2 ? fanOut : shape.slice(0, -1).reduce((size, dim) => size * dim, 1);
  return { fanIn: Math.max(1, fanIn), fanOut: Math.max(1, fanOut) };
}

function scaled(
  draw: (shape: readonly number[], options: RandomOptions) => Node,
  scale: (shape: readonly number[]) => number,
): Initializer {
  return (shape, options) => evaluate(mul(draw(shape, options), scale(shape)));
}

function deviation(value: number, name: string): () => number {
  if (typeof value !== 'number' || !(value >= 0) || value === Infinity) {
    throw new ValueError(
      `initializers.${name}: expected a standard deviation (finite, not negative), but received ${describeValue(value)}`,
    );
  }
  return () => value;
}

/** Ways to draw a parameter's first value; each depends on shape, dtype and seed alone. */
export const initializers = {
  /** Zeros. */
  zeros:
    (): Initializer =>
    (shape, { dtype }) =>
      Tensor.zeros(shape, { dtype }),

  /** One number throughout. */
  constant:
    (value: number): Initializer =>
    (shape, { dtype }) =>
      Tensor.full(shape, value, { dtype }),

  /** Normal with mean 0 and standard deviation `std`. @throws ValueError unless it is finite and not negative */
  normal: (std: number): Initializer => scaled(randomNormal, deviation(std, 'normal')),

  /** Normal with mean 0, draws beyond two standard deviations replaced; `std` is that before truncation. */
  truncatedNormal: (std: number): Initializer =>
    scaled(randomTruncatedNormal, deviation(std, 'truncatedNormal')),

  /** Uniform within ±sqrt(6 / (fanIn + fanOut)): Glorot & Bengio, AISTATS 2010. For tanh and sigmoid. */
  glorot: (): Initializer =>
    scaled(
      (shape, options) => sub(mul(randomUniform(shape, options), 2), 1),
      (shape) => Math.sqrt(6 / (fans(shape).fanIn + fans(shape).fanOut)),
    ),

  /** Normal with variance 2 / fanIn: He et al., ICCV 2015. For relu. */
  he: (): Initializer => scaled(randomNormal, (shape) => Math.sqrt(2 / fans(shape).fanIn)),
} as const;
