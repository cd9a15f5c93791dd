/** The values to save to files or to set from files, by name. */

import { describeValue, isOfAnotherCopy } from '../arguments/describe.js';
import { isRecord } from '../arguments/read.js';
import { GraphError, ValueError } from '../errors.js';
import { assertUnwritten } from '../graph/in-flight.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { isModule } from '../modules/known.js';
import type { Module } from '../modules/module.js';
import { namedValues, type Restored } from '../modules/named.js';
import { groupsFor, type NameMap } from '../modules/transfer.js';
import type { Group, WeightMap } from '../modules/weights.js';
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

/** A tensor to save. */
export interface Outgoing {
  readonly name: string;
  readonly tensor: Tensor;
  /** The type of its elements in the file, if it is not the dtype. */
  readonly elements?: 'int64';
}

/**
 * Returns the tensors to save, with their names.
 * @throws ValueError if a value is neither a variable nor a tensor; StateError if a run in flight writes a variable
 */
export function savedTensors(
  context: string,
  values: ReadonlyMap<string, Variable | Tensor>,
): Outgoing[] {
  return [...values].map(([name, value]) => {
    if (isVariable(value)) return { name, tensor: savedValue(context, value) };
    if (!isTensor(value)) {
      throw new ValueError(
        `${context}: expected a parameter, a state or a tensor for '${name}', but received ${describeValue(value)}`,
      );
    }
    return { name, tensor: asTensor(value, value.dtype, `${context}: '${name}'`) };
  });
}

/**
 * Returns the tensors to save, with the names and the layouts of a map. Values that are not variables keep their names.
 * @throws ValueError if a value is neither a variable nor a tensor, if the map is invalid or was made for other modules,
 *   or if a tensor needs the values of more variables; GraphError if two tensors would have the same name; StateError if
 *   a run in flight writes a variable
 */
export function mappedTensors(
  context: string,
  values: ReadonlyMap<string, Variable | Tensor>,
  map: NameMap | WeightMap,
): Outgoing[] {
  const named = [...values];
  const variables = new Map(
    named.filter((entry): entry is [string, Variable] => isVariable(entry[1])),
  );
  const others = new Map(named.filter(([, value]) => !isVariable(value)));
  const tensors = groupsFor(context, variables, map).flatMap((group) =>
    tensorsOf(context, group, new Set(variables.values())),
  );
  const saved = [...tensors, ...savedTensors(context, others)];
  const names = new Set<string>();
  for (const { name } of saved) {
    if (names.has(name)) {
      throw new GraphError(`${context}: the option map gives two tensors the name '${name}'`);
    }
    names.add(name);
  }
  return saved;
}

/** Returns the tensors of a group, under all their names. */
function tensorsOf(context: string, group: Group, given: ReadonlySet<Variable>): Outgoing[] {
  const { variables, tensors, extras, layout } = group;
  const lacking = variables.find((variable) => !given.has(variable));
  if (lacking !== undefined) {
    throw new ValueError(
      `${context}: '${tensors[0]?.names[0]}' also has the value of ${lacking}, which is not among the values to save`,
    );
  }
  const values = variables.map((variable) => savedValue(context, variable));
  const written = layout === undefined ? values : layout.write(values);
  return [
    ...tensors.flatMap(({ names }, index) =>
      names.map((name) => ({ name, tensor: written[index] as Tensor })),
    ),
    ...extras.flatMap(({ names, value, elements }) =>
      names.map((name) => ({ name, tensor: value, elements })),
    ),
  ];
}

function savedValue(context: string, variable: Variable): Tensor {
  assertUnwritten(context, variable);
  return variable.value;
}
