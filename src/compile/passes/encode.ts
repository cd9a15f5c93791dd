/** Encode: writes the instructions as a list of numbers, which the native executor checks and runs. */

import { type Constant, Input, type Leaf, Variable } from '../../graph/leaf.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import type { Location, Memory } from '../../ir/location.js';
import { executor } from '../../ir/target.js';
import { count } from '../../ir/view.js';
import { dtypeCodes } from '../../native/table.js';
import { type Instruction, instructionRecord } from '../../primitives/index.js';
import type { CodeWriter } from '../../primitives/record.js';
import { bytesOf } from '../../tensor/dtype.js';
import type { Encoded } from '../encoded.js';
import { type Arena, locationsOf } from './arena.js';
import type { Instructions } from './instruct.js';
import { describeKept } from './kept-key.js';

// The code is copied in pieces of this many numbers. Copying a piece takes microseconds.
const pieceLength = 4096;
const { version, buffers: bufferKinds } = executor.encoding;

export function encode(
  instructions: Instructions,
  arena: Arena,
  pace: Pace,
): Sliced<Omit<Encoded, 'stats'>> {
  return new Encoder(instructions, arena, pace).encoded();
}

class Encoder implements CodeWriter {
  /** The index of the buffer of each leaf. */
  readonly #buffers = new Map<Leaf, number>();
  readonly #leaves: (Variable | Constant)[] = [];
  readonly #feeds: Input[] = [];
  /** The index of the buffer of each output that is computed in the caller's memory, by the index of the output. */
  readonly #direct = new Map<number, number>();
  /** The index of the buffer of kept values, if there is one. */
  readonly #keptBuffer: number;
  /** The kind and the number of bytes of each buffer. */
  readonly #declared: number[];
  /** The code, divided into chunks, because a single array that grows to millions of numbers is copied many times. */
  readonly #chunks: number[][] = [];
  /** The chunk that is being written. */
  #code: number[] = [];

  constructor(
    private readonly instructions: Instructions,
    private readonly arena: Arena,
    readonly pace: Pace,
  ) {
    this.#declared = [bufferKinds.arena, arena.bytes];
    for (const index of arena.direct.values()) {
      if (this.#direct.has(index)) continue;
      const { memory } = instructions.outputs[index] as Location;
      this.#direct.set(index, this.#declared.length / 2);
      this.#declared.push(bufferKinds.output, memory.length * bytesOf[memory.dtype]);
    }
    this.#keptBuffer = this.#declared.length / 2;
    if (arena.keptBytes > 0) this.#declared.push(bufferKinds.kept, arena.keptBytes);
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
    const { keptBytes } = this.arena;
    // If nothing is kept, nothing can run once.
    const onceCount = keptBytes > 0 ? this.instructions.onceCount : 0;
    const header = [
      version,
      this.#declared.length / 2,
      list.length,
      writeStart,
      outputs.length,
      onceCount,
    ];
    this.#chunks.push(header, this.#declared);
    for (const { memory, offset, shape } of outputs) {
      this.push(dtypeCodes[memory.dtype], count(shape));
      this.at({ memory, offset });
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
      kept:
        onceCount === 0
          ? undefined
          : yield* describeKept(list.slice(0, onceCount), this.arena, this.pace),
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

  push(...numbers: readonly number[]): void {
    this.#code.push(...numbers);
  }

  at({ memory, offset }: Pick<Location, 'memory' | 'offset'>): void {
    const bytes = offset * bytesOf[memory.dtype];
    const direct = this.arena.direct.get(memory);
    const kept = this.arena.kept.get(memory);
    if (memory.leaf) this.#code.push(this.#buffers.get(memory.leaf) as number, bytes);
    else if (kept !== undefined) this.#code.push(this.#keptBuffer, kept + bytes);
    else if (direct !== undefined) this.#code.push(this.#direct.get(direct) as number, bytes);
    else this.#code.push(0, (this.arena.offsets.get(memory) ?? 0) + bytes);
  }

  *#instruction(instruction: Instruction): Sliced<void> {
    const code: number[] = [0, 0];
    this.#code = code;
    const opcode = instructionRecord(instruction).encode(instruction, this);
    code[0] = typeof opcode === 'number' ? opcode : yield* opcode;
    code[1] = code.length;
    this.#chunks.push(code);
    if (this.pace.due(1 + (code.length >> 4))) yield;
  }
}
