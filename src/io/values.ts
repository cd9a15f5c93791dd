/** The values to save to files or to set from files, by name. */

import { describeValue, isOfAnotherCopy } from '../arguments/describe.js';
import { isRecord } from '../arguments/read.js';
import { ValueError } from '../errors.js';
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
 * Returns the tensors to save, with the names and the layouts of a map.
 * @throws ValueError if a value is not a variable, if the map is invalid or was made for other modules, if it gives two
 *   tensors one name, or if a tensor needs the values of more variables; StateError if a run in flight writes a variable
 */
export function mappedTensors(
  context: string,
  values: ReadonlyMap<string, Variable | Tensor>,
  map: NameMap | WeightMap,
): Outgoing[] {
  const variables = new Map(
    [...values].map(([name, value]): [string, Variable] => {
      if (isVariable(value)) return [name, value];
      if (isTensor(value)) {
        throw new ValueError(
          `${context}: the option map is for parameters and states, but '${name}' is a tensor, whose layout it does not know; save tensors without a map. The values of merged() are tensors, too: call merge(), and save the module with the map`,
        );
      }
      throw new ValueError(
        `${context}: expected a parameter or a state for '${name}', but received ${describeValue(value)}`,
      );
    }),
  );
  const given = new Set(variables.values());
  const sources = new Map<string, readonly Variable[]>();
  return groupsFor(context, variables, map).flatMap((group) => {
    const tensors = tensorsOf(context, group, given);
    for (const { name } of tensors) {
      const other = sources.get(name);
      if (other !== undefined) {
        const [first, second] = [other, group.variables].map((all) => all.join(', '));
        throw new ValueError(
          `${context}: the option map gives the name '${name}' to two tensors: of ${first}, and of ${second}`,
        );
      }
      sources.set(name, group.variables);
    }
    return tensors;
  });
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
    // A module that is held in two places may have one name for both.
    ...tensors.flatMap(({ names }, index) =>
      [...new Set(names)].map((name) => ({ name, tensor: written[index] as Tensor })),
    ),
    ...extras.flatMap(({ names, value, elements }) =>
      [...new Set(names)].map((name) => ({ name, tensor: value, elements })),
    ),
  ];
}

function savedValue(context: string, variable: Variable): Tensor {
  assertUnwritten(context, variable);
  return variable.value;
}
