/** Stochastic gradient descent (SGD), an optimizer. */

import { flag, numberFrom } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { choice, scaleByRate } from './chain.js';
import { velocity } from './moments.js';
import {
  chained,
  commonDeclaration,
  decayOf,
  type Optimizer,
  optimizer,
  rateAliases,
} from './optimizer.js';
import { rateKind } from './rate.js';
import type { Rule } from './rule.js';

const sgdOptions = declareOptions('sgd', {
  /** The learning rate. */
  rate: required(rateKind, ...rateAliases),
  /**
   * The decay rate of the velocity v, where v' = momentum v + g (Polyak's heavy ball). It is 0 by default: parameters
   * then have no velocity.
   */
  momentum: optional(numberFrom(0, 1)),
  /** Whether to use the momentum of Nesterov; false by default. */
  nesterov: optional(flag),
  /** How much of a parameter is added to its gradient (L2 regularisation); 0 by default. */
  weightDecay: optional(numberFrom(0), 'l2'),
  /** Chooses the parameters that decay; by default, all decay. */
  decays: optional(choice),
  ...commonDeclaration,
});

/** Options of `sgd`. */
export interface SgdOptions extends OptionsOf<typeof sgdOptions> {}

/**
 * Stochastic gradient descent. `sgd(options)` returns a rule for `optimize`. `sgd(loss, trainables, options)` returns the
 * updates of one step. For a parameter w with the gradient g:
 *
 *     without momentum    w' = w - rate g
 *     with momentum       v' = momentum v + g    w' = w - rate v'
 *     with nesterov       v' = momentum v + g    w' = w - rate (g + momentum v')
 *
 * With `weightDecay`, g is the gradient plus weightDecay w. The velocity v of the parameter NAME is a state named
 * `NAME.sgd.velocity`, with the shape and dtype of the parameter. A rate that is a function gets the number of the step
 * from a state named `FIRST.sgd.step`, where FIRST is the name of the first parameter. (In `optimize`, states have other
 * names.)
 *
 * @throws ValueError, GraphError, ShapeError or DTypeError where `Optimizer` says; ValueError also if `nesterov` is true without momentum
 */
export const sgd: Optimizer<[options: SgdOptions]> = optimizer('sgd', ruleOf, 'by parameter');

function ruleOf(options: SgdOptions | undefined): Rule {
  const {
    rate,
    momentum = 0,
    nesterov = false,
    weightDecay = 0,
    decays,
    clipGlobalNorm: clip,
  } = sgdOptions.read(options);
  if (nesterov && momentum === 0) {
    throw new ValueError('sgd: nesterov needs a momentum greater than 0');
  }
  return chained(
    clip,
    decayOf(weightDecay, decays),
    momentum === 0 ? undefined : velocity('sgd', momentum, nesterov),
    scaleByRate(rate),
  );
}
