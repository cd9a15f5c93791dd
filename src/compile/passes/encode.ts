/** Encode: writes the instructions as a list of numbers, which the native executor checks and runs. */

import { type Constant, Input, type Leaf, Variable } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import type { Draw, Location, Memory } from '../../ir/location.js';
import { executor } from '../../ir/target.js';
import { count } from '../../ir/view.js';
import { kernelId } from '../../native/addon.js';
import { dtypeCodes } from '../../native/table.js';
import { type Instruction, instructionNames, instructionRecord } from '../../primitives/index.js';
import type { LoopStep } from '../../primitives/loop.js';
import type { CodeWriter, LoopCodeWriter } from '../../primitives/record.js';
import { bytesOf } from '../../tensor/dtype.js';
import type { Encoded } from '../encoded.js';
import { type Arena, locationsOf } from './arena.js';
import { CodeBuffer } from './code-buffer.js';
import type { Instructions } from './instruct.js';
import { describeKept } from './kept-key.js';

const { version, buffers: bufferKinds } = executor.encoding;

export function encode(
  instructions: Instructions,
  arena: Arena,
  pace: Pace,
): Sliced<Omit<Encoded, 'stats'>> {
  return new Encoder(instructions, arena, pace).encoded();
}

class Encoder implements CodeWriter, LoopCodeWriter {
  readonly loops = this;
  /** The index of the buffer of each leaf, and of each draw that has no memory. */
  readonly #buffers = new Map<Leaf | Draw, number>();
  /** The index of the buffer of each memory that moves from step to step of a loop. */
  readonly #windows = new Map<Memory, number>();
  /** Where the memories of the values within the steps of loops are: at an offset in another memory, in bytes. */
  readonly #within = new Map<Memory, { readonly outer: Location; readonly offset: number }>();
  readonly #leaves: (Variable | Constant)[] = [];
  readonly #feeds: Input[] = [];
  readonly #kinds: string[] = [];
  readonly #nodes: (readonly Node[])[] = [];
  readonly #trips: number[] = [];
  readonly #loops: number[] = [];
  /** The index of the loop whose body is written. */
  #loop = -1;
  /** The index of the buffer of each output that is computed in the caller's memory, by the index of the output. */
  readonly #direct = new Map<number, number>();
  /** The index of the buffer of kept values, if there is one. */
  readonly #keptBuffer: number;
  /** The kind and the number of bytes of each buffer. A draw has more numbers. */
  readonly #declared: number[] = [];
  #bufferCount = 0;
  readonly #code = new CodeBuffer();

  constructor(
    private readonly instructions: Instructions,
    private readonly arena: Arena,
    readonly pace: Pace,
  ) {
    this.#buffer(bufferKinds.arena, arena.bytes);
    for (const index of arena.direct.values()) {
      if (this.#direct.has(index)) continue;
      const { memory } = instructions.outputs[index] as Location;
      this.#direct.set(
        index,
        this.#buffer(bufferKinds.output, memory.length * bytesOf[memory.dtype]),
      );
    }
    this.#keptBuffer = this.#bufferCount;
    if (arena.keptBytes > 0) this.#buffer(bufferKinds.kept, arena.keptBytes);
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
    for (const { memory, offset, shape } of outputs) {
      this.push(dtypeCodes[memory.dtype], count(shape));
      this.at({ memory, offset });
      if (this.pace.due()) yield;
    }
    for (let i = 0; i < list.length; i++) yield* this.#instruction(list[i] as Instruction, 1, -1);
    // If nothing is kept, nothing can run once.
    const onceCount = this.arena.keptBytes > 0 ? this.instructions.onceCount : 0;
    const buffers = this.#bufferCount;
    const header = [version, buffers, list.length, writeStart, outputs.length, onceCount];
    for (const number of this.#declared) header.push(number);
    return {
      code: yield* this.#code.after(header, this.pace),
      leaves: this.#leaves,
      feeds: this.#feeds,
      outputs: outputs.map(({ shape, memory: { dtype } }) => ({ shape, dtype })),
      kinds: this.#kinds,
      nodes: this.#nodes,
      trips: this.#trips,
      loops: this.#loops,
      kept:
        onceCount === 0
          ? undefined
          : yield* describeKept(list.slice(0, onceCount), this.arena, this.pace),
    };
  }

  /** Makes a buffer, and returns its index. */
  #buffer(...numbers: readonly number[]): number {
    this.#declared.push(...numbers);
    return this.#bufferCount++;
  }

