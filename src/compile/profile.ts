/** The profile of a run: the time of each instruction. */

import type { Encoded } from './encoded.js';

/** One instruction of a profile. `console.table` prints a list of them well. */
export interface ProfileRow {
  /** The index of the instruction in the order of execution. */
  readonly instruction: number;
  /**
   * The kind of the instruction: `product`, `packed product`, `batch product`, `pack`, `group` (element-wise),
   * `row group` (element-wise, with reductions of rows), `reduce`, `random`, `routine`, `copy` or `loop`.
   */
  readonly kind: string;
  /** The nodes that the instruction computes, such as `[matmul 'scores'] [add #4]`. */
  readonly nodes: string;
  /**
   * Whether the instruction runs only once: it depends only on the option `constants` of `compile` and on constants. It
   * runs in the first run, and in the first run after a variable of `constants` has changed.
   */
  readonly once: boolean;
  /**
   * The number of times that this run has executed the instruction. It is 1 outside of loops, and 0 if the results were
   * kept. In a loop, it is the number of steps of the loop, multiplied by those of the loops around it.
   */
  readonly executions: number;
  /**
   * The time of the instruction in this run, in microseconds, of all its executions together. The time of a loop is
   * without the time of its instructions, which have rows of their own.
   */
  readonly microseconds: number;
  /** The time of the instruction as a fraction of the sum of the times of all instructions, from 0 to 1. */
  readonly share: number;
}

// A row shows at most this many nodes. An Adam update of all parameters is one instruction, which may compute a hundred
// nodes.
const shownNodes = 6;

/**
 * Returns the rows of the profile; the slowest instruction is the first.
 * @param nanoseconds the time of each instruction; -1 if it was not executed
 */
export function profileRows(
  { kinds, nodes, trips, loops, kept }: Encoded,
  nanoseconds: Float64Array,
): ProfileRow[] {
  const times = nanoseconds.map((time) => Math.max(0, time));
  for (const [instruction, loop] of loops.entries()) {
    if (loop >= 0)
      times[loop] = (times[loop] as number) - Math.max(0, nanoseconds[instruction] as number);
  }
  const total = times.reduce((sum, time) => sum + Math.max(0, time), 0);
  const rows = nodes.map((computed, instruction) => {
    const measured = nanoseconds[instruction] as number;
    const time = Math.max(0, times[instruction] as number);
    const more = computed.length > shownNodes ? ` and ${computed.length - shownNodes} more` : '';
    return {
      instruction,
      kind: kinds[instruction] as string,
      nodes: `${computed.slice(0, shownNodes).join(' ')}${more}`,
      once: instruction < (kept?.instructions ?? 0),
      executions: measured < 0 ? 0 : (trips[instruction] as number),
      microseconds: time / 1000,
      share: total === 0 ? 0 : time / total,
    };
  });
  return rows.sort((a, b) => b.microseconds - a.microseconds);
}
