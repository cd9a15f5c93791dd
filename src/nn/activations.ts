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

/** An element-wise function. */
type Function = (x: Node) => Node;

/** The name of an activation function. Functions that have options keep their defaults. */
export type ActivationName =
  | 'relu'
  | 'sigmoid'
  | 'softplus'
  | 'tanh'
  | 'gelu'
  | 'silu'
  | 'mish'
  | 'hardSigmoid'
  | 'hardSwish'
  | 'elu'
  | 'selu'
  | 'leakyRelu';

/** An activation function: a function, such as `relu`, or its name, such as `'relu'`. */
export type Activation = ((x: Node) => Node) | ActivationName;

const named: Readonly<Record<ActivationName, Function>> = {
  relu,
  sigmoid,
  softplus,
  tanh,
  gelu: (x) => gelu(x),
  silu,
  mish,
  hardSigmoid,
  hardSwish,
  elu: (x) => elu(x),
  selu,
  leakyRelu: (x) => leakyRelu(x),
};

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
