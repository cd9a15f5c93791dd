/** What the functions of all optimizers share: `name(options)` returns a rule, `name(loss, trainables, options)` updates. */

import { positiveNumber } from '../arguments/kinds.js';
import { optional } from '../arguments/options.js';
import { type Gradients, isGradients } from '../autodiff/gradients.js';
import type { Updates } from '../evaluate/updates.js';
import { isNode, type Node } from '../graph/node.js';
import { type Chooses, chain, clipGlobalNorm, decayWeights } from './chain.js';
import { namesByParameter, namesByRule } from './naming.js';
import { updatesBy } from './optimize.js';
import { rateKind } from './rate.js';
import type { Rule } from './rule.js';
import type { Trainables } from './trainables.js';

/** The arguments of an optimizer: its options, or a loss, what is trained, and the options. */
export type OptimizerArguments<O> =
  | readonly [options?: O | undefined]
  | readonly [loss: Node | Gradients, trainables: Trainables, options?: O | undefined];

/** The names of learning rates in other libraries. */
export const rateAliases = ['lr', 'learningRate', 'stepSize'] as const;

/** The options of all optimizers except the rate. */
export const commonDeclaration = {
  /**
   * The largest norm of all gradients together; by default there is none. See `clipGlobalNorm`. A step whose norm is not
   * finite is skipped.
   */
  clipGlobalNorm: optional(positiveNumber, 'clipNorm', 'maxNorm', 'clip'),
};

/** The option of the learning rate, if it has a default. */
export const optionalRate = optional(rateKind, ...rateAliases);

/** Returns the rules in order, as one rule. Rules that are undefined are left out. */
export function chained(clip: number | undefined, ...rules: readonly (Rule | undefined)[]): Rule {
  const first = clip === undefined ? [] : [clipGlobalNorm(clip)];
  return chain(...first, ...rules.filter((rule) => rule !== undefined));
}

/** Returns the rule of a weight decay; undefined if it is 0. */
export function decayOf(rate: number, decays: Chooses | undefined): Rule | undefined {
  return rate === 0 ? undefined : decayWeights(rate, { decays });
}

/** Returns what an optimizer returns. @param ruleOf returns the rule of checked options */
export function ruleOrUpdates<O>(
  name: string,
  args: OptimizerArguments<O>,
  ruleOf: (options: O | undefined) => Rule,
  names: 'by parameter' | 'by rule',
): Rule | Updates {
  const [first, trainables, options] = args;
  if (args.length < 2 && !isNode(first) && !isGradients(first)) return ruleOf(first as O);
  const rule = ruleOf(options);
  const given = [first as Node | Gradients, trainables as Trainables] as const;
  return updatesBy(name, ...given, rule, (trained) =>
    names === 'by rule' ? namesByRule(name, 'optimizer') : namesByParameter(name, trained),
  );
}
