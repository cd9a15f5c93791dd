/** The activation functions of layers: a function, or the name of one of forebay's. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { isNode, type Node } from '../graph/node.js';
import {
  elu,
  gelu,
  hardSigmoid,
  hardSwish,
  leakyRelu,
  mish,
  relu,
  selu,
  sigmoid,
  silu,
  softplus,
  tanh,
} from '../ops/index.js';

/** The options of functions that have some keep their defaults. */
const named = {
  relu,
  sigmoid,
  softplus,
  tanh,
  gelu: (x: Node) => gelu(x),
  silu,
  mish,
  hardSigmoid,
  hardSwish,
  elu: (x: Node) => elu(x),
  selu,
  leakyRelu: (x: Node) => leakyRelu(x),
} as const;

/** An element-wise function. */
type Function = (x: Node) => Node;

/** An activation function: a function, such as `relu`, or its name, such as `'relu'`. */
export type Activation = ((x: Node) => Node) | keyof typeof named;

/** The `Kind` of an option whose value is an activation function. */
export const activationKind: Kind<Activation> = {
  expected: `a function such as relu, or one of ${Object.keys(named).join(', ')}`,
  accepts: (value) =>
    typeof value === 'function' || (typeof value === 'string' && Object.hasOwn(named, value)),
};

/** Returns the function of an activation; the identity if there is none. */
export function activationOf(activation: Activation | undefined): Function {
  if (activation === undefined) return (x) => x;
  return typeof activation === 'function' ? activation : named[activation];
}

/**
 * Applies an activation function, which a user has given, to x.
 * @throws ValueError if the function does not return a Node; any error that the function throws
 */
export function applied(context: string, activation: Function, x: Node): Node {
  const y = activation(x);
  if (isNode(y)) return y;
  throw new ValueError(
    `${context}: the activation must return a node, as relu and tanh do, but returned ${describeValue(y)}`,
  );
}
