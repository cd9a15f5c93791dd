/** Checks that the tensors of a file fit the parameters and states that will be set to them. */

import { describeValue } from '../arguments/describe.js';
import { DTypeError, FormatError, ShapeError, ValueError } from '../errors.js';
import { assertAtRest } from '../graph/in-flight.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { listed } from './selection.js';

/** The description of a tensor in a file. */
export interface Described {
  readonly name: string;
  readonly shape: readonly number[];
  /** The dtype to which the elements are converted; undefined if the tensor cannot be read. */
  readonly dtype: DType | undefined;
  /** The element type in the file, for error messages. */
  readonly description: string;
}

/**
 * Checks that the file has a tensor of the same name, dtype and shape for each variable.
 * @returns `wanted`
 * @throws ValueError if a value of `wanted` is not a parameter or a state; FormatError if the file lacks a tensor;
 *   DTypeError or ShapeError if a tensor does not fit its variable; StateError if a run in flight reads or writes a
 *   variable
 */
export function fitting(
  context: string,
  file: string,
  found: readonly Described[],
  wanted: ReadonlyMap<string, Variable>,
): ReadonlyMap<string, Variable> {
  const byName = new Map(found.map((tensor) => [tensor.name, tensor]));
  for (const [name, variable] of wanted) {
    if (!isVariable(variable)) {
      throw new ValueError(
        `${context}: expected a parameter or a state for '${name}', but received ${describeValue(variable)}`,
      );
    }
    assertAtRest(context, variable);
    const tensor = byName.get(name);
    if (tensor === undefined) {
      const names = found.map((other) => other.name);
      throw new FormatError(
        `${file}: there is no tensor '${name}' for ${variable} ${listed(names)}`,
      );
    }
    const expected = `${file}: tensor '${name}': ${variable} is ${variable.dtype} ${formatShape(variable.shape)}`;
    if (tensor.dtype !== variable.dtype) {
      throw new DTypeError(`${expected}, but the file has ${tensor.description}`);
    }
    if (formatShape(tensor.shape) !== formatShape(variable.shape)) {
      throw new ShapeError(`${expected}, but the file has ${formatShape(tensor.shape)}`);
    }
  }
  return wanted;
}
