/** What layers share: named parameters from one seed. */

import { describeValue } from '../arguments/describe.js';
import { ValueError } from '../errors.js';
import { type Initializer, parameter, type Variable } from '../graph/leaf.js';
import { assertSeed, subSeed } from '../graph/seed.js';
import { assertDType, type DType } from '../tensor/dtype.js';
import { initializers } from './initializers.js';

/** What all layers may be told. */
export interface LayerOptions {
  /** How weights start; Glorot unless told otherwise. Biases start at zero. */
  readonly init?: Initializer | undefined;
  /** Of its parameters, and so of what it is applied to; `float32` unless told otherwise. */
  readonly dtype?: DType | undefined;
  /** Defaults to one derived from `setSeed` and the layer's name. */
  readonly seed?: number | undefined;
}

/** A weight [inputs, units] and a bias [units], named `NAME.weight` and `NAME.bias`. */
export function affineParameters(
  name: string,
  inputs: number,
  units: number,
  { init = initializers.glorot(), dtype = 'float32', seed }: LayerOptions,
  bias: Initializer = initializers.zeros(),
): { weight: Variable; bias: Variable } {
  const make = (part: string, shape: readonly number[], initializer: Initializer) => {
    const full = `${name}.${part}`;
    return parameter(full, { shape, dtype, init: initializer, seed: subSeed(seed, full) });
  };
  return { weight: make('weight', [inputs, units], init), bias: make('bias', [units], bias) };
}

/** @throws ValueError or DTypeError for options that no layer can be made of */
export function checkLayer(
  kind: string,
  name: string,
  sizes: Readonly<Record<string, number>>,
  { dtype, seed }: LayerOptions,
): void {
  if (typeof name !== 'string' || name === '') {
    throw new ValueError(`${kind}: expected a name, but received ${describeValue(name)}`);
  }
  const context = `${kind} '${name}':`;
  for (const [option, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1) {
      throw new ValueError(
        `${context} ${option} must be a positive integer, but is ${describeValue(size)}`,
      );
    }
  }
  if (dtype !== undefined) assertDType(dtype, context);
  if (seed !== undefined) assertSeed(seed, context);
}
