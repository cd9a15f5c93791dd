/**
 * The instruction that computes fused loops over whole rows. Values are numbered: loads first, then the results of the
 * operations, in their order. A value is full (it has an element for each element of the loop), or has one element for
 * each row. The executor works in phases. A phase computes full values, and then reduces rows to single elements, which
 * the next phases read.
 */

import type { Node } from '../graph/node.js';
import type { Sliced } from '../graph/sliced.js';
import { kernelId } from '../native/addon.js';
import { dtypeCodes } from '../native/table.js';
import type { DType } from '../tensor/dtype.js';
import { type LoopOperands, type Operation, type Result, recordOfLoops } from './group.js';
import type { CodeWriter, InPlace, InstructionRecord } from './record.js';

export interface RowLoad {
  readonly dtype: DType;
  /** True if the load has one element for each row. */
  readonly perRow: boolean;
}

/** A sum over all elements of a value, or over its rows (then it has a result for each column). */
export interface RowClose extends Result {
  readonly columns: boolean;
}

/** Fused loops over whole rows that differ only in the locations of their operands. */
export interface RowsInstruction {
  readonly kind: 'rows';
  readonly nodes: readonly Node[];
  readonly loads: readonly RowLoad[];
  readonly operations: readonly Operation[];
  readonly stores: readonly Result[];
  readonly closes: readonly RowClose[];
  readonly segments: readonly RowSegment[];
}

/** The sizes and the locations of one loop. The shape of a location is that of the rows, then the number of columns. */
export interface RowSegment extends LoopOperands {
  readonly rows: readonly number[];
  readonly columns: number;
}

const opcode = 10;

export const rowsInstruction: InstructionRecord<RowsInstruction> = {
  ...recordOfLoops,
  opcodes: { 'row group': opcode },
  *inPlace(instruction): Generator<InPlace> {
    const safe = safeReads(instruction);
    for (const { stores, loads } of instruction.segments) {
      for (const [i, write] of stores.entries()) {
        yield { write, reads: loads.filter((_, load) => safe[i]?.has(load)) };
      }
    }
  },
  encode: encoded,
};

function* encoded(instruction: RowsInstruction, code: CodeWriter): Sliced<number> {
  const { loads, operations, stores, closes, segments } = instruction;
  const rank = segments.reduce((most, { rows }) => Math.max(most, rows.length), 0);
  code.push(segments.length, rank, loads.length, operations.length, stores.length, closes.length);
  for (const { dtype, perRow } of loads) code.push(dtypeCodes[dtype], Number(perRow));
  for (const { kernel, converts, reduces, dtype, operands } of operations) {
    const id = kernelId(reduces ? 'reduce' : converts ? 'cast' : 'map', kernel);
    code.push(id, dtypeCodes[dtype], ...[0, 1, 2].map((slot) => operands[slot] ?? -1));
  }
  for (const { dtype, register } of stores) code.push(dtypeCodes[dtype], register);
  for (const { dtype, register, columns } of closes)
    code.push(Number(columns), dtypeCodes[dtype], register);
  for (const { rows, columns, loads: from, stores: to, closes: into } of segments) {
    const missing = rank - rows.length;
    code.push(...new Array<number>(missing).fill(1), ...rows, columns);
    const zeros = new Array<number>(missing).fill(0);
    for (const location of [...from, ...to]) {
      code.at(location);
      code.push(...zeros, ...location.strides);
    }
    for (const location of into) {
      code.at(location);
      code.push(location.strides[0] ?? 0);
    }
    if (code.pace.due(1 + from.length + to.length)) yield;
  }
  return opcode;
}

/** The operations of a loop over whole rows, without the names of their kernels. */
type Steps = readonly { readonly operands: readonly number[]; readonly reduces: boolean }[];

export interface RowPhases {
  /** For each value, whether it has one element for each row. */
  readonly perRow: readonly boolean[];
  /** For each value, the first phase in which operations can read it. */
  readonly available: readonly number[];
}

/** Returns the phases of a loop over whole rows. `loads` says which loads have one element for each row. */
export function phasesOf(loads: readonly boolean[], steps: Steps): RowPhases {
  const perRow = [...loads];
  const available = loads.map(() => 0);
  for (const { operands, reduces } of steps) {
    const phase = Math.max(0, ...operands.map((operand) => available[operand] as number));
    perRow.push(reduces || operands.every((operand) => perRow[operand]));
    available.push(reduces ? phase + 1 : phase);
  }
  return { perRow, available };
}

/**
 * Returns, for each store, the loads that the executor has read for the last time when it writes the store. A load can
 * be read in several phases, and the reductions of a phase follow its other operations.
 */
function safeReads({ loads, operations, stores, closes }: RowsInstruction): Set<number>[] {
  const steps = operations.map(({ operands, reduces = false }) => ({ operands, reduces }));
  const { perRow, available } = phasesOf(
    loads.map((load) => load.perRow),
    steps,
  );
  // The time of an operation is the phase and its position in the phase.
  const timeOf = (i: number): [number, number] => {
    const phase = available[loads.length + i] as number;
    return steps[i]?.reduces ? [phase - 1, operations.length] : [phase, i];
  };
  const later = (a: [number, number], b: [number, number]) => a[0] - b[0] || a[1] - b[1];
  const last = loads.map((): [number, number] => [-1, 0]);
  for (const [i, { operands }] of operations.entries()) {
    for (const operand of operands) {
      const known = last[operand];
      if (known && later(timeOf(i), known) > 0) last[operand] = timeOf(i);
    }
  }
  // A load that is stored or summed is read at the end of phase 0.
  for (const { register } of [...stores, ...closes]) {
    if (
      register < loads.length &&
      later([0, operations.length], last[register] as [number, number]) > 0
    )
      last[register] = [0, operations.length];
  }
  return stores.map(({ register }) => {
    if (register < loads.length || perRow[register]) return new Set();
    const time = timeOf(register - loads.length);
    return new Set(
      loads.flatMap((load, i) =>
        !load.perRow && later(last[i] as [number, number], time) <= 0 ? [i] : [],
      ),
    );
  });
}
