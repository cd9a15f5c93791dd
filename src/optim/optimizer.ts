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

/** An optimizer. `Given` are its options, as a list: an optional element if all options have defaults. */
export interface Optimizer<Given extends readonly unknown[]> {
  /**
   * Returns a rule for `optimize`.
   * @throws ValueError if an option is missing, unknown or invalid
   */
  (...options: Given): Rule;
  /**
   * Returns the updates of one step. Frozen parameters are left out. The side updates of the loss are included. Running
   * values that would be subnormal numbers become 0, because processors are slow with subnormal numbers.
   * @param loss a scalar loss, or gradients that `backward` returned
   * @param trainables a module, a parameter, or a list of them
   * @throws GraphError if the loss is not a node, if an element of `trainables` is not a parameter, if two parameters
   *   have the same name, or if no gradient reaches a parameter; ShapeError or DTypeError if the loss, or the node that a
   *   rate function returns, is not a scalar of an accepted dtype; ValueError if there is nothing to train, or if an
   *   option is missing, unknown or invalid
   */
  (loss: Node | Gradients, trainables: Trainables, ...options: Given): Updates;
}

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

/**
 * Returns an optimizer.
 * @param ruleOf checks the options, and returns the rule
 * @param names how the states are named if the optimizer is called with a loss
 */
export function optimizer<Given extends readonly [options?: unknown]>(
  name: string,
  ruleOf: (options: Given[0] | undefined) => Rule,
  names: 'by parameter' | 'by rule',
): Optimizer<Given> {
  const call = (...args: readonly unknown[]) => {
    const [first, trainables, options] = args;
    if (args.length < 2 && !isNode(first) && !isGradients(first)) return ruleOf(first as Given[0]);
    const rule = ruleOf(options as Given[0]);
    const given = [first as Node | Gradients, trainables as Trainables] as const;
    return updatesBy(name, ...given, rule, (trained) =>
      names === 'by rule' ? namesByRule(name, 'optimizer') : namesByParameter(name, trained),
    );
  };
  return call as unknown as Optimizer<Given>;
}
