/** Code that the layers share: options, the creation of parameters, and the beginning of error messages. */

import { describeValue } from '../arguments/describe.js';
import { filledText, seedNumber, wholeNumber } from '../arguments/kinds.js';
import { type DeclaredOptions, type OptionsOf, optional } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { type Initializer, initializer, parameter, type Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { subSeed } from '../graph/seed.js';
import { dtypeName } from '../tensor/dtype.js';
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

/**
 * Makes the parameters of x W + b: a weight [inputs, units] and a bias [units]. For the name `NAME`, they are named
 * `NAME.weight` and `NAME.bias`.
 */
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

/** Returns the beginning of a layer's error messages. @throws ValueError if `name` is not a string or is empty */
export function contextOf(kind: string, name: unknown): string {
  if (filledText.accepts(name)) return `${kind} '${name}'`;
  throw new ValueError(`${kind}: expected a name, but received ${describeValue(name)}`);
}

/**
 * Applies an activation function, which a user has given, to x.
 * @throws ValueError if the function does not return a Node; any error that the function throws
 */
export function applied(context: string, activation: (x: Node) => Node, x: Node): Node {
  const y = activation(x);
  if (isNode(y)) return y;
  throw new ValueError(
    `${context}: the activation must return a node, as relu and tanh do, but returned ${describeValue(y)}`,
  );
}
