/** Describes the values that are kept from run to run, so that programs that compute the same values can share them. */

import { Variable } from '../../graph/leaf.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import type { Location, Memory } from '../../ir/location.js';
import { type Instruction, instructionRecord } from '../../primitives/index.js';
import type { CodeWriter } from '../../primitives/record.js';
import { bytesOf } from '../../tensor/dtype.js';
import type { EncodedKept } from '../encoded.js';
import type { Arena } from './arena.js';

// In a key, three numbers stand for a location: one of these, the number of the leaf or of the memory, and the offset.
const [inLeaf, inKept, inArena] = [-1, -2, -3];

/** Writes instructions as `Encoder` does, but without the addresses that depend on the rest of the program. */
class KeyWriter implements CodeWriter {
  readonly variables = new Set<Variable>();
  readonly numbers: number[] = [];
  /** Loops do not run once. */
  readonly loops = undefined;
  /** Numbers the memories whose contents are not kept. */
  readonly #memories = new Map<Memory, number>();

  constructor(
    private readonly arena: Arena,
    readonly pace: Pace,
  ) {}

  push(...numbers: readonly number[]): void {
    this.numbers.push(...numbers);
  }

  at({ memory, offset }: Pick<Location, 'memory' | 'offset'>): void {
    const { leaf, dtype } = memory;
    const bytes = offset * bytesOf[dtype];
    const kept = this.arena.kept.get(memory);
    if (leaf) {
      if (leaf instanceof Variable) this.variables.add(leaf);
      this.numbers.push(inLeaf, leaf.id, bytes);
    } else if (kept !== undefined) {
      this.numbers.push(inKept, 0, kept + bytes);
    } else {
      const number = this.#memories.get(memory) ?? this.#memories.size;
      this.#memories.set(memory, number);
      this.numbers.push(inArena, number, bytes);
    }
  }
}

/** @param list the instructions that run once */
export function* describeKept(
  list: readonly Instruction[],
  arena: Arena,
  pace: Pace,
): Sliced<EncodedKept> {
  const parts: string[] = [`${arena.keptBytes}`];
  const writer = new KeyWriter(arena, pace);
  for (const instruction of list) {
    writer.numbers.length = 0;
    const opcode = instructionRecord(instruction).encode(instruction, writer);
    const code = typeof opcode === 'number' ? opcode : yield* opcode;
    parts.push(`${code}: ${writer.numbers.join()}`);
    if (pace.due(1 + (writer.numbers.length >> 4))) yield;
  }
  return {
    bytes: arena.keptBytes,
    instructions: list.length,
    variables: [...writer.variables],
    key: parts.join(';'),
  };
}
