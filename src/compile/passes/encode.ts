/** Encode: writes the instructions as a list of numbers, which the native executor checks and runs. */

import { type Constant, Input, type Leaf, Variable } from '../../graph/leaf.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import { kernelId } from '../../native/addon.js';
import { dtypeCodes } from '../../native/table.js';
import { bytesOf } from '../../tensor/dtype.js';
import type { Encoded } from '../encoded.js';
import { count } from '../ir/view.js';
import { type Arena, locationsOf } from './arena.js';
import type {
  BatchInstruction,
  GroupInstruction,
  Instruction,
  Instructions,
  ProductInstruction,
  ReduceInstruction,
} from './instruction.js';
import type { Location, Memory } from './place.js';

/** The version of the format. The version and the codes below must be the same as in native/program/code.h. */
const version = 1;
export const opcodes = {
  group: 1,
  product: 2,
  pack: 3,
  packedProduct: 4,
  reduce: 5,
  batch: 6,
  random: 7,
  copy: 8,
} as const;
// The code is copied in pieces of this many numbers. Copying a piece takes microseconds.
const pieceLength = 4096;
const bufferKinds = { arena: 0, variable: 1, constant: 2, feed: 3 } as const;

export function encode(
  instructions: Instructions,
  arena: Arena,
  pace: Pace,
): Sliced<Omit<Encoded, 'stats'>> {
  return new Encoder(instructions, arena, pace).encoded();
}

class Encoder {
  /** The index of the buffer of each leaf. */
  readonly #buffers = new Map<Leaf, number>();
  readonly #leaves: (Variable | Constant)[] = [];
  readonly #feeds: Input[] = [];
  /** The kind and the number of bytes of each buffer. */
  readonly #declared: number[];
  /** The code, divided into chunks, because a single array that grows to millions of numbers is copied many times. */
  readonly #chunks: number[][] = [];
  /** The chunk that is being written. */
  #code: number[] = [];

  constructor(
    private readonly instructions: Instructions,
    private readonly arena: Arena,
    private readonly pace: Pace,
  ) {
    this.#declared = [bufferKinds.arena, arena.bytes];
  }

