/** The optimizers RMSProp and Adagrad, which divide by the root of squared gradients. */

import { flag, numberFrom } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { scaleByRate } from './chain.js';
import { rootMeanSquares, rootSumSquares, velocity } from './moments.js';
import {
  chained,
  commonDeclaration,
  type Optimizer,
  optimizer,
  optionalRate,
} from './optimizer.js';
import type { Rule } from './rule.js';

const rmsPropOptions = declareOptions('rmsProp', {
  /** The learning rate; 0.01 by default. */
  rate: optionalRate,
  /** The decay rate of the running mean of the squared gradient; 0.99 by default. */
  decay: optional(numberFrom(0, 1), 'alpha', 'rho'),
  /** The number that is added to the root; 1e-8 by default. */
  epsilon: optional(numberFrom(0), 'eps'),
  /** Whether to subtract the square of the running mean of the gradient; false by default. */
  centered: optional(flag, 'centred'),
  /** The decay rate of the velocity; 0 by default: parameters then have no velocity. */
  momentum: optional(numberFrom(0, 1)),
  ...commonDeclaration,
});

/** Options of `rmsProp`. */
export interface RmsPropOptions extends OptionsOf<typeof rmsPropOptions> {}

/**
 * RMSProp (Hinton, Neural networks for machine learning, lecture 6e, 2012), as in PyTorch. `rmsProp(options)` returns a
 * rule for `optimize`; `rmsProp(loss, trainables, options)` is `optimize(loss, trainables, rmsProp(options))`.
 *
 *     s' = decay s + (1 - decay) g^2     m' = decay m + (1 - decay) g, if centered, and otherwise 0
 *     u = g / (sqrt(s' - m'^2) + epsilon)
 *     v' = momentum v + u     w' = w - rate v'
 *
 * The velocity v does not contain the rate.
 *
 * @throws ValueError, GraphError, ShapeError or DTypeError where `Optimizer` says
 */
export const rmsProp: Optimizer<[options?: RmsPropOptions | undefined]> = optimizer(
  'rmsProp',
  rmsPropRule,
  'by rule',
);

function rmsPropRule(options: RmsPropOptions | undefined): Rule {
  const {
    rate = 0.01,
    decay = 0.99,
    epsilon = 1e-8,
    centered = false,
    momentum = 0,
    clipGlobalNorm,
  } = rmsPropOptions.read(options);
  return chained(
    clipGlobalNorm,
    rootMeanSquares(decay, epsilon, centered),
    momentum === 0 ? undefined : velocity('rmsProp', momentum),
    scaleByRate(rate),
  );
}

const adagradOptions = declareOptions('adagrad', {
  /** The learning rate; 0.01 by default. */
  rate: optionalRate,
  /** The first value of the sum of squared gradients; 0 by default. */
  initial: optional(numberFrom(0), 'initialAccumulator'),
  /** The number that is added to the root; 1e-10 by default. */
  epsilon: optional(numberFrom(0), 'eps'),
  ...commonDeclaration,
});

/** Options of `adagrad`. */
export interface AdagradOptions extends OptionsOf<typeof adagradOptions> {}

/**
 * Adagrad (Duchi, Hazan & Singer, Adaptive subgradient methods, JMLR 2011). `adagrad(options)` returns a rule for
 * `optimize`; `adagrad(loss, trainables, options)` is `optimize(loss, trainables, adagrad(options))`.
 *
 *     s' = s + g^2     w' = w - rate g / (sqrt(s') + epsilon)
 *
 * @throws ValueError, GraphError, ShapeError or DTypeError where `Optimizer` says
 */
export const adagrad: Optimizer<[options?: AdagradOptions | undefined]> = optimizer(
  'adagrad',
  adagradRule,
  'by rule',
);

function adagradRule(options: AdagradOptions | undefined): Rule {
  const {
    rate = 0.01,
    initial = 0,
    epsilon = 1e-10,
    clipGlobalNorm,
  } = adagradOptions.read(options);
  return chained(clipGlobalNorm, rootSumSquares(initial, epsilon), scaleByRate(rate));
}
