/** Stochastic gradient descent. */

import type { Gradients } from '../autodiff/gradients.js';
import type { Updates } from '../evaluate/interpreter.js';
import { state, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { add, mul, sub } from '../ops/index.js';
import { Tensor } from '../tensor/tensor.js';
import { finite, gradientsFor, type Rate, rateIn } from './gradients.js';

/** What `sgd` is told. */
export interface SgdOptions {
  /** The step size. */
  readonly rate: Rate;
  /** How much of the last step is kept: Polyak's heavy ball, v' = momentum v + g; 0 is plain descent. */
  readonly momentum?: number | undefined;
}

/**
 * w' = w - rate g, or with momentum w' = w - rate v'. Returns the updates to apply in a run;
 * velocities are states named `NAME.sgd.velocity`.
 *
 * @throws GraphError for a parameter that no gradient reaches; ValueError for options out of range
 */
export function sgd(
  lossOrGradients: Node | Gradients,
  parameters: readonly Variable[],
  { rate, momentum = 0 }: SgdOptions = {} as SgdOptions,
): Updates {
  finite('sgd', 'momentum', momentum, 1);
  return gradientsFor('sgd', lossOrGradients, parameters).flatMap(({ parameter, gradient }) => {
    const { dtype, value } = parameter;
    const step = rateIn(dtype, rate, 'sgd');
    if (momentum === 0) return [[parameter, sub(parameter, mul(step, gradient))] as const];
    const velocity = state(`${parameter.name}.sgd.velocity`, Tensor.zeros(value.shape, { dtype }));
    const next = add(mul(velocity, momentum), gradient);
    return [[velocity, next] as const, [parameter, sub(parameter, mul(step, next))] as const];
  });
}
