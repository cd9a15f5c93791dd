/** The profile of a run: the time of each instruction. */

import { instructionNames } from '../primitives/index.js';
import type { Encoded } from './encoded.js';

/** One instruction of a profile. `console.table` prints a list of them well. */
export interface ProfileRow {
  /** The index of the instruction in the order of execution. */
  readonly instruction: number;
  /**
   * The kind of the instruction: `product`, `packed product`, `batch product`, `pack`, `group` (element-wise),
   * `row group` (element-wise, with reductions of rows), `reduce`, `random` or `copy`.
   */
  readonly kind: string;
  /** The nodes that the instruction computes, such as `[matmul 'scores'] [add #4]`. */
  readonly nodes: string;
  /** The time of the instruction in this run, in microseconds. */
  readonly microseconds: number;
  /** The time of the instruction as a fraction of the sum of the times of all instructions, from 0 to 1. */
  readonly share: number;
}

const headerLength = 6;
// A row shows at most this many nodes. An Adam update of all parameters is one instruction, which may compute a hundred
// nodes.
const shownNodes = 6;

/** Returns the rows of the profile; the slowest instruction is the first. */
export function profileRows({ code, nodes }: Encoded, nanoseconds: Float64Array): ProfileRow[] {
  const total = nanoseconds.reduce((sum, time) => sum + time, 0);
  const [buffers, outputs] = [code[1] as number, code[4] as number];
  let position = headerLength + 2 * buffers + 4 * outputs;
  const rows = nodes.map((computed, instruction) => {
    const kind = instructionNames.get(code[position] as number) as string;
    position += code[position + 1] as number;
    const time = nanoseconds[instruction] as number;
    const more = computed.length > shownNodes ? ` and ${computed.length - shownNodes} more` : '';
    return {
      instruction,
      kind,
      nodes: `${computed.slice(0, shownNodes).join(' ')}${more}`,
      microseconds: time / 1000,
      share: total === 0 ? 0 : time / total,
    };
  });
  return rows.sort((a, b) => b.microseconds - a.microseconds);
}
