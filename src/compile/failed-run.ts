/** The errors of runs that failed, because a result is NaN or infinite or an index is out of range. */

import { type ForebayError, NumericError, ValueError } from '../errors.js';
import { describeNotFinite, firstNotFinite } from '../evaluate/finite.js';
import { describeNode, describeOutOfRange } from '../graph/calls.js';
import type { Input } from '../graph/leaf.js';
import { describeIndex, type IndexFailure, type RunStatus } from '../native/program.js';
import type { TypedArray } from '../tensor/dtype.js';
import type { Encoded } from './encoded.js';
import type { Executable } from './executable.js';

/**
 * Returns the error of a run that failed. If a result is NaN or infinite, evaluates the nodes of the instruction again,
 * to name the first node whose value is not finite. If this finds no such node, the error names all nodes of the
 * instruction.
 * @param status the instruction whose result is NaN or infinite, or the index that is out of range
 */
export function failedRun(
  { encoded, bindings }: Executable,
  feeds: ReadonlyMap<Input, { readonly data: TypedArray }>,
  status: RunStatus,
  run: number,
): ForebayError {
  if (typeof status !== 'number') return outOfRange(encoded, status, run);
  const nodes = encoded.nodes[status] ?? [];
  const found = nodes.length > 0 ? firstNotFinite(nodes, feeds, bindings, run) : undefined;
  const what = found
    ? describeNotFinite(found)
    : `a result of ${namesOf(encoded, status)} is NaN or infinite`;
  return new NumericError(`run ${run}: ${what}; the run has written nothing`);
}

/**
 * Returns the error of a run in which an index is out of range. It names the nodes of the instruction, the index, the
 * axis and the bound.
 */
export function outOfRange(encoded: Encoded, failure: IndexFailure, run: number): ValueError {
  const what = namesOf(encoded, failure.instruction);
  const [node] = encoded.nodes[failure.instruction] ?? [];
  const message = describeIndex(failure);
  const why = node === undefined ? message : describeOutOfRange(node, failure, message);
  return new ValueError(`run ${run}: ${what}: ${why}; the run has written nothing`);
}

/** Returns the nodes of an instruction as text. */
function namesOf({ nodes }: Pick<Encoded, 'nodes'>, instruction: number): string {
  const own = nodes[instruction] ?? [];
  return own.length > 0 ? own.map(describeNode).join(' ') : `instruction ${instruction}`;
}
