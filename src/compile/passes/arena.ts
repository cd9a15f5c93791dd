/**
 * The arena: memories that are not in use at the same time share an address. Greedy by size, the
 * largest first, each at the lowest address that is free for as long as it is in use.
 */

import { bytesOf } from '../../tensor/dtype.js';
import type { Fired } from '../ir/builder.js';
import { equalLists } from '../ir/view.js';
import type { GroupInstruction, Instruction, Instructions } from './instruction.js';
import type { Location, Memory } from './place.js';

export interface Arena {
  readonly bytes: number;
  /** Where each memory starts, in bytes. */
  readonly offsets: ReadonlyMap<Memory, number>;
}

// A cache line, and the widest vector.
const alignment = 64;

interface Span {
  readonly memory: Memory;
  readonly bytes: number;
  first: number;
  last: number;
  /** The span in whose memory this one starts where that one ends. */
  inside: Span | undefined;
}

/** What an instruction reads and writes. */
export function locationsOf(instruction: Instruction): { reads: Location[]; writes: Location[] } {
  switch (instruction.kind) {
    case 'group':
      return {
        reads: instruction.segments.flatMap(({ loads }) => loads),
        writes: instruction.segments.flatMap(({ stores, closes }) => [...stores, ...closes]),
      };
    case 'product': {
      const { a, b, c, accumulates } = instruction;
      return { reads: accumulates ? [a, b, c] : [a, b], writes: [c] };
    }
    case 'batch':
      return { reads: [instruction.a, instruction.b], writes: [instruction.c] };
    case 'pack':
      return { reads: instruction.pieces.map(({ from }) => from), writes: [instruction.to] };
    case 'random':
      return { reads: [], writes: [instruction.to] };
    case 'reduce':
    case 'copy':
      return { reads: [instruction.from], writes: [instruction.to] };
  }
}

export function arrange({ list, writeStart, outputs }: Instructions, fired: Fired): Arena {
  const spans = spansOf(list, writeStart, outputs);
  mergeInPlace(list, spans, fired);
  const offsets = new Map<Memory, number>();
  const placed: Placed[] = [];
  let bytes = 0;
  const outer = [...spans.values()].filter(({ inside }) => !inside);
  outer.sort((a, b) => b.bytes - a.bytes || a.first - b.first);
  for (const { memory, bytes: size, first, last } of outer) {
    let start = 0;
    for (const other of placed) {
      if (other.last < first || other.first > last) continue;
      if (other.start >= start + size) break;
      if (other.end > start) start = other.end;
    }
    const end = start + size;
    placed.splice(after(placed, start), 0, { first, last, start, end });
    offsets.set(memory, start);
    bytes = Math.max(bytes, end);
  }
  for (const span of spans.values()) {
    let holder = span;
    while (holder.inside) holder = holder.inside;
    offsets.set(span.memory, offsets.get(holder.memory) as number);
  }
  return { bytes, offsets };
}

/** Where a span lies, and for how long. */
interface Placed {
  readonly first: number;
  readonly last: number;
  readonly start: number;
  readonly end: number;
}

/** How many of those that are placed, in order, start no later than at `start`. */
function after(placed: readonly Placed[], start: number): number {
  let [low, high] = [0, placed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((placed[middle] as Placed).start <= start) low = middle + 1;
    else high = middle;
  }
  return low;
}

function spansOf(
  list: readonly Instruction[],
  writeStart: number,
  outputs: readonly Location[],
): Map<Memory, Span> {
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
  list.forEach((instruction, time) => {
    const { reads, writes } = locationsOf(instruction);
    for (const { memory } of reads) use(memory, time);
    for (const { memory } of writes) use(memory, time);
  });
  for (const { memory } of outputs) use(memory, writeStart);
  return spans;
}

/** A value that a pass stores may lie where a value lay that the same pass is the last to read. */
function mergeInPlace(
  list: readonly Instruction[],
  spans: ReadonlyMap<Memory, Span>,
  fired: Fired,
): void {
  // Only one value may take over from another.
  const taken = new Set<Span>();
  list.forEach((instruction, time) => {
    if (instruction.kind !== 'group') return;
    for (const segment of instruction.segments) {
      for (const store of segment.stores) {
        const span = spans.get(store.memory);
        if (!span || span.first !== time || span.inside || usesIn(instruction, store.memory) !== 1)
          continue;
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
            usesIn(instruction, memory) === 1
          );
        });
        const old = load && spans.get(load.memory);
        if (!old) continue;
        let holder = old;
        while (holder.inside) holder = holder.inside;
        span.inside = holder;
        holder.last = Math.max(holder.last, span.last);
        taken.add(old);
        const count = fired.get('place: in place') ?? 0;
        fired.set('place: in place', count + 1);
      }
    }
  });
}

/** How many of the pass's operands are in the memory. */
function usesIn(instruction: GroupInstruction, memory: Memory): number {
  let uses = 0;
  for (const { loads, stores, closes } of instruction.segments) {
    for (const location of [...loads, ...stores, ...closes]) if (location.memory === memory) uses++;
  }
  return uses;
}
