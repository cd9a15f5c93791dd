/**
 * Arena: assigns an address to each memory. Memories that are not in use at the same time can have the same addresses.
 * The algorithm is greedy. It takes the memories from the largest to the smallest, and gives each the lowest address
 * that is free during the whole time in which the memory is used.
 */

import { type Pace, type Sliced, sorted } from '../../graph/sliced.js';
import { bytesOf } from '../../tensor/dtype.js';
import type { Fired } from '../ir/builder.js';
import { unreachable } from '../ir/defect.js';
import { equalLists } from '../ir/view.js';
import type { GroupInstruction, Instruction, Instructions } from './instruction.js';
import { Occupied } from './occupied.js';
import type { Location, Memory } from './place.js';

export interface Arena {
  readonly bytes: number;
  /** The offset of each memory in the arena, in bytes. */
  readonly offsets: ReadonlyMap<Memory, number>;
}

// The alignment of addresses, in bytes. A cache line and the widest vector have this size.
const alignment = 64;

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
  yield* readsOf(instruction);
  yield* writesOf(instruction);
}

export function* readsOf(instruction: Instruction): Generator<readonly Location[], void> {
  switch (instruction.kind) {
    case 'group':
      for (const { loads } of instruction.segments) yield loads;
      return;
    case 'product':
      yield [instruction.a, instruction.b];
      if (instruction.accumulates) yield [instruction.c];
      return;
    case 'batch':
      yield [instruction.a, instruction.b];
      return;
    case 'pack':
      for (const { from } of instruction.pieces) yield [from];
      return;
    case 'random':
      return;
    case 'reduce':
    case 'copy':
      yield [instruction.from];
      return;
    default:
      unreachable(instruction);
  }
}

export function* writesOf(instruction: Instruction): Generator<readonly Location[], void> {
  switch (instruction.kind) {
    case 'group':
      for (const { stores, closes } of instruction.segments) {
        yield stores;
        yield closes;
      }
      return;
    case 'product':
    case 'batch':
      yield [instruction.c];
      return;
    case 'pack':
    case 'random':
    case 'reduce':
    case 'copy':
      yield [instruction.to];
      return;
    default:
      unreachable(instruction);
  }
}

export function* arrange(
  { list, writeStart, outputs }: Instructions,
  fired: Fired,
  pace: Pace,
): Sliced<Arena> {
  const spans = yield* spansOf(list, writeStart, outputs, pace);
  yield* mergeInPlace(list, spans, fired, pace);
  const outer: Span[] = [];
  for (const span of spans.values()) {
    if (!span.inside) outer.push(span);
    if (pace.due()) yield;
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
    offsets.set(span.memory, offsets.get(holderOf(span).memory) as number);
    if (pace.due()) yield;
  }
  return { bytes, offsets };
}

/** Returns the span that determines the address of `span`: `span` itself, or the first span at the same address. */
function holderOf(span: Span): Span {
  let holder = span;
  while (holder.inside) holder = holder.inside;
  return holder;
}

/**
 * Returns the span of each memory that is not the memory of a leaf. Outputs are in use until the first write of a leaf.
 */
function* spansOf(
  list: readonly Instruction[],
  writeStart: number,
  outputs: readonly Location[],
  pace: Pace,
): Sliced<Map<Memory, Span>> {
  const spans = new Map<Memory, Span>();
  const use = (memory: Memory, time: number) => {
    if (memory.leaf) return;
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

/** If a group reads a value for the last time, lets the group store a new value at the same address. */
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
    if (instruction.kind !== 'group') continue;
    const uses = yield* usesOf(instruction, pace);
    for (const segment of instruction.segments) {
      if (pace.due(segment.stores.length)) yield;
      for (const store of segment.stores) {
        const span = spans.get(store.memory);
        if (!span || span.first !== time || span.inside || uses.get(store.memory) !== 1) continue;
        if (pace.due(segment.loads.length)) yield;
        const load = segment.loads.find(({ memory, offset, strides }) => {
          const old = spans.get(memory);
          return (
            old !== undefined &&
            !taken.has(old) &&
            old.last === time &&
            old.first < time &&
            old.bytes === span.bytes &&
            memory.dtype === store.memory.dtype &&
            offset === store.offset &&
            equalLists(strides, store.strides) &&
            uses.get(memory) === 1
          );
        });
        const old = load && spans.get(load.memory);
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
}

/** Returns, for each memory, the number of locations in it that the group reads or writes. */
function* usesOf(instruction: GroupInstruction, pace: Pace): Sliced<Map<Memory, number>> {
  const uses = new Map<Memory, number>();
  for (const locations of locationsOf(instruction)) {
    for (const { memory } of locations) uses.set(memory, (uses.get(memory) ?? 0) + 1);
    if (pace.due(1 + locations.length)) yield;
  }
  return uses;
}
