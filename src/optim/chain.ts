/** `chain`, and the transforms that multiply directions by rates, add decays, and clip gradients. */

import { describeValue } from '../arguments/describe.js';
import { callback, positiveNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import { addN, cast, div, greater, maximum, minimum, sqrt, square, sum } from '../ops/index.js';
import { Factor } from './factor.js';
import { type Rate, rateKind } from './rate.js';
import { applyRule, assertRule, Rule } from './rule.js';

/**
 * Returns a rule that consists of several: each gets the directions that the one before returns. The first gets the
 * gradients. Usually the last is `scaleByRate`.
 *
 *     chain(clipGlobalNorm(1), scaleByAdam(), decayWeights(0.01), scaleByRate(0.001))
 *
 * @throws ValueError if there is no rule, or if an argument is not a rule
 */
export function chain(...rules: readonly Rule[]): Rule {
  if (rules.length === 0) {
    throw new ValueError('chain: expected at least one rule, but received none');
  }
  const list = rules.map((rule) => assertRule(rule, 'chain'));
  return new Rule(`chain(${list.join(', ')})`, (context, flows) =>
    list.reduce((moved, rule) => applyRule(rule, context, moved), flows),
  );
}

/**
 * Returns a rule that multiplies the directions by a learning rate: a number, a node, or a function of the step such as
 * one of `schedules`.
 * @throws ValueError if `rate` is not a rate. `optimize` throws GraphError, ShapeError or DTypeError if a rate that is a
 *   function does not return a node of numbers of shape []
 */
export function scaleByRate(rate: Rate): Rule {
  const checked = assertRate('scaleByRate', rate);
  return new Rule('scaleByRate', (context, flows) => {
    const scalar = context.scalar(checked);
    context.build.rates.push(new Factor(scalar).in('float64'));
    return flows.map((flow) => flow.scaled(scalar));
  });
}

function assertRate(name: string, rate: Rate): Rate {
  if (rateKind.accepts(rate)) return rate;
  throw new ValueError(
    `${name}: expected a rate (${rateKind.expected}), but received ${describeValue(rate)}`,
  );
}

/** A function that chooses parameters. `path` is relative to the module that was given to the optimizer. */
export type Chooses = (parameter: Variable, path: string) => boolean;

/** The `Kind` of functions that choose parameters. */
export const choice = callback<Chooses>('a function (parameter, path) => boolean');

const decayOptions = declareOptions('decayWeights', {
  /**
   * Chooses the parameters that decay; by default, all decay. `(p) => p.shape.length > 1` leaves out biases and the
   * parameters of normalisations.
   */
  decays: optional(choice, 'mask', 'match'),
});

/** Options of `decayWeights`. */
export interface DecayOptions extends OptionsOf<typeof decayOptions> {}

/**
 * Returns a rule that adds `rate` times the parameter to its direction. After `scaleByAdam`, this is the decoupled weight
 * decay of AdamW (Loshchilov & Hutter, Decoupled weight decay regularization, ICLR 2019). Before it, this is L2
 * regularisation.
 * @throws ValueError if `rate` is not a rate, or if an option is unknown or invalid
 */
export function decayWeights(rate: Rate, options?: DecayOptions): Rule {
  const checked = assertRate('decayWeights', rate);
  const { decays } = decayOptions.read(options);
  return new Rule('decayWeights', (context, flows) => {
    const factor = new Factor(1).multiplied(context.scalar(checked));
    return flows.map((flow) => {
      if (decays !== undefined && !decays(flow.parameter, flow.path)) return flow;
      return flow.with(...flow.terms, { factor, value: flow.parameter });
    });
  });
}

/**
 * Returns a rule that limits the norm of all directions together: each is multiplied by min(1, max / norm), where `norm`
 * is the square root of the sum of the squares of all elements (Pascanu, Mikolov & Bengio, On the difficulty of training
 * recurrent neural networks, ICML 2013). PyTorch adds 1e-6 to the norm; forebay does not. If the norm is NaN or infinite,
 * the step is skipped: all parameters and states keep their values, and `fit` counts the step in `record.skipped`. The
 * squares are computed in the dtype of the parameters, so the norm of float32 gradients is infinite above 1.8e19.
 * @throws ValueError if `max` is not a finite number greater than 0
 */
export function clipGlobalNorm(max: number): Rule {
  const limit = assertLimit('clipGlobalNorm', max);
  return new Rule('clipGlobalNorm', (context, flows) => {
    const squares = flows.map(({ value }) => cast(sum(square(value)), 'float64'));
    const norm = sqrt(addN(squares));
    context.require(greater(Infinity, norm));
    const factor = minimum(1, div(limit, norm));
    return flows.map((flow) => flow.to(flow.value).scaled(factor));
  });
}

/**
 * Returns a rule that limits each element of the directions to the range from -max to max. NaN stays NaN.
 * @throws ValueError if `max` is not a finite number greater than 0
 */
export function clipValue(max: number): Rule {
  const limit = assertLimit('clipValue', max);
  return new Rule('clipValue', (_context, flows) =>
    flows.map((flow) => flow.to(maximum(minimum(flow.value, limit), -limit))),
  );
}

function assertLimit(name: string, max: number): number {
  if (positiveNumber.accepts(max)) return max;
  throw new ValueError(
    `${name}: expected ${positiveNumber.expected}, but received ${describeValue(max)}`,
  );
}
