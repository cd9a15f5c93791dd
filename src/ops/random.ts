/** Random draws: pure functions of (seed, run, element), by Philox4x32-10 (Salmon et al., SC 2011). */

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
  /** Defaults to one derived from `setSeed` and the order of construction. */
  seed: optional(seedNumber),
  /** `float32`, unless `float64` is asked for. */
  dtype: optional(dtypeName, 'type'),
});

/** What a draw may be told. */
export interface RandomOptions extends OptionsOf<typeof randomOptions> {}

/** Makes a node that draws: names in `shape` are bound by inputs. */
export type Draw = (shape: readonly Dim[], options?: RandomOptions) => Node;

interface DrawAttributes {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly seed: number;
}

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
 * Standard normal draws. Equal seed, shape and dtype are the same draw; every run draws anew. Philox4x32-10: Salmon
 * et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
 * @throws ShapeError if `shape` is not a shape; DTypeError for int32; ValueError if the seed is not one, and for an
 *   unknown option
 * @function
 */
export const randomNormal = random('randomNormal', 'normal');

/**
 * Uniform draws from [0, 1). Equal seed, shape and dtype are the same draw; every run draws anew.
 * @throws ShapeError if `shape` is not a shape; DTypeError for int32; ValueError if the seed is not one, and for an
 *   unknown option
 * @function
 */
export const randomUniform = random('randomUniform', 'uniform');

/**
 * Standard normal draws, those beyond two standard deviations drawn again.
 * @throws ShapeError if `shape` is not a shape; DTypeError for int32; ValueError if the seed is not one, and for an
 *   unknown option
 * @function
 */
export const randomTruncatedNormal = random('randomTruncatedNormal', 'truncatedNormal');
