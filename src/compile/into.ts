/** What is wrong with tensors that a run is to write its outputs to. */

import { describeValue } from '../arguments/describe.js';
import { isList } from '../arguments/read.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import { formatShape } from '../tensor/shape.js';
import { asTensor, isTensor } from '../tensor/tensor.js';
import type { Slot } from './executable.js';

/** @throws ValueError, DTypeError or ShapeError that says what does not fit, if anything does not */
export function checkInto(into: unknown, outputs: readonly Slot[]): void {
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
