/** Stochastic gradient descent (SGD), an optimizer. */

import { numberFrom } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import type { Gradients } from '../autodiff/gradients.js';
import type { Updates } from '../evaluate/interpreter.js';
import { state, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { add, mul, sub } from '../ops/index.js';
import { Tensor } from '../tensor/tensor.js';
import { gradientsFor, rateIn, rateKind, sideUpdatesOf } from './gradients.js';

const sgdOptions = declareOptions('sgd', {
  /** The learning rate. */
  rate: required(rateKind, 'lr', 'learningRate', 'stepSize'),
  /**
   * The decay rate of the velocity v, where v' = momentum v + g (Polyak's heavy ball). It is 0 by default: parameters
   * then have no velocity.
   */
  momentum: optional(numberFrom(0, 1)),
});

/** Options of `sgd`. */
export interface SgdOptions extends OptionsOf<typeof sgdOptions> {}

/**
 * Returns the updates of one step of stochastic gradient descent. For a parameter w with the gradient g:
 *
 *     without momentum    w' = w - rate g
 *     with momentum       v' = momentum v + g    w' = w - rate v'
 *
 * The velocity v of the parameter NAME is a state named `NAME.sgd.velocity`, with the shape and dtype of the parameter.
 * Frozen parameters are left out. The side updates of the loss are included.
 *
 * @param lossOrGradients a scalar loss, or gradients that `backward` returned
 * @throws GraphError if the loss is not a node, if an element of `parameters` is not a parameter, or if no gradient
 *   reaches a parameter; ValueError if `parameters` is not a list, is empty or has only frozen parameters, or if an
 *   option is missing, unknown or invalid
 */
export function sgd(
  lossOrGradients: Node | Gradients,
  parameters: readonly Variable[],
  options: SgdOptions,
): Updates {
  const { rate, momentum = 0 } = sgdOptions.read(options);
  const trained = gradientsFor('sgd', lossOrGradients, parameters);
  const updates = trained.flatMap(({ parameter, gradient }) => {
    const { dtype, value } = parameter;
    const step = rateIn(dtype, rate);
    if (momentum === 0) return [[parameter, sub(parameter, mul(step, gradient))] as const];
    const velocity = state(`${parameter.name}.sgd.velocity`, Tensor.zeros(value.shape, { dtype }));
    const next = add(mul(velocity, momentum), gradient);
    return [[velocity, next] as const, [parameter, sub(parameter, mul(step, next))] as const];
  });
  return [...updates, ...sideUpdatesOf(lossOrGradients)];
}
