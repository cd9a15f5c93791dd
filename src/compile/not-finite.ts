/** The error of a run that failed, because a result is NaN or infinite or an index is out of range. */

import { type ForebayError, NumericError } from '../errors.js';
import { describeNotFinite, firstNotFinite } from '../evaluate/finite.js';
import type { Input } from '../graph/leaf.js';
import type { RunStatus } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Executable } from './executable.js';
import { outOfRange } from './out-of-range.js';

/**
 * Returns the error of a run that failed. If a result is NaN or infinite, evaluates the nodes of the instruction again,
 * to name the first node whose value is not finite. If this finds no such node, the error names all nodes of the
 * instruction.
 * @param status the instruction whose result is NaN or infinite, or the index that is out of range
 */
export function notFinite(
  { encoded, bindings }: Executable,
  feeds: ReadonlyMap<Input, { readonly data: TypedArray }>,
  status: RunStatus,
  run: number,
): ForebayError {
  if (typeof status !== 'number') return outOfRange(encoded, status, run);
  const instruction = status;
  const nodes = encoded.nodes[instruction] ?? [];
  const found = nodes.length > 0 ? firstNotFinite(nodes, feeds, bindings, run) : undefined;
  const what = found
    ? describeNotFinite(found)
    : `a result of ${nodes.length > 0 ? nodes.join(' ') : `instruction ${instruction}`} is NaN or infinite`;
  return new NumericError(`run ${run}: ${what}; the run has written nothing`);
}
