/** Rules: how an optimizer computes the next values of parameters from their gradients. */

import { brand, describeValue } from '../arguments/describe.js';
import { ValueError } from '../errors.js';
import type { Context } from './context.js';
import type { Flow } from './flow.js';

/**
 * Builds the graph of a rule: makes the states that it needs, and returns the directions of the parameters after the
 * rule. The context has what the rule shares with other rules, such as the counter of steps.
 */
export type Transform = (context: Context, flows: readonly Flow[]) => readonly Flow[];

let transformOf: (rule: Rule) => Transform;
let isOurs: (value: object) => boolean;

/**
 * A rule of an optimizer. It turns the gradient g of a parameter w into a direction u, which is subtracted from the
 * parameter: w' = w - u. A rule has no values of its own: `optimize` makes the states that it needs, and builds its
 * graph. So one rule can be used several times. `chain`, `groups`, `accumulate` and `averageWeights` make rules of rules.
 */
export class Rule {
  static {
    brand<Rule>(Rule, (rule) => `the rule ${rule}`);
    transformOf = (rule) => rule.#transform;
    isOurs = (value) => #transform in value;
  }

  readonly #text: string;
  readonly #transform: Transform;

  /** Users call functions such as `adam` and `chain`, and not this constructor. @internal */
  constructor(text: string, transform: Transform) {
    this.#text = text;
    this.#transform = transform;
  }

  /** Returns the names of the functions that made the rule, as in `chain(clipGlobalNorm, scaleByAdam, scaleByRate)`. */
  toString(): string {
    return this.#text;
  }
}

/** Builds the graph of a rule. */
export function applyRule(rule: Rule, context: Context, flows: readonly Flow[]): readonly Flow[] {
  return transformOf(rule)(context, flows);
}

/** Returns whether `value` is a rule that this copy of forebay made. Never throws. */
export function isRule(value: unknown): value is Rule {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/** Returns the rule. @throws ValueError if `value` is not a rule */
export function assertRule(value: unknown, context: string): Rule {
  if (isRule(value)) return value;
  throw new ValueError(
    `${context}: expected a rule, such as adam({ rate: 0.001 }), but received ${describeValue(value)}`,
  );
}
