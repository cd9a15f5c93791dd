/**
 * The records of all kinds: of lowerings, of values and of instructions. The reference executor and the passes of the
 * compiler look up the records here, and list no kinds themselves.
 */

import type { Lowering } from '../graph/lowering.js';
import type { Kind } from '../ir/value.js';
import { assembleValue, place } from './assemble.js';
import { compose } from './compose.js';
import { convolution } from './convolution.js';
import { type CopyInstruction, copyInstruction } from './copy.js';
import { extent } from './extent.js';
import { type GroupInstruction, groupInstruction } from './group.js';
import { leaf, leafValue } from './leaf.js';
import { type LoopInstruction, loopInstruction } from './loop.js';
import { cast, map, mapValue } from './map.js';
import { positions } from './positions.js';
import {
  type BatchInstruction,
  batchInstruction,
  batchValue,
  type PackInstruction,
  type ProductInstruction,
  packInstruction,
  product,
  productInstruction,
  productValue,
} from './product.js';
import { type RandomInstruction, random, randomInstruction, randomValue } from './random.js';
import type { InstructionRecord, LoweringRecord, ValueRecord } from './record.js';
import {
  columnSumValue,
  type ReduceInstruction,
  reduce,
  reduceInstruction,
  reduceValue,
} from './reduce.js';
import { result, resultValue } from './result.js';
import { type RoutineInstruction, routine, routineInstruction, routineValue } from './routine.js';
import { type RowsInstruction, rowsInstruction } from './rows.js';
import { scan, scanValue } from './scan.js';
import { accumulate, sumValue } from './sum.js';
import { alias, view } from './view.js';

/** An instruction of the executor. Its operands are locations in memories, which have no address in the arena yet. */
export type Instruction =
  | GroupInstruction
  | RowsInstruction
  | ProductInstruction
  | PackInstruction
  | ReduceInstruction
  | BatchInstruction
  | RandomInstruction
  | RoutineInstruction
  | LoopInstruction
  | CopyInstruction;

const lowerings: { readonly [L in Lowering as L['kind']]: LoweringRecord<L> } = {
  leaf,
  result,
  map,
  cast,
  accumulate,
  reduce,
  product,
  alias,
  view,
  place,
  random,
  extent,
  positions,
  routine,
  convolution,
  compose,
  scan,
};

const values: { readonly [K in Kind]: ValueRecord } = {
  leaf: leafValue,
  result: resultValue,
  map: mapValue,
  sum: sumValue,
  product: productValue,
  columnSum: columnSumValue,
  batch: batchValue,
  reduce: reduceValue,
  random: randomValue,
  assemble: assembleValue,
  routine: routineValue,
  scan: scanValue,
};

const instructions: { readonly [I in Instruction as I['kind']]: InstructionRecord<I> } = {
  group: groupInstruction,
  rows: rowsInstruction,
  product: productInstruction,
  pack: packInstruction,
  reduce: reduceInstruction,
  batch: batchInstruction,
  random: randomInstruction,
  routine: routineInstruction,
  copy: copyInstruction,
  loop: loopInstruction,
};

/** Returns the record of a lowering; undefined if its kind is unknown. */
export function loweringRecord({ kind }: Lowering): LoweringRecord<Lowering> | undefined {
  if (!Object.hasOwn(lowerings, kind)) return undefined;
  // The record of a kind takes lowerings of this kind. TypeScript cannot infer this for a computed key.
  return lowerings[kind] as LoweringRecord<Lowering>;
}

export function valueRecord({ kind }: { readonly kind: Kind }): ValueRecord {
  return values[kind];
}

export function instructionRecord({ kind }: Instruction): InstructionRecord<Instruction> {
  return instructions[kind] as InstructionRecord<Instruction>;
}

/** The name of each instruction in a profile, by its opcode. */
export const instructionNames: ReadonlyMap<number, string> = new Map(
  Object.values(instructions).flatMap(({ opcodes }) =>
    Object.entries(opcodes).map(([name, code]) => [code, name] as const),
  ),
);
