/** Collects, by name, the values to save to files or to set from files. Checks that runs in flight allow this. */

import { describeValue, isOfAnotherCopy } from '../arguments/describe.js';
import { assertList, assertRecord, isList, isRecord } from '../arguments/read.js';
import { GraphError, StateError, ValueError } from '../errors.js';
import { inFlight, writtenInFlight } from '../graph/in-flight.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { asTensor, isTensor, type Tensor } from '../tensor/tensor.js';

/**
 * Values to save: a list of parameters and states, which are saved under their own names, or a record of values by the
 * names under which they are saved.
 */
export type Saved = readonly Variable[] | Readonly<Record<string, Variable | Tensor>>;

/** Variables to restore: a list of parameters and states, or a record of them by their names in the file. */
export type Restored = readonly Variable[] | Readonly<Record<string, Variable>>;

/**
 * Returns the values by name.
 * @throws ValueError if `values` is not a list of parameters and states or a plain record; GraphError if two values
 *   have the same name
 */
export function namedValues<T>(
  context: string,
  values: readonly (T & Variable)[] | Readonly<Record<string, T>>,
): Map<string, T> {
  const expected = `${context}: expected a list of parameters and states, or a record of them by name,`;
  if (!isList(values)) {
    if (isRecord(values)) return new Map(assertRecord(values, expected));
    throw new ValueError(`${expected} but received ${describeValue(values)}${remedyFor(values)}`);
  }
  const named = new Map<string, T>();
  for (const value of assertList(values, expected)) {
    if (!isVariable(value)) {
      throw new ValueError(
        `${context}: expected a list of parameters and states, but one is ${describeValue(value)}`,
      );
    }
    const { name } = value as Variable & { readonly name: string };
    if (named.has(name)) {
      throw new GraphError(
        `${context}: two of the parameters are named '${name}'; give a record of them`,
      );
    }
    named.set(name, value as T & Variable);
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

/**
 * Returns the parameters and states to restore; undefined if `given` is undefined or a record of options.
 * @throws ValueError or GraphError, as `namedValues` does
 */
export function restoredIn(context: string, given: unknown): Map<string, Variable> | undefined {
  if (given === undefined) return undefined;
  const isOptions = isRecord(given) && !holdsValues(given);
  return isOptions ? undefined : namedValues<Variable>(context, given as Restored);
}

function holdsValues(record: Readonly<Record<string, unknown>>): boolean {
  try {
    return Object.values(record).some(
      (value) => isVariable(value) || isTensor(value) || isOfAnotherCopy(value),
    );
  } catch {
    return false; // The value has a getter that throws. The code that reads the options reports this.
  }
}

/**
 * Checks that no run in flight writes a variable that will be saved, because a file must not contain half an update.
 * Runs in flight may read the variable.
 * @throws StateError if a run in flight writes it
 */
export function assertUnwritten(context: string, variable: Variable): void {
  if (!writtenInFlight(variable)) return;
  throw new StateError(`${context}: a run that writes ${variable} is in flight; await it first`);
}

/**
 * Checks that no run in flight reads or writes a variable that will be set from a file, because its values must not
 * change during a run.
 * @throws StateError if a run in flight reads or writes it
 */
export function assertAtRest(context: string, variable: Variable): void {
  if (!inFlight(variable)) return;
  throw new StateError(
    `${context}: a run that reads or writes ${variable} is in flight; await it first`,
  );
}

/**
 * Returns the tensors to save, with their names.
 * @throws ValueError if a value is neither a variable nor a tensor; StateError if a run in flight writes a variable
 */
export function savedTensors(
  context: string,
  values: ReadonlyMap<string, Variable | Tensor>,
): { name: string; tensor: Tensor }[] {
  return [...values].map(([name, value]) => {
    if (isVariable(value)) {
      assertUnwritten(context, value);
      return { name, tensor: value.value };
    }
    if (!isTensor(value)) {
      throw new ValueError(
        `${context}: expected a parameter, a state or a tensor for '${name}', but received ${describeValue(value)}`,
      );
    }
    return { name, tensor: asTensor(value, value.dtype, `${context}: '${name}'`) };
  });
}
