/** What an optimizer trains. */

import { describeValue } from '../arguments/describe.js';
import { assertList, isList } from '../arguments/read.js';
import { GraphError, ValueError } from '../errors.js';
import { isFrozen } from '../graph/frozen.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { isModule } from '../modules/known.js';
import type { Module } from '../modules/module.js';
import { formatShape } from '../tensor/shape.js';

/**
 * What an optimizer trains: a module, a parameter, or a list of them, to any depth. Frozen parameters are left out, and a
 * parameter that is given twice is trained once.
 */
export type Trainables = Module | Variable | readonly Trainables[];

/** A parameter, and its path relative to the module that was given; its name if it was given by itself. */
export interface Trainable {
  readonly parameter: Variable;
  readonly path: string;
  /** The module that was given; undefined if the parameter was given by itself. */
  readonly module?: Module;
  /** The index in the list that was given, and those in the lists in it; empty if no list was given. */
  readonly position: readonly number[];
}

/**
 * Returns the parameters that are not frozen, each once, in the order in which they were given.
 * @throws ValueError if `given` is neither a module, a variable nor a list, or if there is nothing to train; GraphError
 *   if `given` is a state, if an element of a list is neither a module, a parameter nor a list, or if two parameters to
 *   train have the same name
 */
export function trainablesIn(optimizer: string, given: Trainables): Trainable[] {
  const found = new Map<Variable, Trainable>();
  const open = new Set<unknown>();
  const add = (trainable: Trainable) => {
    if (!found.has(trainable.parameter)) found.set(trainable.parameter, trainable);
  };
  const visit = (value: Trainables, position: readonly number[]) => {
    if (isVariable(value)) {
      if (value.kind !== 'parameter') {
        throw new GraphError(
          `${optimizer}: expected parameters, but received ${value}; optimizers do not train states`,
        );
      }
      add({ parameter: value, path: value.name as string, position });
    } else if (isModule(value)) {
      for (const [path, variable] of value.entries()) {
        if (variable.kind !== 'parameter') continue;
        add({ parameter: variable, path, module: value, position });
      }
    } else if (isList(value) || position.length === 0) {
      const list = assertList(
        value as readonly Trainables[],
        `${optimizer}: expected a module, a parameter, or a list of parameters and modules,`,
      );
      if (open.has(value)) {
        throw new GraphError(`${optimizer}: a list of parameters and modules contains itself`);
      }
      open.add(value);
      for (const [index, one] of list.entries()) visit(one, [...position, index]);
      open.delete(value);
    } else {
      throw new GraphError(
        `${optimizer}: expected parameters, but received ${describeValue(value)}`,
      );
    }
  };
  visit(given, []);
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
  assertDistinct(optimizer, trained);
  return trained;
}

/** @throws GraphError if two parameters have the same name, by which states, checkpoints and runs find them */
function assertDistinct(optimizer: string, trained: readonly Trainable[]): void {
  const known = new Map<string, Trainable>();
  for (const trainable of trained) {
    const name = trainable.parameter.name as string;
    const other = known.get(name);
    if (other !== undefined) {
      throw new GraphError(
        `${optimizer}: two parameters are named '${name}': ${whereIs(other)}, and ${whereIs(trainable)}; give their layers different names, because states of optimizers, files and runs go by the names of parameters`,
      );
    }
    known.set(name, trainable);
  }
}

/** Returns a text that says where a parameter was given, and which shape it has. */
function whereIs({ parameter, path, module, position }: Trainable): string {
  const which = module === undefined ? `${parameter}` : `${path} of ${module}`;
  const at = position.length === 0 ? '' : ` at [${position.join('][')}]`;
  return `${which}${at}, of shape ${formatShape(parameter.shape)}`;
}
