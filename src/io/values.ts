/** What is written to files and read from them: values by name, none of which a run is changing. */

import { describeValue } from '../arguments/describe.js';
import { assertList } from '../arguments/read.js';
import { GraphError, StateError, ValueError } from '../errors.js';
import { inFlight, Variable, writtenInFlight } from '../graph/leaf.js';
import { asTensor, Tensor } from '../tensor/tensor.js';

/** What is saved: parameters and states under their own names, or anything under names of choice. */
export type Saved = readonly Variable[] | Readonly<Record<string, Variable | Tensor>>;

/** By name. @throws GraphError for two of one name */
export function namedValues<T>(
  context: string,
  values: readonly (T & Variable)[] | Readonly<Record<string, T>>,
): Map<string, T> {
  if (!Array.isArray(values)) {
    if (typeof values !== 'object' || values === null || values instanceof Variable) {
      assertList(
        values as never,
        `${context}: expected a list of parameters, or a record of them,`,
      );
    }
    return new Map(Object.entries(values));
  }
  const named = new Map<string, T>();
  for (const value of values as readonly (T & Variable)[]) {
    if (!(value instanceof Variable)) {
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
    named.set(name, value);
  }
  return named;
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
 * @throws ValueError for what is none, StateError for one that a run in flight writes
 */
export function savedTensors(
  context: string,
  values: ReadonlyMap<string, Variable | Tensor>,
): { name: string; tensor: Tensor }[] {
  return [...values].map(([name, value]) => {
    if (value instanceof Variable) {
      assertUnwritten(context, value);
      return { name, tensor: value.value };
    }
    if (!(value instanceof Tensor)) {
      throw new ValueError(
        `${context}: expected a parameter, a state or a tensor for '${name}', but received ${describeValue(value)}`,
      );
    }
    return { name, tensor: asTensor(value, value.dtype, `${context}: '${name}'`) };
  });
}
