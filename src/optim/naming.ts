/** The names of the states of optimizers. Checkpoints find the states by these names. */

import type { Variable } from '../graph/leaf.js';
import type { Naming } from './context.js';
import type { Trainable } from './trainables.js';

/** Names that consist of the name of the optimizer, the index of the rule, and the name of the parameter. */
export function namesByRule(context: string, name: string): Naming {
  return {
    context,
    shared: (index, label) => `${name}/${index}.${label}`,
    of: (index, label, part, { name: parameter }) =>
      `${name}/${index}.${label}.${part}/${parameter}`,
  };
}

/**
 * Names that begin with the name of a parameter: the states of `sgd(loss, …)` and `adam(loss, …)` have had these names
 * since version 0.1. A state that all parameters share begins with the name of the first.
 */
export function namesByParameter(optimizer: string, trained: readonly Trainable[]): Naming {
  const { name: first } = (trained[0] as Trainable).parameter;
  return {
    context: optimizer,
    shared: (_index, label) => `${first}.${optimizer}.${label}`,
    of: (_index, label, part, { name }: Variable) => `${name}.${label}.${part}`,
  };
}
