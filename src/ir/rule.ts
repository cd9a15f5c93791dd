/**
 * Rules of simplification. A builder applies them to each value and each view that it makes. The pass `simplify` has the
 * rules (`src/compile/passes/simplify`); without rules, a builder makes each value as it is defined.
 */

import type { Builder } from './builder.js';
import type { Kind, Ref, Value } from './value.js';

/** A value that is not made yet. */
export type Definition = Pick<Value, 'kind' | 'dtype' | 'shape' | 'args' | 'details' | 'node'>;

/** Replaces a value, or a view of a value, by an equal one that is cheaper to compute. */
export interface Rule<Subject = Definition> {
  /** The name under which the builder counts how often the rule is applied. */
  readonly name: `simplify: ${string}`;
  /** What the rule replaces. */
  readonly matches: string;
  /** What the rule gives instead. */
  readonly gives: string;
  /** Why both are equal, or how they may differ. */
  readonly exact: string;
  /** The kernel of the values that the rule matches; undefined if it is not a rule for only one kernel. */
  readonly kernel: string | undefined;
  /** Returns the replacement, made with `build`; undefined if the rule does not match. */
  readonly apply: (subject: Subject, build: Builder) => Ref | undefined;
}

export interface Rules {
  /** The rules of each kind of value, in the order in which they are tried. The first that matches is applied. */
  readonly values: { readonly [K in Kind]?: readonly Rule[] };
  /** The rules of views. */
  readonly views: readonly Rule<Ref>[];
}

export const noRules: Rules = { values: {}, views: [] };

/** Returns the rules without some of them. */
export function without({ values, views }: Rules, dropped: readonly Rule<never>[]): Rules {
  const isKept = (rule: Rule<never>) => !dropped.includes(rule);
  const kept = Object.entries(values).map(([kind, list]) => [kind, list.filter(isKept)]);
  return { values: Object.fromEntries(kept), views: views.filter(isKept) };
}
