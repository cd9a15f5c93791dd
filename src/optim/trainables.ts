/** What an optimizer trains. */

import { describeValue } from '../arguments/describe.js';
import { assertList, isList } from '../arguments/read.js';
import { GraphError, ValueError } from '../errors.js';
import { isFrozen } from '../graph/frozen.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { isModule } from '../modules/known.js';
import type { Module } from '../modules/module.js';

/**
 * What an optimizer trains: a module, a parameter, or a list of them, to any depth. Frozen parameters are left out, and a
 * parameter that is given twice is trained once.
 */
export type Trainables = Module | Variable | readonly Trainables[];

/** A parameter, and its path relative to the module that was given; its name if it was given by itself. */
export interface Trainable {
  readonly parameter: Variable;
  readonly path: string;
}

/**
 * Returns the parameters that are not frozen, each once, in the order in which they were given.
 * @throws ValueError if `given` is neither a module, a variable nor a list, or if there is nothing to train; GraphError
 *   if `given` is a state, or if an element of a list is neither a module, a parameter nor a list
 */
export function trainablesIn(optimizer: string, given: Trainables): Trainable[] {
  const found = new Map<Variable, Trainable>();
  const open = new Set<unknown>();
  const add = (parameter: Variable, path: string) => {
    if (!found.has(parameter)) found.set(parameter, { parameter, path });
  };
  const visit = (value: Trainables, outermost: boolean) => {
    if (isVariable(value)) {
      if (value.kind !== 'parameter') {
        throw new GraphError(
          `${optimizer}: expected parameters, but received ${value}; optimizers do not train states`,
        );
      }
      add(value, value.name as string);
    } else if (isModule(value)) {
      for (const [path, variable] of value.entries()) {
        if (variable.kind === 'parameter') add(variable, path);
      }
    } else if (isList(value) || outermost) {
      const list = assertList(
        value as readonly Trainables[],
        `${optimizer}: expected a module, a parameter, or a list of parameters and modules,`,
      );
      if (open.has(value)) {
        throw new GraphError(`${optimizer}: a list of parameters and modules contains itself`);
      }
      open.add(value);
      for (const one of list) visit(one, false);
      open.delete(value);
    } else {
      throw new GraphError(
        `${optimizer}: expected parameters, but received ${describeValue(value)}`,
      );
    }
  };
  visit(given, true);
  if (found.size === 0) {
    const what = isList(given)
      ? given.length === 0
        ? 'an empty list'
        : `a list without any`
      : given;
    throw new ValueError(
      `${optimizer}: expected at least one parameter, but received ${what}: nothing would be trained`,
    );
  }
  const trained = [...found.values()].filter(({ parameter }) => !isFrozen(parameter));
  if (trained.length === 0) {
    throw new ValueError(
      `${optimizer}: all ${found.size} parameters are frozen, such as ${[...found.keys()][0]}, so nothing would be trained; call unfreeze() on their module first`,
    );
  }
  return trained;
}
