/**
 * The instruction that computes fused loops of element-wise operations. A loop works on one tile of the elements at a
 * time, and a register is a buffer that holds one tile. Register i holds load i. The registers after those of the loads
 * hold the results of the operations, in their order.
 */

import { constant } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Sliced } from '../graph/sliced.js';
import { type Location, windowAt } from '../ir/location.js';
import { kernelId } from '../native/addon.js';
import { dtypeCodes, type LaneType } from '../native/table.js';
import type { DType } from '../tensor/dtype.js';
import type { CodeWriter, InPlace, InstructionRecord, InstructionWriter } from './record.js';

/** One operation of a fused loop: an element-wise kernel that reads registers and writes its result to a register. */
export interface Operation {
  readonly kernel: string;
  /** True if the operation converts its operand. Its kernel is then the type of the result. */
  readonly converts: boolean;
  /** True if the operation reduces each row of its operand to one element. Its kernel is then a reduction. */
  readonly reduces?: boolean;
  /** The type of the operands; of the last operand, if the kernel selects by the first one. */
  readonly dtype: LaneType;
  /** The registers that the operation reads. */
  readonly operands: readonly number[];
}

/** A result of a loop that is written to memory, and the register from which it is written. */
export interface Result {
  readonly dtype: DType;
  readonly register: number;
}

/** Fused loops that differ only in the locations of their operands. */
export interface GroupInstruction {
  readonly kind: 'group';
  readonly nodes: readonly Node[];
  readonly loads: readonly DType[];
  readonly operations: readonly Operation[];
  readonly stores: readonly Result[];
  readonly closes: readonly Result[];
  readonly segments: readonly Segment[];
}

/** The locations of the operands of one loop. */
export interface LoopOperands {
  readonly loads: readonly Location[];
  readonly stores: readonly Location[];
  readonly closes: readonly Location[];
}

/** The shape and the locations of one loop of a group, or of the part of a loop that reads one block. */
export interface Segment extends LoopOperands {
  readonly shape: readonly number[];
  /** The axis that the sums keep: a close has an element for each of its indices. Undefined if closes have one element. */
  readonly keeps?: number | undefined;
}

interface Loops {
  readonly segments: readonly LoopOperands[];
}

/** The fields of the records of groups and row groups that are equal. */
export const recordOfLoops = {
  *reads({ segments }: Loops): Generator<readonly Location[]> {
    for (const { loads } of segments) yield loads;
  },
  *writes({ segments }: Loops): Generator<readonly Location[]> {
    for (const { stores, closes } of segments) {
      yield stores;
      yield closes;
    }
  },
  varies: () => false,
  counted: () => ({ group: true }),
};

const opcode = 1;

export const groupInstruction: InstructionRecord<GroupInstruction> = {
  ...recordOfLoops,
  opcodes: { group: opcode },
  *inPlace({ segments }): Generator<InPlace> {
    for (const { stores, loads } of segments) {
      for (const write of stores) yield { write, reads: loads };
    }
  },
  encode: encoded,
};

function* encoded(instruction: GroupInstruction, code: CodeWriter): Sliced<number> {
  const { loads, operations, stores, closes, segments } = instruction;
  const registers = allocateRegisters(
    loads.length,
    operations,
    [...stores, ...closes].map(({ register }) => register),
  );
  const rank = segments.reduce((most, { shape }) => Math.max(most, shape.length), 0);
  code.push(
    segments.reduce(
      (sum, { shape, keeps }) => sum + (keeps === undefined ? 1 : (shape[keeps] as number)),
      0,
    ),
    rank,
    registers.count,
    loads.length,
    operations.length,
    stores.length,
    closes.length,
  );
  loads.forEach((dtype, i) => {
    code.push(dtypeCodes[dtype], registers.of(i));
  });
  operations.forEach(({ kernel, converts, dtype, operands }, i) => {
    const from = (slot: number) =>
      slot < operands.length ? registers.of(operands[slot] as number) : -1;
    const id = kernelId(converts ? 'cast' : 'map', kernel);
    code.push(id, dtypeCodes[dtype], registers.of(loads.length + i));
    code.push(from(0), from(1), from(2));
  });
  for (const { dtype, register } of [...stores, ...closes])
    code.push(dtypeCodes[dtype], registers.of(register));
  for (const segment of segments) {
    for (const { shape, loads: from, stores: to, closes: into } of divided(segment)) {
      const missing = rank - shape.length;
      const pad = (number: number) => {
        for (let axis = 0; axis < missing; axis++) code.push(number);
      };
      const operand = (location: Location) => {
        code.at(location);
        pad(0);
        code.push(...location.strides);
      };
      pad(1);
      code.push(...shape);
      from.forEach(operand);
      to.forEach(operand);
      for (const location of into) code.at(location);
      if (code.pace.due(1 + from.length + to.length)) yield;
    }
  }
  return opcode;
}

