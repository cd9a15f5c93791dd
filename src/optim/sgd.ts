/** Stochastic gradient descent. */

import { numberFrom } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import type { Gradients } from '../autodiff/gradients.js';
import type { Updates } from '../evaluate/interpreter.js';
import { state, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { add, mul, sub } from '../ops/index.js';
import { Tensor } from '../tensor/tensor.js';
import { gradientsFor, rateIn, rateKind } from './gradients.js';

const sgdOptions = declareOptions('sgd', {
  /** The step size. */
  rate: required(rateKind, 'lr', 'learningRate', 'stepSize'),
  /** How much of the last step is kept: Polyak's heavy ball, v' = momentum v + g; 0 is plain descent. */
  momentum: optional(numberFrom(0, 1)),
});

/** What `sgd` is told. */
export interface SgdOptions extends OptionsOf<typeof sgdOptions> {}

/**
 * w' = w - rate g, or with momentum w' = w - rate v'. Returns the updates to apply in a run;
 * velocities are states named `NAME.sgd.velocity`.
 *
 * @throws GraphError if the loss is not a node, or no gradient reaches a parameter; ValueError if there are no
 *   parameters, and for an unknown or unacceptable option
 */
export function sgd(
  lossOrGradients: Node | Gradients,
  parameters: readonly Variable[],
  options: SgdOptions,
): Updates {
  const { rate, momentum = 0 } = sgdOptions.read(options);
  return gradientsFor('sgd', lossOrGradients, parameters).flatMap(({ parameter, gradient }) => {
    const { dtype, value } = parameter;
    const step = rateIn(dtype, rate);
    if (momentum === 0) return [[parameter, sub(parameter, mul(step, gradient))] as const];
    const velocity = state(`${parameter.name}.sgd.velocity`, Tensor.zeros(value.shape, { dtype }));
    const next = add(mul(velocity, momentum), gradient);
    return [[velocity, next] as const, [parameter, sub(parameter, mul(step, next))] as const];
  });
}
