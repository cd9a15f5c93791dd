/** Where the arguments and the results of a loop are in each step. */

import type { Leaf } from '../../graph/leaf.js';
import type { Location, Memory } from '../../ir/location.js';
import type { IrCarry, IrLoop } from '../../ir/loop.js';
import type { Ref } from '../../ir/value.js';
import { count, dense, equalLists } from '../../ir/view.js';
import { type Instruction, instructionRecord } from '../../primitives/index.js';

/** Where a loop reads and writes memory outside of its body. */
export interface LoopPlaces {
  /** The locations of the arguments. */
  readonly leaves: ReadonlyMap<Leaf, Location>;
  /** The arguments that have the same value in all steps. */
  readonly captures: ReadonlySet<Leaf>;
  /** What the body computes, and where it writes it. */
  readonly outputs: readonly { readonly ref: Ref; readonly at: Location }[];
  /** The memories that move from step to step. */
  readonly windows: readonly Memory[];
  /** The memories that must be written before the first step: from the location of an operand, or with zeros. */
  readonly begins: readonly { readonly from: Location | undefined; readonly to: Location }[];
}

/**
 * @param roots what the body computes, as the passes have left it
 * @param operands the locations of the operands of the loop
 * @param results the locations of the results of the loop
 */
export function loopPlaces(
  loop: IrLoop,
  roots: readonly Ref[],
  operands: readonly Location[],
  results: readonly Location[],
): LoopPlaces {
  const windows = new Windows(loop);
  const leaves = new Map<Leaf, Location>();
  const outputs: { ref: Ref; at: Location }[] = [];
  const begins: { from: Location | undefined; to: Location }[] = [];
  const { carries, rows, captures } = loop;
  let next = 0;
  for (const [i, carry] of carries.entries()) {
    const whole = results[i] as Location;
    const { start, end, first } = windows.carried(carry, whole);
    leaves.set(carry.argument, start);
    outputs.push({ ref: roots[i] as Ref, at: end });
    begins.push({ from: carry.kept === 'sum' ? undefined : operands[next++], to: first });
  }
  for (const row of rows) leaves.set(row, windows.row(operands[next++] as Location));
  for (const capture of captures) leaves.set(capture, operands[next++] as Location);
  for (let i = carries.length; i < roots.length; i++) {
    outputs.push({ ref: roots[i] as Ref, at: windows.row(results[i] as Location) });
  }
  return { leaves, captures: new Set(captures), outputs, windows: windows.list, begins };
}

/** Whether two locations have the same elements. */
export function isSameLocation(a: Location, b: Location): boolean {
  return (
    a.memory === b.memory &&
    a.offset === b.offset &&
    equalLists(a.shape, b.shape) &&
    a.shape.every((size, axis) => size === 1 || a.strides[axis] === b.strides[axis])
  );
}

class Windows {
  readonly list: Memory[] = [];
  readonly #known = new Map<Memory, Map<string, Memory>>();

  constructor(private readonly loop: IrLoop) {}

  /** Returns the row of the step. */
  row({ memory, offset, shape, strides }: Location): Location {
    const { count: steps, reverse } = this.loop;
    const by = strides[0] as number;
    const at = { memory, offset, shape: shape.slice(1), strides: strides.slice(1) };
    if (!reverse) return this.#moving(at, by, 0);
    return this.#moving({ ...at, offset: offset + (steps - 1) * by }, -by, 0);
  }

  /** Returns the slots of a carry at the start and at the end of a step, and the slot of its first value. */
  carried({ kept }: IrCarry, { memory, offset, shape }: Location) {
    const own = kept === 'sum' ? shape : shape.slice(1);
    const size = count(own);
    const slot = (index: number): Location => ({
      memory,
      ...dense(own),
      offset: offset + index * size,
    });
    if (kept === 'sum') return { start: slot(0), end: slot(0), first: slot(0) };
    const at = (index: number, by: number, period: number) =>
      this.#moving(slot(index), by * size, period);
    const { count: steps, reverse } = this.loop;
    if (kept === 'last') return { start: at(0, 1, 2), end: at(1, -1, 2), first: slot(0) };
    if (reverse) {
      return { start: at(steps, -1, 0), end: at(steps - 1, -1, 0), first: slot(steps) };
    }
    return { start: at(0, 1, 0), end: at(1, 1, 0), first: slot(0) };
  }

  /**
   * Returns a location that moves from step to step. Locations that move alike within one row of a memory are in one
   * window, so that the passes see where they are beside one another.
   */
  #moving(at: Location, by: number, period: number): Location {
    const { memory, offset, shape, strides } = at;
    const reach = shape.reduce(
      (sum, size, i) => sum + Math.max(0, size - 1) * (strides[i] as number),
      1,
    );
    const distance = Math.abs(by);
    const within = period === 0 && distance > 0 ? offset % distance : 0;
    const start = offset - within;
    const shared = period === 0 && distance > 0 && within + reach <= distance;
    const last = start + (by > 0 ? (this.loop.count - 1) * by : 0);
    const length = shared ? Math.min(distance, memory.length - last) : reach;
    const begin = shared ? start : offset;
    const key = `${begin} ${by} ${period} ${length}`;
    const known = this.#known.get(memory) ?? new Map<string, Memory>();
    this.#known.set(memory, known);
    const window = known.get(key) ?? {
      dtype: memory.dtype,
      length,
      leaf: undefined,
      window: { memory, offset: begin, by, period },
    };
    if (!known.has(key)) {
      known.set(key, window);
      this.list.push(window);
    }
    return { memory: window, offset: offset - begin, shape, strides };
  }
}

/**
 * Returns the memories outside of a loop that the instructions of its body read, and those that they write, each as a
 * whole.
 * @param inside the memories of the body
 */
export function outerAccesses(
  list: readonly Instruction[],
  windows: readonly Memory[],
  inside: ReadonlyMap<Memory, unknown>,
): { readonly reads: readonly Location[]; readonly writes: readonly Location[] } {
  const own = new Set(windows);
  const collected = (locations: Iterable<readonly Location[]>, found: Set<Memory>) => {
    for (const part of locations) {
      for (const { memory } of part) {
        const outer = own.has(memory) ? memory.window?.memory : memory;
        if (outer && !inside.has(outer)) found.add(outer);
      }
    }
  };
  const [reads, writes] = [new Set<Memory>(), new Set<Memory>()];
  for (const instruction of list) {
    const record = instructionRecord(instruction);
    collected(record.reads(instruction), reads);
    collected(record.writes(instruction), writes);
  }
  const whole = (memory: Memory): Location => ({ memory, ...dense([memory.length]) });
  return { reads: [...reads].map(whole), writes: [...writes].map(whole) };
}
