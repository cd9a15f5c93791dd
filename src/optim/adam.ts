/** The Adam optimizer. */

import { numberFrom } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import type { Gradients } from '../autodiff/gradients.js';
import type { Updates } from '../evaluate/interpreter.js';
import { state, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { add, cast, div, maximum, mul, pow, sqrt, square, sub } from '../ops/index.js';
import type { DType } from '../tensor/dtype.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { gradientsFor, rateIn, rateKind, sideUpdatesOf } from './gradients.js';

const adamOptions = declareOptions('adam', {
  /** The learning rate; 0.001 by default. */
  rate: optional(rateKind, 'lr', 'learningRate', 'stepSize'),
  /** The decay rate of the first moment, the running mean of the gradient; 0.9 by default. */
  beta1: optional(numberFrom(0, 1)),
  /** The decay rate of the second moment, the running mean of the squared gradient; 0.999 by default. */
  beta2: optional(numberFrom(0, 1)),
  /**
   * The number that is added to the square root of the second moment. The update is divided by this sum. 1e-8 by
   * default. If it is so small that the quotient of the rate and this number may overflow, a larger number is added, so
   * that weights with zero gradients keep their values.
   */
  epsilon: optional(numberFrom(0), 'eps'),
});

/** Options of `adam`. */
export interface AdamOptions extends OptionsOf<typeof adamOptions> {}

/** The smallest positive number of a dtype, and a quarter of its largest power of two. */
const limits = {
  float32: { smallest: 2 ** -149, large: 2 ** 125 },
  float64: { smallest: 2 ** -1074, large: 2 ** 1021 },
};

/** An epsilon that is at least this number divided by `large` is safe for all learning rates that anybody uses. */
const largestStep = 1e8;

/**
 * Returns the number that is added to the square root of the second moment. If the gradient of a weight has always been
 * 0, the step size is divided by this number, and the quotient is multiplied by 0. So an infinite quotient would make
 * the weight NaN.
 */
function addedIn(dtype: DType, epsilon: number, stepSize: Node): Node | number {
  const { smallest, large } = limits[dtype as keyof typeof limits];
  // A number is the faster form, because the group of the update need not load it.
  if (epsilon >= largestStep / large) return epsilon;
  return cast(maximum(div(stepSize, large), Math.max(epsilon, smallest)), dtype);
}

/**
 * Returns the updates of one Adam step: Kingma & Ba, Adam: a method for stochastic optimization (ICLR 2015), algorithm
 * 1:
 *
 *     m' = beta1 m + (1 - beta1) g     v' = beta2 v + (1 - beta2) g^2     t' = t + 1
 *     w' = w - rate (m' / (1 - beta1^t')) / (sqrt(v' / (1 - beta2^t')) + epsilon)
 *
 * The moments m and v of the parameter NAME are states named `NAME.adam.m` and `NAME.adam.v`, with the shape and dtype
 * of the parameter. All parameters share one state for t, the number of steps. It is named `FIRST.adam.step`, where
 * FIRST is the name of the first parameter. It is a float64 scalar, because 1 - beta2^t loses digits in float32.
 * Frozen parameters are left out. The side updates of the loss are included.
 *
 * @param lossOrGradients a scalar loss, or gradients that `backward` returned
 * @throws GraphError if the loss is not a node, if an element of `parameters` is not a parameter, or if no gradient
 *   reaches a parameter; ValueError if `parameters` is not a list, is empty or has only frozen parameters, or if an
 *   option is unknown or invalid
 */
export function adam(
  lossOrGradients: Node | Gradients,
  parameters: readonly Variable[],
  options?: AdamOptions,
): Updates {
  const { rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = adamOptions.read(options);
  const trained = gradientsFor('adam', lossOrGradients, parameters);

  const count = state(`${trained[0]?.parameter.name}.adam.step`, tensor(0, { dtype: 'float64' }));
  const t = add(count, 1);
  const scalars = new Map<DType, { stepSize: Node; correction: Node; added: Node | number }>();
  const scalarsIn = (dtype: DType) => {
    const known = scalars.get(dtype);
    if (known) return known;
    const [bias1, bias2] = [sub(1, pow(beta1, t)), sub(1, pow(beta2, t))];
    const stepSize = div(rateIn('float64', rate), bias1);
    const made = {
      stepSize: cast(stepSize, dtype),
      added: addedIn(dtype, epsilon, stepSize),
      // Every element of sqrt(v') is multiplied by this number. Dividing every element by its inverse would take longer
      // than the rest of the update.
      correction: cast(div(1, sqrt(bias2)), dtype),
    };
    scalars.set(dtype, made);
    return made;
  };

  const updates = trained.flatMap(({ parameter, gradient }) => {
    const { dtype, value, name } = parameter;
    const { stepSize, correction, added } = scalarsIn(dtype);
    const moment = (part: string) =>
      state(`${name}.adam.${part}`, Tensor.zeros(value.shape, { dtype }));
    const [m, v] = [moment('m'), moment('v')];
    // If a gradient has become 0, its m decays to a subnormal number and stays there, because 0.9 times the smallest
    // numbers rounds to these numbers. On AMD Zen 5, a vector operation on subnormal numbers takes 5 ns longer if it is a
    // multiplication, 13 ns longer if it is a division, and no longer if it is a multiply-add. So m and m' are only
    // operands of multiply-adds: each product below that is the last operand of a sum becomes part of a multiply-add.
    const nextM = add(mul(gradient, 1 - beta1), mul(m, beta1));
    const nextV = add(mul(square(gradient), 1 - beta2), mul(v, beta2));
    const scale = add(mul(sqrt(nextV), correction), added);
    const next = sub(parameter, mul(div(stepSize, scale), nextM));
    return [[m, nextM] as const, [v, nextV] as const, [parameter, next] as const];
  });
  return [[count, t] as const, ...updates, ...sideUpdatesOf(lossOrGradients)];
}
