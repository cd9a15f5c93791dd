/** `accumulate` and `averageWeights`: rules around another rule. */

import { describeValue } from '../arguments/describe.js';
import { numberFrom, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, required } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { add, equal, greater, mul, where } from '../ops/index.js';
import { applyRule, assertRule, Rule } from './rule.js';

/**
 * Returns a rule that applies `rule` once in `n` steps, to the mean of the gradients of these n steps. In the other steps,
 * parameters and the states of `rule` keep their values, and its counter of steps does not count. A sum that is not
 * complete at the end of an epoch is continued in the next one. The sums are states, so they are in checkpoints.
 *
 * `accumulate(n, averageWeights(rule))` updates the average once in n steps, and `averageWeights(accumulate(n, rule))` in
 * each step, so that it decays n times for each change of the parameters.
 * @throws ValueError if `n` is not a positive integer, or `rule` is not a rule
 */
export function accumulate(n: number, rule: Rule): Rule {
  const count = wholeNumber(1);
  if (!count.accepts(n)) {
    throw new ValueError(
      `accumulate: expected a number of gradients (${count.expected}), but received ${describeValue(n)}`,
    );
  }
  const inner = assertRule(rule, 'accumulate');
  return new Rule(`accumulate(${n}, ${inner})`, (context, flows) => {
    const label = context.label('accumulate');
    const position = context.sharedState(`${label}.position`);
    const last = greater(position, n - 1.5);
    const real = context.gated({ last, position, n });
    context.share(position, where(last, 0, add(position, 1)), real);
    const means = flows.map((flow) => {
      const sum = context.state(flow, label, 'gradient');
      const next = add(sum, mul(flow.value, 1 / n));
      context.write(flow, sum, where(last, 0, next), real);
      return flow.to(next);
    });
    return applyRule(inner, real, means).map((flow) => flow.to(where(last, flow.value, 0)));
  });
}

const averageOptions = declareOptions('averageWeights', {
  /** The share of the old average in the new one: a number from 0 to below 1, such as 0.999. */
  decay: required(numberFrom(0, 1), 'momentum', 'alpha'),
});

/** Options of `averageWeights`. */
export interface AverageOptions extends OptionsOf<typeof averageOptions> {}

/**
 * Returns a rule that does what `rule` does, and keeps a running mean of each parameter: a' = decay a + (1 - decay) w',
 * where w' is the parameter after the step. It starts with the values of the parameters before the first step. The mean is
 * a state. `averages` returns it, and `substitute` puts it into a graph:
 *
 *     const serving = compile({ outputs: { y: substitute(y, averages(updates)) } });
 *
 * The average is updated in each step, also in the steps in which a rule `accumulate` within `rule` only adds gradients.
 * `accumulate(n, averageWeights(rule, options))` updates it once in n steps.
 *
 * Polyak & Juditsky, Acceleration of stochastic approximation by averaging (1992), with weights that decay.
 * @throws ValueError if `rule` is not a rule, or if an option is missing, unknown or invalid
 */
export function averageWeights(rule: Rule, options: AverageOptions): Rule {
  const inner = assertRule(rule, 'averageWeights');
  const { decay } = averageOptions.read(options);
  return new Rule(`averageWeights(${inner})`, (context, flows) => {
    const moved = applyRule(inner, context, flows);
    const label = context.label('average');
    const first = equal(context.step, 0);
    const mine = new Set(flows.map(({ parameter }) => parameter));
    context.build.after((flow, next) => {
      const { parameter } = flow;
      if (!mine.has(parameter)) return;
      const average = context.state(flow, label, 'weight', parameter.value);
      // Parameters may have been set after the average was made, for example by `restore`.
      const old = where(first, parameter, average);
      context.write(flow, average, add(mul(next, 1 - decay), mul(old, decay)));
      context.build.averages.set(parameter, average);
    });
    return moved;
  });
}
