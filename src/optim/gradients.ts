/** Code that the optimizers share: the gradients of the parameters, and the learning rate. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { assertList } from '../arguments/read.js';
import { backward } from '../autodiff/backward.js';
import { type Gradients, isGradients } from '../autodiff/gradients.js';
import { GraphError, ValueError } from '../errors.js';
import { constant, isVariable, type Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { cast } from '../ops/index.js';
import type { DType } from '../tensor/dtype.js';

/**
 * A learning rate: a finite number of at least 0, or a node of shape [], such as a state that changes during training.
 */
export type Rate = number | Node;

/** The `Kind` of an option whose value is a learning rate. */
export const rateKind: Kind<Rate> = {
  expected: 'a finite number of at least 0, or a node of shape []',
  accepts: (value) =>
    isNode(value)
      ? value.shape.length === 0
      : typeof value === 'number' && value >= 0 && value < Infinity,
};

/** A parameter and its gradient. */
export interface Trained {
  readonly parameter: Variable;
  readonly gradient: Node;
}

/**
 * Returns the gradient of each parameter, in the order of `parameters`.
 * @throws ValueError if `parameters` is not a list or is empty; GraphError if the loss is not a Node, or if an element
 *   of the list is not a parameter or receives no gradient
 */
export function gradientsFor(
  optimizer: string,
  lossOrGradients: Node | Gradients,
  parameters: readonly Variable[],
): Trained[] {
  if (!isGradients(lossOrGradients) && !isNode(lossOrGradients)) {
    throw new GraphError(
      `${optimizer}: expected a loss (a node) or its gradients, but received ${describeValue(lossOrGradients)}; write ${optimizer}(loss, parameters, options)`,
    );
  }
  const list = assertList(parameters, `${optimizer}: expected a list of parameters,`);
  if (list.length === 0) {
    throw new ValueError(
      `${optimizer}: expected at least one parameter, but received an empty list: nothing would be trained`,
    );
  }
  const gradients = isGradients(lossOrGradients) ? lossOrGradients : backward(lossOrGradients);
  return list.map((parameter) => {
    if (!isVariable(parameter)) {
      throw new GraphError(
        `${optimizer}: expected parameters, but received ${describeValue(parameter)}`,
      );
    }
    if (!gradients.reaches(parameter)) {
      throw new GraphError(
        `${optimizer}: no gradient reaches ${parameter}: every path from it to the loss is stopped`,
      );
    }
    return { parameter, gradient: gradients.of(parameter) };
  });
}

/** Returns the learning rate as a scalar node that has this dtype. */
export function rateIn(dtype: DType, rate: Rate): Node {
  return isNode(rate) ? cast(rate, dtype) : constant(rate, { dtype });
}
