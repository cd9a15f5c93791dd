/** Code that the optimizers share: the gradients of the parameters, and the learning rate. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { assertList } from '../arguments/read.js';
import { backward } from '../autodiff/backward.js';
import { differentiatedNodes, type Gradients, isGradients } from '../autodiff/gradients.js';
import { GraphError, ValueError } from '../errors.js';
import type { Updates } from '../evaluate/interpreter.js';
import { isFrozen, noteTrained } from '../graph/frozen.js';
import { constant, isVariable, type Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { sideUpdates } from '../graph/side-updates.js';
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
 * Returns the gradient of each parameter that is not frozen, in the order of `parameters`.
 * @throws ValueError if `parameters` is not a list, is empty or has only frozen parameters; GraphError if the loss is not a Node, or if an element
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
  const unknown = list.find((parameter) => !isVariable(parameter));
  if (unknown !== undefined) {
    throw new GraphError(
      `${optimizer}: expected parameters, but received ${describeValue(unknown)}`,
    );
  }
  const trained = trainedIn(optimizer, list);
  const gradients = isGradients(lossOrGradients) ? lossOrGradients : backward(lossOrGradients);
  const found = trained.map((parameter) => {
    if (!gradients.reaches(parameter)) {
      throw new GraphError(
        `${optimizer}: no gradient reaches ${parameter}: every path from it to the loss is stopped`,
      );
    }
    return { parameter, gradient: gradients.of(parameter) };
  });
  noteTrained(trained);
  return found;
}

/** Returns the side updates of the loss. The updates of every optimizer include them. */
export function sideUpdatesOf(lossOrGradients: Node | Gradients): Updates {
  const nodes = isGradients(lossOrGradients)
    ? differentiatedNodes(lossOrGradients)
    : [lossOrGradients];
  return sideUpdates(...nodes);
}

/**
 * Returns the parameters that are not frozen, and records that updates train them.
 * @throws ValueError if the list is empty, or if all of its parameters are frozen
 */
function trainedIn(optimizer: string, parameters: readonly Variable[]): readonly Variable[] {
  if (parameters.length === 0) {
    throw new ValueError(
      `${optimizer}: expected at least one parameter, but received an empty list: nothing would be trained`,
    );
  }
  const trained = parameters.filter((parameter) => !isFrozen(parameter));
  if (trained.length === 0) {
    throw new ValueError(
      `${optimizer}: all ${parameters.length} parameters are frozen, such as ${parameters[0]}, so nothing would be trained; call unfreeze() on their module first`,
    );
  }
  return trained;
}

/** Returns the learning rate as a scalar node that has this dtype. */
export function rateIn(dtype: DType, rate: Rate): Node {
  return isNode(rate) ? cast(rate, dtype) : constant(rate, { dtype });
}
