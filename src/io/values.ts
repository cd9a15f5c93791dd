/** What is written to files and read from them: values by name, none of which a run is changing. */

import { describeValue } from '../arguments/describe.js';
import { assertList, assertRecord, isList, isRecord } from '../arguments/read.js';
import { GraphError, StateError, ValueError } from '../errors.js';
import { inFlight, Variable, writtenInFlight } from '../graph/leaf.js';
import { asTensor, isTensor, type Tensor } from '../tensor/tensor.js';

/** What is saved: parameters and states under their own names, or anything under names of choice. */
export type Saved = readonly Variable[] | Readonly<Record<string, Variable | Tensor>>;

/** What is restored: parameters and states by their own names, or by other names in the file. */
export type Restored = readonly Variable[] | Readonly<Record<string, Variable>>;

/** Whether a value is a parameter or a state of this copy of forebay. Never throws. */
export function isVariable(value: unknown): value is Variable {
  try {
    return value instanceof Variable;
  } catch {
    return false; // a revoked proxy
  }
}

/**
 * Values by name.
 * @throws ValueError if it is neither a list of parameters and states nor a plain record; GraphError if two have one
 *   name
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

/** A layer has its parameters in a list; a single parameter belongs in one. */
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
 * The parameters and states to restore; undefined if these are options.
 * @throws ValueError or GraphError, as `namedValues` does
 */
export function restoredIn(context: string, given: unknown): Map<string, Variable> | undefined {
  if (given === undefined) return undefined;
  const isOptions = isRecord(given) && !holdsValues(given);
  return isOptions ? undefined : namedValues<Variable>(context, given as Restored);
}

function holdsValues(record: Readonly<Record<string, unknown>>): boolean {
  try {
    return Object.values(record).some((value) => isVariable(value) || isTensor(value));
  } catch {
    return false; // a getter that throws: reading the options says so
  }
}

/** Before it is saved: half an update must not get into a file. Runs that only read it are no matter. */
export function assertUnwritten(context: string, variable: Variable): void {
  if (!writtenInFlight(variable)) return;
  throw new StateError(`${context}: a run that writes ${variable} is in flight; await it before`);
}

/** Before it is set from a file: a run in flight sees the values of one moment. */
export function assertAtRest(context: string, variable: Variable): void {
  if (!inFlight(variable)) return;
  throw new StateError(
    `${context}: a run that reads or writes ${variable} is in flight; await it before`,
  );
}

/**
 * The tensors to save, by name.
 * @throws ValueError if one is neither a variable nor a tensor; StateError if a run in flight writes one
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
