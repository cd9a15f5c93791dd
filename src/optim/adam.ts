/** The optimizers Adam and AdamW. */

import { numberFrom } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { choice, scaleByRate } from './chain.js';
import { adamDeclaration, adamDirections } from './moments.js';
import {
  chained,
  commonDeclaration,
  decayOf,
  type Optimizer,
  optimizer,
  optionalRate,
} from './optimizer.js';
import type { Rule } from './rule.js';

const adamOptions = declareOptions('adam', {
  /** The learning rate; 0.001 by default. */
  rate: optionalRate,
  ...adamDeclaration,
  /** How much of a parameter is added to its gradient (L2 regularisation); 0 by default. */
  weightDecay: optional(numberFrom(0), 'l2'),
  /** Chooses the parameters that decay; by default, all decay. */
  decays: optional(choice),
  ...commonDeclaration,
});

/** Options of `adam`. */
export interface AdamOptions extends OptionsOf<typeof adamOptions> {}

/**
 * Adam (Kingma & Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1). `adam(options)` returns a rule
 * for `optimize`. `adam(loss, trainables, options)` returns the updates of one step:
 *
 *     m' = beta1 m + (1 - beta1) g     v' = beta2 v + (1 - beta2) g^2     t' = t + 1
 *     w' = w - rate (m' / (1 - beta1^t')) / (sqrt(v' / (1 - beta2^t')) + epsilon)
 *
 * With `weightDecay`, g is the gradient plus weightDecay w. The moments m and v of the parameter NAME are states named
 * `NAME.adam.m` and `NAME.adam.v`, with the shape and dtype of the parameter; with `amsgrad`, the largest v is the state
 * `NAME.adam.largest`. All parameters share one state for t, the number of steps. It is named `FIRST.adam.step`, where
 * FIRST is the name of the first parameter. It is a float64 scalar, because 1 - beta2^t loses digits in float32. (In
 * `optimize`, states have other names.)
 *
 * @throws ValueError, GraphError, ShapeError or DTypeError where `Optimizer` says
 */
export const adam: Optimizer<[options?: AdamOptions | undefined]> = optimizer(
  'adam',
  adamRule,
  'by parameter',
);

function adamRule(options: AdamOptions | undefined): Rule {
  const {
    rate = 1e-3,
    weightDecay = 0,
    decays,
    clipGlobalNorm,
    ...rest
  } = adamOptions.read(options);
  const decay = decayOf(weightDecay, decays);
  return chained(clipGlobalNorm, decay, adamDirections(rest), scaleByRate(rate));
}

const adamWOptions = declareOptions('adamW', {
  /** The learning rate; 0.001 by default. */
  rate: optionalRate,
  ...adamDeclaration,
  /** The share of a parameter, times the rate, by which the parameter decays in a step; 0.01 by default. */
  weightDecay: optional(numberFrom(0), 'l2'),
  /**
   * Chooses the parameters that decay; by default, all decay. `(p) => p.shape.length > 1` leaves out biases and the
   * parameters of normalisations.
   */
  decays: optional(choice, 'mask'),
  ...commonDeclaration,
});

/** Options of `adamW`. */
export interface AdamWOptions extends OptionsOf<typeof adamWOptions> {}

/**
 * AdamW: Adam whose weight decay is not part of the gradient (Loshchilov & Hutter, Decoupled weight decay regularization,
 * ICLR 2019). `adamW(options)` returns a rule for `optimize`; `adamW(loss, trainables, options)` is
 * `optimize(loss, trainables, adamW(options))`. With m', v' and t' as in `adam`:
 *
 *     w' = w - rate ((m' / (1 - beta1^t')) / (sqrt(v' / (1 - beta2^t')) + epsilon) + weightDecay w)
 *
 * @throws ValueError, GraphError, ShapeError or DTypeError where `Optimizer` says
 */
export const adamW: Optimizer<[options?: AdamWOptions | undefined]> = optimizer(
  'adamW',
  adamWRule,
  'by rule',
);

function adamWRule(options: AdamWOptions | undefined): Rule {
  const {
    rate = 1e-3,
    weightDecay = 0.01,
    decays,
    clipGlobalNorm,
    ...rest
  } = adamWOptions.read(options);
  const decay = decayOf(weightDecay, decays);
  return chained(clipGlobalNorm, adamDirections(rest), decay, scaleByRate(rate));
}
