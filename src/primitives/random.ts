/** Random numbers. Each is a pure function of the seed, the index of the run and the index of the element. */

import type { Lowering } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import type { Location } from '../ir/location.js';
import { count } from '../ir/view.js';
import { kernelFacts, kernelId } from '../native/addon.js';
import { prepareRandom } from '../native/kernels.js';
import { dtypeCodes } from '../native/table.js';
import type { InstructionRecord, LoweringRecord, ValueRecord } from './record.js';

export const random: LoweringRecord<Extract<Lowering, { kind: 'random' }>> = {
  expand: undefined,
  step: ({ kernel, seed }, { attributes }) => {
    const draw = prepareRandom(kernel, seed(attributes));
    return (out, _inputs, run) => draw(out, run);
  },
  lower: ({ kernel, seed }, { build, node, bound: { shape, attributes } }) =>
    build.make({
      kind: 'random',
      dtype: node.dtype,
      shape,
      args: [],
      details: { kernel, seed: seed(attributes) },
      node,
    }),
};

export const randomValue: ValueRecord = {
  rebuild: (build, value, args) => build.make({ ...value, args }),
  fusing: undefined,
  arrange: 'fixed',
  part: undefined,
  instruct: (value, writer, nodes) => {
    const { kernel, seed } = value.details;
    const to = writer.locationOf(value);
    writer.emit({ kind: 'random', kernel: kernel as string, seed: seed as number, to, nodes });
  },
  reads: () => true,
  writes: () => false,
  onto: () => undefined,
  drawn: ({ dtype, details: { kernel, seed } }) => ({
    draw: { kernel: kernel as string, seed: seed as number },
    cheap: kernelFacts('random', kernel as string).cheap.includes(dtype),
  }),
  prepared: undefined,
  updates: () => undefined,
  varies: true,
};

export interface RandomInstruction {
  readonly kind: 'random';
  readonly nodes: readonly Node[];
  readonly kernel: string;
  readonly seed: number;
  readonly to: Location;
}

export const randomInstruction: InstructionRecord<RandomInstruction> = {
  opcodes: { random: 7 },
  reads: () => [],
  writes: ({ to }) => [[to]],
  inPlace: () => [],
  encode: ({ kernel, seed, to }, code) => {
    code.push(kernelId('random', kernel), dtypeCodes[to.memory.dtype], seed, count(to.shape));
    code.at(to);
    return randomInstruction.opcodes.random as number;
  },
  varies: () => true,
  counted: () => ({}),
};
