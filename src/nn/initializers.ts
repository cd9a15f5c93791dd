/** Initialisers, which make the initial values of parameters. */

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
 * Returns fanIn, the number of inputs of each unit, and fanOut, the number of units to which each input is connected.
 * The units are along the last axis of the weight. Both numbers are at least 1.
 */
function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const fanOut = shape.at(-1) ?? 1;
  const fanIn = shape.length < 2 ? fanOut : shape.slice(0, -1).reduce((size, dim) => size * dim, 1);
  return { fanIn: Math.max(1, fanIn), fanOut: Math.max(1, fanOut) };
}

// The options with which an `Initializer` is called. They are optional for users who call an initialiser directly; a
// parameter always gives a dtype and a seed.
const drawOptions = declareOptions(
  ['zeros', 'constant', 'normal', 'truncatedNormal', 'glorot', 'he']
    .map((name) => `initializers.${name}()`)
    .join(', '),
  { dtype: optional(dtypeName), seed: optional(seedNumber) },
);

/** Returns an initialiser that checks its arguments before it calls `draw`, because users can call it directly. */
function checked(
  name: string,
  draw: (shape: readonly number[], options: RandomOptions) => Tensor,
): Initializer {
  const context = `initializers.${name}()`;
  return (shape, options) =>
    draw(assertShape(shape, `${context}:`), drawOptions.read(options, context));
}

/** Returns an initialiser that multiplies random numbers, which `draw` returns, by the number that `scale` returns. */
function scaled(
  name: string,
  draw: (shape: readonly number[], options: RandomOptions) => Node,
  scale: (shape: readonly number[]) => number,
): Initializer {
  return checked(name, (shape, options) => evaluate(mul(draw(shape, options), scale(shape))));
}

/**
 * Returns a function that returns the standard deviation `value`. The function is for the parameter `scale` of
 * `scaled`.
 * @throws ValueError if `value` is negative or not finite
 */
function deviation(value: number, name: string): () => number {
  if (typeof value === 'number' && value >= 0 && value < Infinity) return () => value;
  throw new ValueError(
    `initializers.${name}: expected a standard deviation (finite, not negative), but received ${describeValue(value)}`,
  );
}

/**
 * Functions that return initialisers. The value that an initialiser makes depends only on the shape, dtype and seed.
 */
export const initializers = {
  /** Returns an initialiser that sets all elements to 0. */
  zeros: (): Initializer => checked('zeros', (shape, { dtype }) => Tensor.zeros(shape, { dtype })),

  /** Returns an initialiser that sets all elements to `value`. @throws ValueError if `value` is not a number */
  constant: (value: number): Initializer => {
    if (typeof value !== 'number') {
      throw new ValueError(
        `initializers.constant: expected a number, but received ${describeValue(value)}`,
      );
    }
    return checked('constant', (shape, { dtype }) => Tensor.full(shape, value, { dtype }));
  },

  /**
   * Returns an initialiser that draws from the normal distribution with mean 0 and standard deviation `std`.
   * @throws ValueError if `std` is negative or not finite
   */
  normal: (std: number): Initializer => scaled('normal', randomNormal, deviation(std, 'normal')),

  /**
   * Returns an initialiser that draws from the truncated normal distribution with mean 0: a number beyond two standard
   * deviations is drawn again. `std` is the standard deviation before truncation.
   * @throws ValueError if `std` is negative or not finite
   */
  truncatedNormal: (std: number): Initializer =>
    scaled('truncatedNormal', randomTruncatedNormal, deviation(std, 'truncatedNormal')),

  /**
   * Returns an initialiser that draws from the uniform distribution between -r and r, where r = sqrt(6 / (fanIn +
   * fanOut)): Glorot & Bengio, AISTATS 2010. Use it for layers with tanh or sigmoid.
   */
  glorot: (): Initializer =>
    scaled(
      'glorot',
      (shape, options) => sub(mul(randomUniform(shape, options), 2), 1),
      (shape) => Math.sqrt(6 / (fans(shape).fanIn + fans(shape).fanOut)),
    ),

  /**
   * Returns an initialiser that draws from the normal distribution with mean 0 and variance 2 / fanIn: He et al., ICCV
   * 2015. Use it for layers with relu.
   */
  he: (): Initializer => scaled('he', randomNormal, (shape) => Math.sqrt(2 / fans(shape).fanIn)),
} as const;
