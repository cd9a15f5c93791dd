/** Initial values of parameters. */

import { describeValue } from '../arguments/describe.js';
import { seedNumber } from '../arguments/kinds.js';
import { declareOptions, optional } from '../arguments/options.js';
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
import { dtypeName } from '../tensor/dtype.js';
import { assertShape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/**
 * The number of inputs of each unit (fanIn) and of units that each input feeds (fanOut). The last axis is the units.
 */
function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const fanOut = shape.at(-1) ?? 1;
  const fanIn = shape.length < 2 ? fanOut : shape.slice(0, -1).reduce((size, dim) => size * dim, 1);
  return { fanIn: Math.max(1, fanIn), fanOut: Math.max(1, fanOut) };
}

// The options of an `Initializer`. A parameter always gives its initialiser a dtype and a seed.
const drawOptions = declareOptions(
  ['zeros', 'constant', 'normal', 'truncatedNormal', 'glorot', 'he']
    .map((name) => `initializers.${name}()`)
    .join(', '),
  { dtype: optional(dtypeName), seed: optional(seedNumber) },
);

/** An initialiser that checks its arguments, because users can call it directly. */
function checked(
  name: string,
  draw: (shape: readonly number[], options: RandomOptions) => Tensor,
): Initializer {
  const context = `initializers.${name}()`;
  return (shape, options) =>
    draw(assertShape(shape, `${context}:`), drawOptions.read(options, context));
}

/** An initialiser that multiplies a random draw by a scale. */
function scaled(
  name: string,
  draw: (shape: readonly number[], options: RandomOptions) => Node,
  scale: (shape: readonly number[]) => number,
): Initializer {
  return checked(name, (shape, options) => evaluate(mul(draw(shape, options), scale(shape))));
}

/** The standard deviation as a scale. @throws ValueError if it is negative or not finite */
function deviation(value: number, name: string): () => number {
  if (typeof value === 'number' && value >= 0 && value < Infinity) return () => value;
  throw new ValueError(
    `initializers.${name}: expected a standard deviation (finite, not negative), but received ${describeValue(value)}`,
  );
}

/** Initialisers: each returns a parameter's initial value, which depends only on shape, dtype and seed. */
export const initializers = {
  /** All elements are 0. */
  zeros: (): Initializer => checked('zeros', (shape, { dtype }) => Tensor.zeros(shape, { dtype })),

  /** All elements are `value`. @throws ValueError if `value` is not a number */
  constant: (value: number): Initializer => {
    if (typeof value !== 'number') {
      throw new ValueError(
        `initializers.constant: expected a number, but received ${describeValue(value)}`,
      );
    }
    return checked('constant', (shape, { dtype }) => Tensor.full(shape, value, { dtype }));
  },

  /** Normal with mean 0 and standard deviation `std`. @throws ValueError if `std` is negative or not finite */
  normal: (std: number): Initializer => scaled('normal', randomNormal, deviation(std, 'normal')),

  /**
   * Truncated normal with mean 0: draws beyond two standard deviations are drawn again. `std` is the standard deviation
   * before truncation.
   * @throws ValueError if `std` is negative or not finite
   */
  truncatedNormal: (std: number): Initializer =>
    scaled('truncatedNormal', randomTruncatedNormal, deviation(std, 'truncatedNormal')),

  /** Uniform within ±sqrt(6 / (fanIn + fanOut)): Glorot & Bengio, AISTATS 2010. For tanh and sigmoid. */
  glorot: (): Initializer =>
    scaled(
      'glorot',
      (shape, options) => sub(mul(randomUniform(shape, options), 2), 1),
      (shape) => Math.sqrt(6 / (fans(shape).fanIn + fans(shape).fanOut)),
    ),

  /** Normal with variance 2 / fanIn: He et al., ICCV 2015. For relu. */
  he: (): Initializer => scaled('he', randomNormal, (shape) => Math.sqrt(2 / fans(shape).fanIn)),
} as const;
