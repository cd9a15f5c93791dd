/** The error of a run in which an index is out of range. */

import { ValueError } from '../errors.js';
import { describeIndex, type IndexFailure } from '../native/program.js';
import type { Encoded } from './encoded.js';

/** Returns the error of a run that failed. It names the nodes of the instruction, the index, the axis and the bound. */
export function outOfRange({ nodes }: Encoded, failure: IndexFailure, run: number): ValueError {
  const of = nodes[failure.instruction] ?? [];
  const what = of.length > 0 ? of.join(' ') : `instruction ${failure.instruction}`;
  return new ValueError(
    `run ${run}: ${what}: ${describeIndex(failure)}; the run has written nothing`,
  );
}
