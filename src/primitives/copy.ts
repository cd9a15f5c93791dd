/** The instruction that copies the elements of one location to another. */

import type { Node } from '../graph/node.js';
import type { Location } from '../ir/location.js';
import { dtypeCodes } from '../native/table.js';
import type { InstructionRecord } from './record.js';

export interface CopyInstruction {
  readonly kind: 'copy';
  readonly nodes: readonly Node[];
  readonly from: Location;
  readonly to: Location;
}

export const copyInstruction: InstructionRecord<CopyInstruction> = {
  opcodes: { copy: 8 },
  reads: ({ from }) => [[from]],
  writes: ({ to }) => [[to]],
  inPlace: () => [],
  encode: ({ from, to }, code) => {
    code.push(dtypeCodes[from.memory.dtype], from.shape.length, ...from.shape);
    code.at(from);
    code.push(...from.strides);
    code.at(to);
    code.push(...to.strides);
    return copyInstruction.opcodes.copy as number;
  },
  varies: () => false,
  counted: () => ({}),
};
