/** The instruction that runs a list of instructions once in each step of a loop. */

import type { Node } from '../graph/node.js';
import type { Sliced } from '../graph/sliced.js';
import { defect } from '../ir/defect.js';
import type { Location, Memory, MovingWindow } from '../ir/location.js';
import { bytesOf } from '../tensor/dtype.js';
import type { Instruction } from './index.js';
import type { CodeWriter, InstructionRecord } from './record.js';

export interface LoopInstruction {
  readonly kind: 'loop';
  readonly nodes: readonly Node[];
  /** The number of steps. */
  readonly count: number;
  /** The memories that move from step to step. */
  readonly windows: readonly Memory[];
  /** The instructions of a step, each with the first of the steps in which it runs, and the step after the last. */
  readonly body: readonly LoopStep[];
  /** The memory of the values that are used within a step, and the offset of each memory in it, in bytes. */
  readonly scratch: Location;
  readonly offsets: ReadonlyMap<Memory, number>;
  /** The memories outside of the loop that it reads, and those that it writes. */
  readonly reads: readonly Location[];
  readonly writes: readonly Location[];
}

export interface LoopStep {
  readonly first: number;
  readonly end: number;
  readonly instruction: Instruction;
}

const opcode = 11;

export const loopInstruction: InstructionRecord<LoopInstruction> = {
  opcodes: { loop: opcode },
  reads: ({ reads }) => [reads],
  writes: ({ writes, scratch }) => [writes, [scratch]],
  inPlace: () => [],
  encode: (instruction, code) => encodeLoop(instruction, code),
  varies: () => true,
  counted: () => ({}),
  body: ({ body }) => body,
};

function* encodeLoop(
  { count, windows, body, scratch, offsets }: LoopInstruction,
  code: CodeWriter,
): Sliced<number> {
  const { loops } = code;
  if (!loops) throw defect('a loop where there can be none');
  loops.within(scratch, offsets);
  code.push(count, windows.length);
  for (const memory of windows) {
    const { memory: parent, offset, by, period } = memory.window as MovingWindow;
    code.push(loops.windowOf(memory));
    code.at({ memory: parent, offset });
    code.push(by * bytesOf[memory.dtype], period);
  }
  code.push(body.length);
  for (const step of body) yield* loops.step(step);
  return opcode;
}
