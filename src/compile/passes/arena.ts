/**
 * Arena: assigns an address to each memory. Memories that are not in use at the same time can have the same addresses.
 * The algorithm is greedy. It takes the memories from the largest to the smallest, and gives each the lowest address
 * that is free during the whole time in which the memory is used.
 */

import { type Pace, type Sliced, sorted } from '../../graph/sliced.js';
import type { Fired } from '../../ir/builder.js';
import type { Location, Memory } from '../../ir/location.js';
import { executor } from '../../ir/target.js';
import { count, equalLists } from '../../ir/view.js';
import { type Instruction, instructionRecord } from '../../primitives/index.js';
import { bytesOf } from '../../tensor/dtype.js';
import type { Instructions } from './instruct.js';
import { Occupied } from './occupied.js';

export interface Arena {
  readonly bytes: number;
  /** The offset of each memory in the arena, in bytes. */
  readonly offsets: ReadonlyMap<Memory, number>;
  /** The size of the memory of the values that are kept from run to run, and the offset of each memory in it. */
  readonly keptBytes: number;
  readonly kept: ReadonlyMap<Memory, number>;
  /** The memories that are not in the arena but in the caller's memory for an output: the index of the output. */
  readonly direct: ReadonlyMap<Memory, number>;
}

const { alignment, direct: directBytes } = executor.memory;

/** A memory of the arena, and the time in which it is used. A time is the index of an instruction. */
interface Span {
  readonly memory: Memory;
  readonly bytes: number;
  first: number;
  last: number;
  /** If this memory has the address of earlier memories (`mergeInPlace`), the span of the first of them. */
  inside: Span | undefined;
}

/** Yields the locations that an instruction reads, then the locations that it writes, in short lists. */
export function* locationsOf(instruction: Instruction): Generator<readonly Location[], void> {
  const { reads, writes } = instructionRecord(instruction);
  yield* reads(instruction);
  yield* writes(instruction);
}

/**
 * Arranges the memories of the values of a list of instructions.
 * @param isOutside whether a memory is outside of the loop whose body the list is
 */
export function* arrange(
  { list, onceCount, writeStart, outputs }: Instructions,
  fired: Fired,
  pace: Pace,
  isOutside: (memory: Memory) => boolean = () => false,
): Sliced<Arena> {
  const spans = yield* spansOf(list, writeStart, outputs, isOutside, pace);
  // Values that instructions that run once compute and others read are used in all later runs.
  for (const span of spans.values()) {
    if (span.first < onceCount && span.last >= onceCount) span.last = list.length;
    if (pace.due()) yield;
  }
  yield* mergeInPlace(list, spans, fired, pace);
  const isKept = ({ first, last }: Span) => first < onceCount && last === list.length;
  const direct = yield* directOutputs(list, writeStart, outputs, spans, isKept, pace);
  const outer: Span[] = [];
  const kept = new Map<Memory, number>();
  let keptBytes = 0;
  for (const span of spans.values()) {
    if (pace.due()) yield;
    if (span.inside || direct.has(span.memory)) continue;
    if (isKept(span)) {
      kept.set(span.memory, keptBytes);
      keptBytes += span.bytes;
    } else {
      outer.push(span);
    }
  }
  const offsets = new Map<Memory, number>();
  const occupied = new Occupied(pace);
  let bytes = 0;
  const compare = (a: Span, b: Span) => b.bytes - a.bytes || a.first - b.first;
  for (const { memory, bytes: size, first, last } of yield* sorted(outer, compare, pace)) {
    const start = yield* occupied.occupy(size, first, last);
    offsets.set(memory, start);
    bytes = Math.max(bytes, start + size);
  }
  for (const span of spans.values()) {
    for (const addresses of [offsets, kept]) {
      const offset = addresses.get(holderOf(span).memory);
      if (offset !== undefined) addresses.set(span.memory, offset);
    }
    if (pace.due()) yield;
  }
  return { bytes, offsets, keptBytes, kept, direct };
}

/**
 * Finds the large outputs that can be computed in the caller's memory, and the memories that have the address of such
 * an output.
 */
