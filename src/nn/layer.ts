/** What layers share: named parameters from one seed. */

import { describeValue } from '../arguments/describe.js';
import { filledText, seedNumber, wholeNumber } from '../arguments/kinds.js';
import { type DeclaredOptions, type OptionsOf, optional } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { type Initializer, initializer, parameter, type Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { subSeed } from '../graph/seed.js';
import { dtypeName } from '../tensor/dtype.js';
import { initializers } from './initializers.js';

/** A number of features or units. */
export const size = wholeNumber(1);

/** What the constructors of all layers may be told. */
export const shared = {
  /** How weights start; Glorot unless told otherwise. Biases start at zero. */
  init: optional(initializer, 'initializer'),
  /** Of its parameters, and so of what it is applied to; `float32` unless told otherwise. */
  dtype: optional(dtypeName, 'type'),
  /** Defaults to one derived from `setSeed` and the layer's name. */
  seed: optional(seedNumber),
};

/** What all layers may be told. */
export interface LayerOptions extends OptionsOf<DeclaredOptions<typeof shared>> {}

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

/** What the errors of a layer begin with. @throws ValueError if `name` is not a string or is empty */
export function contextOf(kind: string, name: unknown): string {
  if (filledText.accepts(name)) return `${kind} '${name}'`;
  throw new ValueError(`${kind}: expected a name, but received ${describeValue(name)}`);
}

/**
 * Applies a function of the user's.
 * @throws ValueError if it gives anything but a node; what it throws itself
 */
export function applied(context: string, activation: (x: Node) => Node, x: Node): Node {
  const y = activation(x);
  if (isNode(y)) return y;
  throw new ValueError(
    `${context}: the activation must give a node, as relu and tanh do, but gave ${describeValue(y)}`,
  );
}
