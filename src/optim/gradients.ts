/** What optimizers share: a loss or its gradients, parameters that can be trained, a rate. */

import { assertList, describeValue } from '../arguments/describe.js';
import { backward } from '../autodiff/backward.js';
import { Gradients } from '../autodiff/gradients.js';
import { GraphError, ValueError } from '../errors.js';
import { constant, Variable } from '../graph/leaf.js';
import { Node } from '../graph/node.js';
import { cast } from '../ops/index.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';

/** A step size: a number, or a scalar node such as a state that a schedule writes to. */
export type Rate = number | Node;

export interface Trained {
  readonly parameter: Variable;
  readonly gradient: Node;
}

/**
 * The gradient of every parameter.
 * @throws GraphError for a parameter that receives no gradient, by name
 */
export function gradientsFor(
  optimizer: string,
  lossOrGradients: Node | Gradients,
  parameters: readonly Variable[],
): Trained[] {
  const gradients =
    lossOrGradients instanceof Gradients ? lossOrGradients : backward(lossOrGradients);
  const list = assertList(parameters, `${optimizer}: expected a list of parameters,`);
  return list.map((parameter) => {
    if (!(parameter instanceof Variable)) {
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

/** The rate in a parameter's dtype. @throws ValueError for what is no rate */
export function rateIn(dtype: DType, rate: Rate, optimizer: string): Node {
  if (rate instanceof Node) {
    if (rate.shape.length !== 0) {
      throw new ValueError(
        `${optimizer}: the rate must be a scalar, but ${rate} is ${formatShape(rate.shape)}`,
      );
    }
    return cast(rate, dtype);
  }
  return constant(finite(optimizer, 'rate', rate), { dtype });
}

/** @throws ValueError unless the option is a finite number within [0, below) */
export function finite(
  optimizer: string,
  option: string,
  value: unknown,
  below = Infinity,
): number {
  if (typeof value === 'number' && value >= 0 && value < below) return value;
  const range =
    below === Infinity ? 'a finite number, not negative' : `a number from 0 to below ${below}`;
  throw new ValueError(`${optimizer}: ${option} must be ${range}, but is ${describeValue(value)}`);
}