  *encoded(): Sliced<Omit<Encoded, 'stats'>> {
    const { list, writeStart, outputs } = this.instructions;
    for (const instruction of list) {
      for (const locations of locationsOf(instruction)) {
        for (const { memory } of locations) this.#declare(memory);
        if (this.pace.due(1 + locations.length)) yield;
      }
    }
    for (const { memory } of outputs) this.#declare(memory);
    const header = [version, this.#declared.length / 2, list.length, writeStart, outputs.length, 0];
    this.#chunks.push(header, this.#declared);
    for (const { memory, offset, shape } of outputs) {
      this.#code.push(dtypeCodes[memory.dtype], count(shape), ...this.#at({ memory, offset }));
      if (this.pace.due()) yield;
    }
    this.#chunks.push(this.#code);
    for (const instruction of list) yield* this.#instruction(instruction);
    return {
      code: yield* this.#joined(),
      leaves: this.#leaves,
      feeds: this.#feeds,
      outputs: outputs.map(({ shape, memory: { dtype } }) => ({ shape, dtype })),
      nodes: list.map(({ nodes }) => nodes),
    };
  }

  /** Returns the chunks as one array. */
  *#joined(): Sliced<Float64Array> {
    const code = new Float64Array(this.#chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      for (let from = 0; from < chunk.length; from += pieceLength) {
        const piece = chunk.slice(from, from + pieceLength);
        code.set(piece, at);
        at += piece.length;
        if (this.pace.due(1 + (piece.length >> 8))) yield;
      }
    }
    return code;
  }

  /** If the memory belongs to a leaf, makes a buffer for the leaf, unless it has one. */
  #declare({ leaf, length, dtype }: Memory): void {
    if (!leaf || this.#buffers.has(leaf)) return;
    this.#buffers.set(leaf, this.#declared.length / 2);
    if (leaf instanceof Input) this.#feeds.push(leaf);
    else this.#leaves.push(leaf as Variable | Constant);
    const kind =
      leaf instanceof Input ? 'feed' : leaf instanceof Variable ? 'variable' : 'constant';
    this.#declared.push(bufferKinds[kind], length * bytesOf[dtype]);
  }

  /** Returns the index of the buffer in which a location is, and the offset of the location in bytes. */
  #at({ memory, offset }: Pick<Location, 'memory' | 'offset'>): [number, number] {
    const bytes = offset * bytesOf[memory.dtype];
    if (memory.leaf) return [this.#buffers.get(memory.leaf) as number, bytes];
    return [0, (this.arena.offsets.get(memory) ?? 0) + bytes];
  }

  *#instruction(instruction: Instruction): Sliced<void> {
    const code: number[] = [0, 0];
    this.#code = code;
    code[0] =
      instruction.kind === 'group' ? yield* this.#group(instruction) : this.#body(instruction);
    code[1] = code.length;
    this.#chunks.push(code);
    if (this.pace.due(1 + (code.length >> 4))) yield;
  }

  /** Writes the numbers of an instruction that follow its opcode and its length. @returns the opcode */
  #body(instruction: Exclude<Instruction, GroupInstruction>): number {
    const code = this.#code;
    switch (instruction.kind) {
      case 'product':
        return this.#product(instruction);
      case 'pack': {
        const { k, n, pieces, to } = instruction;
        code.push(dtypeCodes[to.memory.dtype], k, n, ...this.#at(to), pieces.length);
        for (const { row, column, from } of pieces) {
          const [height, width] = from.shape as readonly [number, number];
          code.push(row, column, height, width, ...this.#at(from), ...from.strides);
        }
        return opcodes.pack;
      }
      case 'reduce':
        return this.#reduce(instruction);
      case 'batch':
        return this.#batch(instruction);
      case 'random': {
        const { kernel, seed, to } = instruction;
        code.push(
          kernelId('random', kernel),
          dtypeCodes[to.memory.dtype],
          seed,
          count(to.shape),
          ...this.#at(to),
        );
        return opcodes.random;
      }
      case 'copy': {
        const { from, to } = instruction;
        code.push(dtypeCodes[from.memory.dtype], from.shape.length, ...from.shape);
        code.push(...this.#at(from), ...from.strides, ...this.#at(to), ...to.strides);
        return opcodes.copy;
      }
    }
  }

  *#group({ loads, operations, stores, closes, segments }: GroupInstruction): Sliced<number> {
    const code = this.#code;
    const registers = allocateRegisters(
      loads.length,
      operations,
      [...stores, ...closes].map(({ register }) => register),
    );
    const rank = segments.reduce((most, { shape }) => Math.max(most, shape.length), 0);
    code.push(
      segments.length,
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
      const from = [0, 1, 2].map((slot) =>
        slot < operands.length ? registers.of(operands[slot] as number) : -1,
      );
      const id = kernelId(converts ? 'cast' : 'map', kernel);
      code.push(id, dtypeCodes[dtype], registers.of(loads.length + i), ...from);
    });
    for (const { dtype, register } of [...stores, ...closes])
      code.push(dtypeCodes[dtype], registers.of(register));
    for (const { shape, loads: from, stores: to, closes: into } of segments) {
      const missing = rank - shape.length;
      const ones = new Array<number>(missing).fill(1);
      const zeros = new Array<number>(missing).fill(0);
      code.push(...ones, ...shape);
      for (const location of [...from, ...to])
        code.push(...this.#at(location), ...zeros, ...location.strides);
      for (const location of into) code.push(...this.#at(location));
      if (this.pace.due(1 + from.length + to.length)) yield;
    }
    return opcodes.group;
  }

  #product({ m, n, k, a, b, c, accumulates, packed }: ProductInstruction): number {
    const code = this.#code;
    code.push(
      dtypeCodes[c.memory.dtype],
      m,
      n,
      k,
      Number(accumulates),
      ...this.#at(a),
      ...a.strides,
    );
    code.push(...this.#at(b));
    if (!packed) code.push(...b.strides);
    // A matrix of one row may have any stride between rows, so n, which is valid, is written instead.
    code.push(...this.#at(c), m === 1 ? n : (c.strides[0] as number));
    return packed ? opcodes.packedProduct : opcodes.product;
  }

  #reduce({ kernel, kept, from, to }: ReduceInstruction): number {
    const code = this.#code;
    code.push(
      kernelId('reduce', kernel),
      dtypeCodes[from.memory.dtype],
      kept,
      from.shape.length - kept,
      ...from.shape,
    );
    code.push(...this.#at(to), ...to.strides, ...this.#at(from), ...from.strides);
    return opcodes.reduce;
  }

  #batch({ a, b, c }: BatchInstruction): number {
    const batch = c.shape.slice(0, -2);
    const [m, n] = c.shape.slice(-2) as [number, number];
    const k = a.shape.at(-1) as number;
    const [left, right] = [storedAs(a), storedAs(b)];
    const code = this.#code;
    code.push(dtypeCodes[c.memory.dtype], 0, batch.length, ...batch, m, n, k);
    code.push(Number(left.transposed), Number(right.transposed), left.leading, right.leading, n);
    for (const location of [a, b, c])
      code.push(...this.#at(location), ...location.strides.slice(0, -2));
    return opcodes.batch;
  }
}

/** Returns the arguments with which BLAS reads a matrix: whether it is transposed, and its leading dimension. */
function storedAs({ shape, strides }: Location): { transposed: boolean; leading: number } {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const [down, across] = strides.slice(-2) as [number, number];
  const transposed = !(
    (columns <= 1 || across === 1) &&
    (rows <= 1 || down >= Math.max(1, columns))
  );
  const leading = transposed ? Math.max(across, rows) : Math.max(down, columns);
  return { transposed, leading: Math.max(1, leading) };
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
    for (const operand of new Set(operands))
      if (last[operand] === time) free.push(assigned[operand] as number);
    const own = free.pop() ?? registers++;
    assigned.push(own);
    if (last[loads + time] === -1) free.push(own);
  });
  return { count: registers, of: (value: number) => assigned[value] as number };
}
