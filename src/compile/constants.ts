/** The option `constants` of `compile`: variables that change rarely, so that what depends only on them is kept. */

import { describeValue } from '../arguments/describe.js';
import { assertList, assertRecord, isList, isRecord } from '../arguments/read.js';
import { GraphError, ValueError } from '../errors.js';
import type { Updates } from '../evaluate/updates.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { isModule } from '../modules/known.js';
import type { Module } from '../modules/module.js';

/**
 * A set of parameters and states: one of them; a module, with its parameters and states; another object with a list
 * `parameters`; or a list or a record of such sets, to any depth.
 */
export type Variables =
  | Variable
  | Module
  | { readonly parameters: readonly Variable[] }
  | readonly Variables[]
  | { readonly [name: string]: Variables };

/**
 * Returns the variables of the option `constants`; undefined if it was left out.
 * @throws ValueError if it is not a set of variables; GraphError if an update writes one of them
 */
export function checkConstants(
  constants: unknown,
  updates: Updates,
): ReadonlySet<Variable> | undefined {
  if (constants === undefined) return undefined;
  const found = variablesIn(constants);
  const written = updates.find(([leaf]) => found.has(leaf))?.[0];
  if (written === undefined) return found;
  throw new GraphError(
    `compile: ${written} is in the option constants, but the updates of this program write it; leave it out of constants`,
  );
}

function variablesIn(constants: unknown): Set<Variable> {
  const found = new Set<Variable>();
  // A list or record that contains itself is read only once.
  const read = new Set<unknown>();
  const pending: { readonly path: string; readonly given: unknown }[] = [];
  const add = (path: string, given: unknown) => pending.push({ path, given });
  add('constants', constants);
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { path, given } = next;
    const expected = `compile: ${path}: expected a parameter or a state, a layer, or a list or record of them,`;
    if (isVariable(given)) {
      found.add(given);
    } else if (isModule(given)) {
      for (const variable of given.entries().values()) found.add(variable);
    } else if (read.has(given)) {
      // Nothing more is in it.
    } else if (isList(given)) {
      assertList(given, expected).forEach((item, index) => {
        add(`${path}[${index}]`, item);
      });
    } else {
      const parameters = parametersOf(given);
      if (isList(parameters)) add(`${path}.parameters`, parameters);
      else if (isRecord(given)) {
        for (const [name, item] of assertRecord(given, expected)) add(`${path}.${name}`, item);
      } else throw new ValueError(`${expected} but received ${describeValue(given)}`);
    }
    read.add(given);
  }
  return found;
}

/** Returns the property `parameters` of an object; undefined if there is none. */
function parametersOf(layer: unknown): unknown {
  if (typeof layer !== 'object' || layer === null) return undefined;
  try {
    return (layer as { readonly parameters?: unknown }).parameters;
  } catch {
    return undefined; // A getter or a proxy throws. The caller reports what was given.
  }
}