  /** If the memory belongs to a leaf or is a draw, makes a buffer for it, unless it has one. */
  #declare({ leaf, draw, length, dtype }: Memory): void {
    const bytes = length * bytesOf[dtype];
    if (draw && !this.#buffers.has(draw)) {
      const { kernel, seed } = draw;
      const drawn = [kernelId('random', kernel), dtypeCodes[dtype], seed];
      this.#buffers.set(draw, this.#buffer(bufferKinds.draw, bytes, ...drawn));
    }
    if (!leaf || this.#buffers.has(leaf)) return;
    if (leaf instanceof Input) this.#feeds.push(leaf);
    else this.#leaves.push(leaf as Variable | Constant);
    const kind =
      leaf instanceof Input ? 'feed' : leaf instanceof Variable ? 'variable' : 'constant';
    this.#buffers.set(leaf, this.#buffer(bufferKinds[kind], bytes));
  }

  push(...numbers: readonly number[]): void {
    for (let i = 0; i < numbers.length; i++) this.#code.push(numbers[i] as number);
  }

  windowOf(memory: Memory): number {
    const known = this.#windows.get(memory);
    if (known !== undefined) return known;
    const made = this.#buffer(bufferKinds.window, memory.length * bytesOf[memory.dtype]);
    this.#windows.set(memory, made);
    return made;
  }

  within(outer: Location, offsets: ReadonlyMap<Memory, number>): void {
    for (const [memory, offset] of offsets) this.#within.set(memory, { outer, offset });
  }

  at({ memory, offset }: Pick<Location, 'memory' | 'offset'>): void {
    this.#at(memory, offset * bytesOf[memory.dtype]);
  }

  #at(memory: Memory, bytes: number): void {
    const within = this.#within.get(memory);
    if (within) {
      this.#at(within.outer.memory, within.offset + bytes);
      return;
    }
    if (memory.window) {
      this.#placed(this.windowOf(memory), bytes);
      return;
    }
    const direct = this.arena.direct.get(memory);
    const kept = this.arena.kept.get(memory);
    const declared = memory.leaf ?? memory.draw;
    if (declared) this.#placed(this.#buffers.get(declared) as number, bytes);
    else if (kept !== undefined) this.#placed(this.#keptBuffer, kept + bytes);
    else if (direct !== undefined) this.#placed(this.#direct.get(direct) as number, bytes);
    else this.#placed(0, (this.arena.offsets.get(memory) ?? 0) + bytes);
  }

  #placed(buffer: number, offset: number): void {
    this.#code.push(buffer);
    this.#code.push(offset);
  }

  *step({ first, end, instruction }: LoopStep): Sliced<void> {
    this.push(first, end);
    const loop = this.#loop;
    const trips = (this.#trips[loop] as number) * (end - first);
    yield* this.#instruction(instruction, trips, loop);
    this.#loop = loop;
  }

  *#instruction(instruction: Instruction, trips: number, loop: number): Sliced<void> {
    const code = this.#code;
    const start = code.length;
    // The instructions of the body of a loop follow the loop.
    const index = this.#nodes.push(instruction.nodes) - 1;
    this.#trips.push(trips);
    this.#loops.push(loop);
    this.#loop = index;
    code.push(0); // the opcode
    code.push(0); // the length
    const encoded = instructionRecord(instruction).encode(instruction, this);
    const opcode = typeof encoded === 'number' ? encoded : yield* encoded;
    this.#kinds[index] = instructionNames.get(opcode) as string;
    code.set(start, opcode);
    code.set(start + 1, code.length - start);
    if (this.pace.due(1 + ((code.length - start) >> 4))) yield;
  }
}
