/** The error of a run whose result is NaN or infinite. */

import { NumericError } from '../errors.js';
import { describeNotFinite, firstNotFinite } from '../evaluate/finite.js';
import type { Input } from '../graph/leaf.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Executable } from './executable.js';

/**
 * Returns the error of a run whose result is NaN or infinite. To name the first node whose value is not finite,
 * evaluates the nodes of the instruction again. If this finds no such node, the error names all nodes of the
 * instruction.
 * @param instruction the instruction whose result is NaN or infinite
 */
export function notFinite(
  { encoded, bindings }: Executable,
  feeds: ReadonlyMap<Input, { readonly data: TypedArray }>,
  instruction: number,
  run: number,
): NumericError {
  const nodes = encoded.nodes[instruction] ?? [];
  const found = nodes.length > 0 ? firstNotFinite(nodes, feeds, bindings, run) : undefined;
  const what = found
    ? describeNotFinite(found)
    : `a result of ${nodes.length > 0 ? nodes.join(' ') : `instruction ${instruction}`} is NaN or infinite`;
  return new NumericError(`run ${run}: ${what}; the run has written nothing`);
}