function* directOutputs(
  list: readonly Instruction[],
  writeStart: number,
  outputs: readonly Location[],
  spans: ReadonlyMap<Memory, Span>,
  isKept: (span: Span) => boolean,
  pace: Pace,
): Sliced<Map<Memory, number>> {
  const direct = new Map<Memory, number>();
  const bytes = ({ length, dtype }: Memory) => length * bytesOf[dtype];
  const indexOf = new Map<Span, number>();
  for (const [index, { memory, offset, shape }] of outputs.entries()) {
    if (pace.due()) yield;
    const span = spans.get(memory);
    if (!span || bytes(memory) < directBytes) continue;
    if (offset !== 0 || count(shape) !== memory.length) continue;
    const holder = holderOf(span);
    if (!indexOf.has(holder) && !isKept(holder)) indexOf.set(holder, index);
  }
  if (indexOf.size === 0) return direct;
  // The outputs must not change any more when the leaves are written.
  for (const instruction of list.slice(writeStart)) {
    for (const locations of instructionRecord(instruction).writes(instruction)) {
      for (const { memory } of locations) {
        const span = spans.get(memory);
        if (span) indexOf.delete(holderOf(span));
      }
      if (pace.due(1 + locations.length)) yield;
    }
  }
  for (const span of spans.values()) {
    if (pace.due()) yield;
    const index = indexOf.get(holderOf(span));
    if (index === undefined) continue;
    if (bytes(span.memory) > bytes((outputs[index] as Location).memory))
      indexOf.delete(holderOf(span));
  }
  for (const span of spans.values()) {
    if (pace.due()) yield;
    const index = indexOf.get(holderOf(span));
    if (index !== undefined) direct.set(span.memory, index);
  }
  return direct;
}

/** Returns the span that determines the address of `span`: `span` itself, or the first span at the same address. */
function holderOf(span: Span): Span {
  let holder = span;
  while (holder.inside) holder = holder.inside;
  return holder;
}

/**
 * Returns the span of each memory that is neither the memory of a leaf nor a draw. Outputs are in use until the first write of a leaf.
 */
function* spansOf(
  list: readonly Instruction[],
  writeStart: number,
  outputs: readonly Location[],
  isOutside: (memory: Memory) => boolean,
  pace: Pace,
): Sliced<Map<Memory, Span>> {
  const spans = new Map<Memory, Span>();
  const use = (memory: Memory, time: number) => {
    if (memory.leaf || memory.draw || memory.window || isOutside(memory)) return;
    const span = spans.get(memory);
    if (span) {
      span.last = Math.max(span.last, time);
      return;
    }
    const bytes = Math.ceil((memory.length * bytesOf[memory.dtype]) / alignment) * alignment;
    spans.set(memory, { memory, bytes, first: time, last: time, inside: undefined });
  };
  for (const [time, instruction] of list.entries()) {
    for (const locations of locationsOf(instruction)) {
      for (const { memory } of locations) use(memory, time);
      if (pace.due(1 + locations.length)) yield;
    }
  }
  for (const { memory } of outputs) {
    use(memory, writeStart);
    if (pace.due()) yield;
  }
  return spans;
}

/**
 * If an instruction that can work in place reads a value for the last time, lets it write its result at the same
 * address.
 */
function* mergeInPlace(
  list: readonly Instruction[],
  spans: ReadonlyMap<Memory, Span>,
  fired: Fired,
  pace: Pace,
): Sliced<void> {
  // The spans of memories whose address has been given to another memory. It is given to only one other memory.
  const taken = new Set<Span>();
  for (const [time, instruction] of list.entries()) {
    if (pace.due()) yield;
    let uses: ReadonlyMap<Memory, number> | undefined;
    for (const { write, reads } of instructionRecord(instruction).inPlace(instruction)) {
      uses ??= yield* usesOf(instruction, pace);
      if (pace.due()) yield;
      const span = spans.get(write.memory);
      if (!span || span.first !== time || span.inside || uses.get(write.memory) !== 1) continue;
      if (pace.due(reads.length)) yield;
      const read = reads.find(({ memory, offset, strides }) => {
        const old = spans.get(memory);
        return (
          old !== undefined &&
          !taken.has(old) &&
          old.last === time &&
          old.first < time &&
          old.bytes === span.bytes &&
          memory.dtype === write.memory.dtype &&
          offset === write.offset &&
          equalLists(strides, write.strides) &&
          uses?.get(memory) === 1
        );
      });
      const old = read && spans.get(read.memory);
      if (!old) continue;
      const holder = holderOf(old);
      span.inside = holder;
      holder.last = Math.max(holder.last, span.last);
      taken.add(old);
      const count = fired.get('place: in place') ?? 0;
      fired.set('place: in place', count + 1);
    }
  }
}

/** Returns, for each memory, the number of locations in it that the instruction reads or writes. */
function* usesOf(instruction: Instruction, pace: Pace): Sliced<Map<Memory, number>> {
  const uses = new Map<Memory, number>();
  for (const locations of locationsOf(instruction)) {
    for (const { memory } of locations) uses.set(memory, (uses.get(memory) ?? 0) + 1);
    if (pace.due(1 + locations.length)) yield;
  }
  return uses;
}