/** Divides a segment whose sums keep an axis into one segment for each index, because the executor sums whole segments. */
function* divided(segment: Segment): Generator<Segment> {
  const { shape, keeps, loads, stores, closes } = segment;
  if (keeps === undefined) {
    yield segment;
    return;
  }
  const part = shape.map((size, axis) => (axis === keeps ? 1 : size));
  for (let index = 0; index < (shape[keeps] as number); index++) {
    const start = shape.map((_, axis) => (axis === keeps ? index : 0));
    const within = (location: Location) => windowAt(location, start, part);
    yield {
      shape: part,
      loads: loads.map(within),
      stores: stores.map(within),
      closes: closes.map((location) => windowAt(location, [index], [1])),
    };
  }
}

/**
 * Assigns a register, which is a buffer for one tile, to each load and to the result of each operation. When the last
 * operation that reads a register is reached, this operation and later ones can reuse the register. Registers in `kept`
 * are not reused, because they are stored at the end.
 */
function allocateRegisters(
  loads: number,
  operations: GroupInstruction['operations'],
  kept: readonly number[],
) {
  const last = new Array<number>(loads + operations.length).fill(-1);
  operations.forEach(({ operands }, time) => {
    for (const operand of operands) last[operand] = time;
  });
  for (const register of kept) last[register] = Number.POSITIVE_INFINITY;
  const assigned: number[] = [];
  const free: number[] = [];
  let registers = 0;
  for (let value = 0; value < loads; value++) assigned.push(registers++);
  operations.forEach(({ operands }, time) => {
    operands.forEach((operand, i) => {
      const repeated = operands.indexOf(operand) < i;
      if (!repeated && last[operand] === time) free.push(assigned[operand] as number);
    });
    const own = free.pop() ?? registers++;
    assigned.push(own);
    if (last[loads + time] === -1) free.push(own);
  });
  return { count: registers, of: (value: number) => assigned[value] as number };
}

/** Returns an instruction that fills a location with zeros. */
export function fill(
  to: Location,
  writer: InstructionWriter,
  nodes: readonly Node[],
): GroupInstruction {
  const { dtype } = to.memory;
  const zero = {
    memory: writer.leafMemory(constant(0, { dtype }), 1),
    offset: 0,
    shape: to.shape,
    strides: to.shape.map(() => 0),
  };
  return {
    kind: 'group',
    loads: [dtype],
    operations: [],
    stores: [{ dtype, register: 0 }],
    closes: [],
    segments: [{ shape: to.shape, loads: [zero], stores: [to], closes: [] }],
    nodes,
  };
}

/** Returns an instruction that adds the elements of `from` to the elements of `to`, in place. */
export function addition(from: Location, to: Location, nodes: readonly Node[]): GroupInstruction {
  const { dtype } = to.memory;
  return {
    kind: 'group',
    loads: [dtype, dtype],
    operations: [{ kernel: 'add', converts: false, dtype, operands: [0, 1] }],
    stores: [{ dtype, register: 2 }],
    closes: [],
    segments: [{ shape: to.shape, loads: [to, from], stores: [to], closes: [] }],
    nodes,
  };
}
