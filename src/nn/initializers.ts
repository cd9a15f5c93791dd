/** Initialisers, which make the initial values of parameters. */

import { describeValue } from '../arguments/describe.js';
import { seedNumber } from '../arguments/kinds.js';
import { declareOptions, optional } from '../arguments/options.js';
import { ShapeError, ValueError } from '../errors.js';
import { evaluate } from '../evaluate/evaluate.js';
import { constant, type Initializer } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import {
  cast,
  mul,
  type RandomOptions,
  randomNormal,
  randomTruncatedNormal,
  randomUniform,
  reshape,
  sub,
  transpose,
} from '../ops/index.js';
import { dtypeName } from '../tensor/dtype.js';
import { assertShape, formatShape, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { orthonormal } from './orthogonal.js';

/**
 * Returns fanIn, the number of inputs of each unit, and fanOut, the number of units to which each input is connected.
 * Both numbers are at least 1. A weight with two axes is [inputs, units]. A weight with more axes is that of a
 * convolution, [filters, channels / groups, ..sizes]. Its fans are those of PyTorch: an output element of a filter reads
 * channels / groups times the product of the sizes, and fanOut is the number of filters times this product.
 */
function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const [first = 1, second = first, ...sizes] = shape;
  const taps = sizeOf(sizes);
  const [fanIn, fanOut] = sizes.length === 0 ? [first, second] : [second * taps, first * taps];
  return { fanIn: Math.max(1, fanIn), fanOut: Math.max(1, fanOut) };
}

// The options with which an `Initializer` is called. They are optional for users who call an initialiser directly; a
// parameter always gives a dtype and a seed.
const drawOptions = declareOptions(
  [
    'zeros',
    'constant',
    'normal',
    'truncatedNormal',
    'glorot',
    'he',
    'lecunNormal',
    'lecunUniform',
    'kaimingUniform',
    'orthogonal',
  ]
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

/** Returns an initialiser that draws from the uniform distribution between -r and r, where `bound` returns r. */
function uniform(name: string, bound: (shape: readonly number[]) => number): Initializer {
  const draw = (shape: readonly number[], options: RandomOptions) =>
    sub(mul(randomUniform(shape, options), 2), 1);
  return scaled(name, draw, bound);
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
    uniform('glorot', (shape) => Math.sqrt(6 / (fans(shape).fanIn + fans(shape).fanOut))),

  /**
   * Returns an initialiser that draws from the normal distribution with mean 0 and variance 2 / fanIn: He et al., ICCV
   * 2015. Use it for layers with relu.
   */
  he: (): Initializer => scaled('he', randomNormal, (shape) => Math.sqrt(2 / fans(shape).fanIn)),

  /**
   * Returns an initialiser that draws from the normal distribution with mean 0 and variance 1 / fanIn: LeCun, Bottou,
   * Orr & Müller, Efficient BackProp, 1998. Use it for layers with selu.
   */
  lecunNormal: (): Initializer =>
    scaled('lecunNormal', randomNormal, (shape) => Math.sqrt(1 / fans(shape).fanIn)),

  /**
   * Returns an initialiser that draws from the uniform distribution between -r and r, where r = sqrt(3 / fanIn). Its
   * variance is that of `lecunNormal`.
   */
  lecunUniform: (): Initializer =>
    uniform('lecunUniform', (shape) => Math.sqrt(3 / fans(shape).fanIn)),

  /**
   * Returns an initialiser that draws from the uniform distribution between -r and r, where
   * r = sqrt(6 / ((1 + slope^2) fanIn)): He et al., ICCV 2015, for layers with leakyRelu of this slope. The default is
   * that of the layers of PyTorch, sqrt(5), with which r = 1 / sqrt(fanIn). With 0, it is for layers with relu.
   * @throws ValueError if `slope` is not a finite number
   */
  kaimingUniform: (slope: number = Math.sqrt(5)): Initializer => {
    const own = finite(slope, 'kaimingUniform', 'a slope');
    return uniform('kaimingUniform', (shape) =>
      Math.sqrt(6 / ((1 + own ** 2) * fans(shape).fanIn)),
    );
  },

  /**
   * Returns an initialiser that draws a matrix with orthogonal rows of length `gain` or, if it has more rows than
   * columns, with orthogonal columns of this length: Saxe, McClelland & Ganguli, ICLR 2014. All such matrices are equally
   * likely. A weight with more than two axes is a matrix whose rows are along its first axis, as in PyTorch. Use it for
   * recurrent layers.
   * @throws ValueError if `gain` is not a finite number. The initialiser throws ShapeError if the shape has fewer than
   *   two axes
   */
  orthogonal: (gain = 1): Initializer => {
    const own = finite(gain, 'orthogonal', 'a gain');
    return checked('orthogonal', (shape, options) => orthogonal(shape, options, own));
  },
} as const;

/** @throws ValueError if `value` is not a finite number */
function finite(value: number, name: string, what: string): number {
  if (Number.isFinite(value)) return value;
  throw new ValueError(
    `initializers.${name}: expected ${what} (a finite number), but received ${describeValue(value)}`,
  );
}

/** Returns a random matrix with orthogonal rows or columns, times `gain`. */
function orthogonal(
  shape: readonly number[],
  { dtype = 'float32', seed }: RandomOptions,
  gain: number,
): Tensor {
  if (shape.length < 2) {
    throw new ShapeError(
      `initializers.orthogonal(): expected a shape with at least two axes, but received ${formatShape(shape)}`,
    );
  }
  const [rows = 0, ...others] = shape;
  const columns = sizeOf(others);
  const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)];
  const drawn = randomNormal([long, short], {
    dtype: 'float64',
    ...(seed !== undefined && { seed }),
  });
  const factor = short === 0 ? drawn : constant(orthonormal(evaluate(drawn)));
  const matrix = rows < columns ? transpose(factor) : factor;
  return evaluate(cast(reshape(mul(matrix, gain), shape), dtype));
}
