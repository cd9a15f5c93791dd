/** Checks the option `into`: the tensors to which a run writes its outputs. */

import { describeValue } from '../arguments/describe.js';
import { isList, reading } from '../arguments/read.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import { formatShape } from '../tensor/shape.js';
import { asTensor, isTensor, type Tensor } from '../tensor/tensor.js';
import type { Executable, Slot } from './executable.js';

/**
 * Checks the tensors to which a run writes its outputs.
 * @throws ValueError, DTypeError or ShapeError if the tensors do not match the outputs of the executable
 */
export function checkFitting(into: Readonly<Record<string, Tensor>>, executable: Executable): void {
  reading('into:', into, () => {
    if (!executable.accepts(into)) checkInto(into, executable.outputs);
  });
}

function checkInto(into: unknown, outputs: readonly Slot[]): void {
  if (typeof into !== 'object' || into === null || isList(into)) {
    throw new ValueError(`into must be a record of tensors by name, but is ${describeValue(into)}`);
  }
  for (const name of Object.keys(into)) {
    if (outputs.some((slot) => slot.name === name)) continue;
    const known = outputs.map((slot) => `'${slot.name}'`).join(', ') || 'none';
    throw new ValueError(
      `into: '${name}' is not an output of this program (its outputs: ${known})`,
    );
  }
  for (const { name, dtype, shape } of outputs) {
    const wanted = `into: output '${name}' is ${dtype} ${formatShape(shape)}`;
    const tensor = Object.hasOwn(into, name) ? (into as Record<string, unknown>)[name] : undefined;
    if (tensor === undefined) throw new ValueError(`${wanted}, but there is no tensor for it`);
    if (!isTensor(tensor)) {
      throw new ValueError(`${wanted}, but received ${describeValue(tensor)}`);
    }
    asTensor(tensor, dtype, `into: '${name}'`);
    const came = `${tensor.dtype} ${formatShape(tensor.shape)}`;
    if (tensor.dtype !== dtype) throw new DTypeError(`${wanted}, but received ${came}`);
    if (formatShape(tensor.shape) !== formatShape(shape)) {
      throw new ShapeError(`${wanted}, but received ${came}`);
    }
  }
}
