/** Variables and other values by name: of modules, lists of variables, and records. */

import { describeValue } from '../arguments/describe.js';
import { assertList, assertRecord, isList, isRecord } from '../arguments/read.js';
import { GraphError, ValueError } from '../errors.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { isModule } from './known.js';
import type { Module } from './module.js';

/**
 * Variables by name: a module, whose variables go by their relative paths; a list of parameters and states, which go by
 * their own names; or a record of variables and modules. In a record, the paths of a module begin with its name in the
 * record, as in `head.weight`.
 */
export type Restored = Module | readonly Variable[] | Readonly<Record<string, Variable | Module>>;

/** Values of which `namedValues` returns those by name. */
type Named<T> = Module | readonly Variable[] | Readonly<Record<string, Variable | Module | T>>;

/**
 * Returns variables, and values of type T in a record, by name. The values themselves are not checked.
 * @throws ValueError if `values` is not a module, a list of parameters and states, or a plain record; GraphError if two
 *   values have the same name
 */
export function namedValues<T>(context: string, values: Named<T>): Map<string, Variable | T> {
  if (isModule(values)) return values.entries();
  const named = new Map<string, Variable | T>();
  const add = (name: string, value: Variable | T, remedy: string) => {
    if (named.has(name)) {
      throw new GraphError(`${context}: two of the parameters are named '${name}'; ${remedy}`);
    }
    named.set(name, value);
  };
  const expected = `${context}: expected a list of parameters and states, or a record of them by name,`;
  if (isList(values)) {
    for (const value of assertList(values as readonly Variable[], expected)) {
      if (!isVariable(value)) {
        const remedy = isModule(value) ? '; give a record of modules: { name: module }' : '';
        throw new ValueError(
          `${context}: expected a list of parameters and states, but one is ${describeValue(value)}${remedy}`,
        );
      }
      add(value.name as string, value, 'give a record of them');
    }
    return named;
  }
  if (!isRecord(values)) {
    throw new ValueError(`${expected} but received ${describeValue(values)}${remedyFor(values)}`);
  }
  for (const [name, value] of assertRecord(values, expected)) {
    if (isModule(value)) {
      for (const [path, variable] of value.entries()) {
        add(`${name}.${path}`, variable, 'give them other names in the record');
      }
    } else add(name, value as Variable | T, 'give them other names in the record');
  }
  return named;
}

/**
 * Returns variables by name.
 * @throws ValueError or GraphError, as `namedValues` does; ValueError if a value of a record is not a variable
 */
export function namedVariables(context: string, values: Restored): Map<string, Variable> {
  const named = namedValues<never>(context, values);
  for (const [name, variable] of named) {
    if (!isVariable(variable)) {
      throw new ValueError(
        `${context}: expected a parameter or a state for '${name}', but received ${describeValue(variable)}`,
      );
    }
  }
  return named;
}

/** Returns advice for the error if a layer or a single parameter was given instead of a list; otherwise ''. */
function remedyFor(value: unknown): string {
  if (isVariable(value)) return '; put it in a list: [parameter]';
  try {
    const { parameters } = value as { readonly parameters?: unknown };
    return isList(parameters) ? '; its parameters are a list: give LAYER.parameters' : '';
  } catch {
    return '';
  }
}
