/** The profile of a run: where its time went. */

import type { Encoded } from './encoded.js';

/** One instruction; a list of them prints well with console.table. */
export interface ProfileRow {
  /** Its place in the order of execution. */
  readonly instruction: number;
  /** `product`, `packed product`, `batch product`, `pack`, `group` (element-wise), `reduce`, `random` or `copy`. */
  readonly kind: string;
  /** What it computes, as in `[matmul 'scores'] [add #4]`. */
  readonly nodes: string;
  /** How long it took in this run. */
  readonly microseconds: number;
  /** Of the whole run's time, from 0 to 1. */
  readonly share: number;
}

// By opcode, as native/program has them.
const kinds = [
  'unknown',
  'group',
  'product',
  'pack',
  'packed product',
  'reduce',
  'batch product',
  'random',
  'copy',
] as const;

const headerLength = 6;
// An Adam step over all parameters is one instruction of a hundred nodes.
const shownNodes = 6;

/** The rows, what took longest first. */
export function profileRows({ code, nodes }: Encoded, nanoseconds: Float64Array): ProfileRow[] {
  const total = nanoseconds.reduce((sum, time) => sum + time, 0);
  const [buffers, outputs] = [code[1] as number, code[4] as number];
  let position = headerLength + 2 * buffers + 4 * outputs;
  const rows = nodes.map((computed, instruction) => {
    const kind = kinds[code[position] as number] ?? kinds[0];
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
