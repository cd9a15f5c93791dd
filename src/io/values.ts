/** The values to save to files or to set from files, by name. */

import { describeValue, isOfAnotherCopy } from '../arguments/describe.js';
import { isRecord } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { assertUnwritten } from '../graph/in-flight.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { isModule } from '../modules/known.js';
import type { Module } from '../modules/module.js';
import { namedValues, type Restored } from '../modules/named.js';
import { asTensor, isTensor, type Tensor } from '../tensor/tensor.js';

/**
 * Values to save: a module, whose variables are saved under their relative paths; a list of parameters and states, which
 * are saved under their own names; or a record of variables, tensors and modules by the names under which they are
 * saved. In a record, the paths of a module begin with its name in the record, as in `head.weight`.
 */
export type Saved =
  | Module
  | readonly Variable[]
  | Readonly<Record<string, Variable | Tensor | Module>>;

/**
 * Returns the parameters and states to restore; undefined if `given` is undefined or a record of options.
 * @throws ValueError or GraphError, as `namedValues` does
 */
export function restoredIn(context: string, given: unknown): Map<string, Variable> | undefined {
  if (given === undefined) return undefined;
  const isOptions = isRecord(given) && !holdsValues(given);
  return isOptions ? undefined : namedValues<never>(context, given as Restored);
}

function holdsValues(record: Readonly<Record<string, unknown>>): boolean {
  try {
    return Object.values(record).some(
      (value) => isVariable(value) || isTensor(value) || isModule(value) || isOfAnotherCopy(value),
    );
  } catch {
    return false; // The value has a getter that throws. The code that reads the options reports this.
  }
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
