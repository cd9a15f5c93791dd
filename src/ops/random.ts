/**
 * Ops that draw random numbers. Each number is a pure function of the seed, the index of the run and the index of the
 * element. The generator is Philox4x32-10 (Salmon et al., SC 2011).
 */

import { seedNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import type { Dim, Shape } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import { notDifferentiable } from '../graph/op.js';
import { nextDrawSeed } from '../graph/seed.js';
import { type DType, dtypeName, isFloating } from '../tensor/dtype.js';
import { mul } from './arithmetic.js';
import { dimensions } from './broadcast.js';
import { declare } from './declare.js';

const randomOptions = declareOptions('randomNormal, randomUniform, randomTruncatedNormal', {
  /**
   * The seed of the draw. By default, it is derived from the seed that `setSeed` set, and from the number of draws
   * without a seed since then.
   */
  seed: optional(seedNumber),
  /** The dtype of the result: `float32` (the default) or `float64`. */
  dtype: optional(dtypeName, 'type'),
});

/** Options of `randomNormal`, `randomUniform` and `randomTruncatedNormal`. */
export interface RandomOptions extends OptionsOf<typeof randomOptions> {}

/**
 * A function that returns a node of random numbers. If `shape` has dimension names, the graph must have inputs with
 * dimensions of these names.
 */
export type Draw = (shape: readonly Dim[], options?: RandomOptions) => Node;

interface DrawAttributes {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly seed: number;
}

/** Declares a random op and returns its function. */
function random(name: string, kernel: string): Draw {
  const scaled = (shape: number[]) => ({
    inputs: [{ shape }],
    build: (x?: Node) => mul(x as Node, draw(shape, { seed: 7, dtype: 'float64' })),
  });
  const apply = declare<DrawAttributes>({
    name,
    arity: 0,
    dtype: (_inputs, { dtype }, fail) => {
      if (!isFloating(dtype)) fail.dtype(`draws float32 or float64, but received ${dtype}`);
      return dtype;
    },
    shape: (_inputs, { shape }) => shape,
    lowering: { kind: 'random', kernel, seed: ({ seed }) => seed },
    gradient: notDifferentiable('it has no inputs'),
    label: ({ seed }) => `seed ${seed}`,
    samples: [scaled([2, 3]), scaled([2, 3, 4]), scaled([0, 3])],
    refused: [
      {
        build: () => draw([2, -1]),
        error: ShapeError,
        message: new RegExp(`^\\[${name}\\] expected a dimension`),
      },
      {
        build: () => draw([2], { seed: 0.5 }),
        error: ValueError,
        message: new RegExp(`^\\[${name}\\]: seed must be an integer`),
      },
      {
        build: () => draw([2], { dtype: 'int32' }),
        error: DTypeError,
        message: new RegExp(`^\\[${name}\\] draws float32 or float64, but received int32`),
      },
    ],
  });
  const draw: Draw = (shape, options) => {
    const { seed, dtype = 'float32' } = randomOptions.read(options, `[${name}]`);
    const dims = dimensions(name, shape);
    return apply([], { shape: dims, dtype, seed: seed ?? nextDrawSeed() });
  };
  return draw;
}

/**
 * Returns a node of the given shape, whose elements are drawn from the standard normal distribution. The numbers depend
 * only on the seed, the shape, the dtype and the index of the run. Each run of a program has another index, so it draws
 * new numbers. A call of `evaluate` draws new numbers only if the option `run` changes. The generator is Philox4x32-10:
 * Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
 * @throws ShapeError if `shape` is not a shape; DTypeError if `dtype` is int32; ValueError if `seed` is not a valid
 *   seed or an option is unknown
 * @function
 */
export const randomNormal = random('randomNormal', 'normal');

/**
 * Returns a node of the given shape, whose elements are drawn from the uniform distribution on [0, 1). The numbers
 * depend only on the seed, the shape, the dtype and the index of the run. Each run of a program has another index, so
 * it draws new numbers. A call of `evaluate` draws new numbers only if the option `run` changes.
 * @throws ShapeError if `shape` is not a shape; DTypeError if `dtype` is int32; ValueError if `seed` is not a valid
 *   seed or an option is unknown
 * @function
 */
export const randomUniform = random('randomUniform', 'uniform');

/**
 * Returns a node of the given shape, whose elements are drawn from the truncated standard normal distribution: numbers
 * beyond two standard deviations are drawn again. The numbers depend only on the seed, the shape, the dtype and the
 * index of the run. Each run of a program has another index, so it draws new numbers. A call of `evaluate` draws new
 * numbers only if the option `run` changes.
 * @throws ShapeError if `shape` is not a shape; DTypeError if `dtype` is int32; ValueError if `seed` is not a valid
 *   seed or an option is unknown
 * @function
 */
export const randomTruncatedNormal = random('randomTruncatedNormal', 'truncatedNormal');
