/** The optimizer Lion. */

import { numberFrom } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { choice, scaleByRate } from './chain.js';
import { signs } from './moments.js';
import {
  chained,
  commonDeclaration,
  decayOf,
  type Optimizer,
  optimizer,
  optionalRate,
} from './optimizer.js';
import type { Rule } from './rule.js';

const lionOptions = declareOptions('lion', {
  /** The learning rate; 0.0001 by default. */
  rate: optionalRate,
  /** The share of the old moment in the direction; 0.9 by default. */
  beta1: optional(numberFrom(0, 1)),
  /** The decay rate of the moment; 0.99 by default. */
  beta2: optional(numberFrom(0, 1)),
  /** The share of a parameter, times the rate, by which the parameter decays in a step; 0 by default. */
  weightDecay: optional(numberFrom(0), 'l2'),
  /** Chooses the parameters that decay; by default, all decay. */
  decays: optional(choice, 'mask'),
  ...commonDeclaration,
});

/** Options of `lion`. */
export interface LionOptions extends OptionsOf<typeof lionOptions> {}

/**
 * Lion (Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023). `lion(options)` returns a rule for
 * `optimize`; `lion(loss, trainables, options)` is `optimize(loss, trainables, lion(options))`.
 *
 *     w' = w - rate (sign(beta1 m + (1 - beta1) g) + weightDecay w)     m' = beta2 m + (1 - beta2) g
 *
 * @throws ValueError, GraphError, ShapeError or DTypeError where `Optimizer` says
 */
export const lion: Optimizer<[options?: LionOptions | undefined]> = optimizer(
  'lion',
  lionRule,
  'by rule',
);

function lionRule(options: LionOptions | undefined): Rule {
  const {
    rate = 1e-4,
    beta1 = 0.9,
    beta2 = 0.99,
    weightDecay = 0,
    decays,
    clipGlobalNorm,
  } = lionOptions.read(options);
  const decay = decayOf(weightDecay, decays);
  return chained(clipGlobalNorm, signs(beta1, beta2), decay, scaleByRate(rate));
}
