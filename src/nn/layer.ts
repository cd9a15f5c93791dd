/** Code that the layers share: options and the creation of parameters. */

import { seedNumber, wholeNumber } from '../arguments/kinds.js';
import { type DeclaredOptions, type OptionsOf, optional } from '../arguments/options.js';
import { type Initializer, initializer, parameter, type Variable } from '../graph/leaf.js';
import { subSeed } from '../graph/seed.js';
import type { Scope } from '../modules/scope.js';
import { type DType, dtypeName } from '../tensor/dtype.js';
import { initializers } from './initializers.js';

/** The `Kind` of an option whose value is a number of features or units: an integer of at least 1. */
export const size = wholeNumber(1);

/** Options that the constructors of all layers accept. */
export const shared = {
  /** The initialiser of the weights; `initializers.glorot()` by default. Biases start at 0. */
  init: optional(initializer, 'initializer'),
  /** The dtype of the layer's parameters and of its inputs; `float32` by default. */
  dtype: optional(dtypeName, 'type'),
  /**
   * The seed of the parameters. By default, it is derived from the layer's name and from the seed that `setSeed` set.
   */
  seed: optional(seedNumber),
};

/** Options that all layers share. */
export interface LayerOptions extends OptionsOf<DeclaredOptions<typeof shared>> {}

/** How the parameters of a layer are made: the options of the layer, completed by what it inherits from its scope. */
export interface Drawn {
  readonly init: Initializer;
  readonly dtype: DType;
  readonly seed: number | undefined;
}

/**
 * Returns how the parameters of a layer are made. What its options leave open is that of its scope. `init` is the
 * initialiser if the scope has none.
 */
export function drawn(
  scope: Scope,
  options: LayerOptions,
  init: Initializer = initializers.glorot(),
): Drawn {
  return {
    init: options.init ?? scope.init ?? init,
    dtype: options.dtype ?? scope.dtype ?? 'float32',
    seed: options.seed ?? scope.seed,
  };
}

/** Makes the parameter `key` of the layer that has this scope. */
export function layerParameter(
  scope: Scope,
  key: string,
  shape: readonly number[],
  { init, dtype, seed }: Drawn,
): Variable {
  const name = `${scope.path}.${key}`;
  return parameter(name, { shape, dtype, init, seed: subSeed(seed, name) });
}

/**
 * Makes the parameters of x W + b: a weight [inputs, units] and, unless `bias` is false, a bias [units] of zeros. They
 * are named `weight` and `bias`, below the scope.
 */
export function affineParameters(
  scope: Scope,
  inputs: number,
  units: number,
  how: Drawn,
): { weight: Variable; bias: Variable } {
  return {
    weight: layerParameter(scope, 'weight', [inputs, units], how),
    bias: layerParameter(scope, 'bias', [units], { ...how, init: initializers.zeros() }),
  };
}
