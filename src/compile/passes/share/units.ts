/**
 * The graph of values after merges. Values that are merged form one unit, and each other value is a unit of its own.
 * Units may be merged if this makes no cycle in the graph of units. `share` decides merges by the ranks of the units,
 * which it computes again after earlier merges.
 */

import { type Pace, type Sliced, stepsPerSlice } from '../../../graph/sliced.js';
import { defect } from '../../../ir/defect.js';
import { endOf, type Ref, type Value } from '../../../ir/value.js';

export class Units {
  /** The unit of each value. Here and below, the index of a value is its position in `order`. */
  readonly #unitOf: Int32Array;
  /**
   * The values of each unit form a linked list of indices. The number of a unit is the index of its first value. The
   * index of the next value follows in #next, or -1 after the last value, whose index is in #last.
   */
  readonly #next: Int32Array;
  readonly #last: Int32Array;
  /** The indices of the operands of value i are #operands[#first[i]] … #operands[#first[i + 1] - 1]. */
  readonly #first: Int32Array;
  readonly #operands: Int32Array;
  /** The index of each value, by its id. */
  readonly #indexOf: Int32Array;
  /**
   * The units in an order in which each follows the units on which it depends, and the position of each unit in it.
   * After a merge, the order also has units that no longer exist. Undefined if the order must be computed again.
   */
  #order: Int32Array | undefined;
  readonly #positions: Int32Array;
  /** Whether `#order` is the order that `topological` returns. */
  #isTopological = true;

  private constructor(
    readonly order: readonly Value[],
    private readonly pace: Pace,
    operands: number,
  ) {
    this.#indexOf = new Int32Array(endOf(order));
    this.#first = new Int32Array(order.length + 1);
    this.#operands = new Int32Array(operands);
    this.#unitOf = new Int32Array(order.length);
    this.#next = new Int32Array(order.length).fill(-1);
    this.#last = new Int32Array(order.length);
    this.#positions = new Int32Array(order.length);
  }

  /** Returns a graph in which each value is a unit of its own. */
  static *of(order: readonly Value[], pace: Pace): Sliced<Units> {
    let operands = 0;
    for (let at = 0; at < order.length; at += stepsPerSlice) {
      const end = Math.min(at + stepsPerSlice, order.length);
      for (let i = at; i < end; i++) operands += (order[i] as Value).args.length;
      if (pace.due(stepsPerSlice)) yield;
    }
    const units = new Units(order, pace, operands);
    units.#order = new Int32Array(order.length);
    let next = 0;
    for (let index = 0; index < order.length; index++) {
      const { id, args } = order[index] as Value;
      units.#indexOf[id] = index;
      for (let i = 0; i < args.length; i++) {
        units.#operands[next++] = units.#indexOf[(args[i] as Ref).value.id] as number;
      }
      units.#first[index + 1] = next;
      units.#unitOf[index] = index;
      units.#last[index] = index;
      units.#order[index] = index;
      units.#positions[index] = index;
      if (pace.due()) yield;
    }
    return units;
  }

  unitOf(value: Value): number {
    return this.#unitOf[this.#indexOf[value.id] as number] as number;
  }

  /** Calls `visit` with each value of a unit. */
  visit(unit: number, visit: (value: Value) => void): void {
    for (let index = unit; index >= 0; index = this.#next[index] as number) {
      visit(this.order[index] as Value);
    }
  }

  /** Merges the units of these values into one unit. */
  merge(values: readonly Value[]): void {
    this.#isTopological = false;
    const into = this.unitOf(values[0] as Value);
    let first = this.#positions[into] as number;
    let last = first;
    let merged = 1;
    for (const value of values) {
      const unit = this.unitOf(value);
      if (unit === into) continue;
      const position = this.#positions[unit] as number;
      first = Math.min(first, position);
      last = Math.max(last, position);
      merged++;
      for (let index = unit; index >= 0; index = this.#next[index] as number) {
        this.#unitOf[index] = into;
      }
      this.#next[this.#last[into] as number] = unit;
      this.#last[into] = this.#last[unit] as number;
    }
    // If the units are neighbours in the order, the new unit can take the place of any of them.
    if (last - first >= merged) this.#order = undefined;
  }

  /**
   * Returns all units in topological order: each follows the units on which it depends. The order depends only on the
   * merges, not on earlier calls.
   */
  *topological(): Sliced<Int32Array> {
    if (this.#order && this.#isTopological) return this.#order;
    this.#order = yield* this.#sorted();
    this.#isTopological = true;
    return this.#order;
  }

  /** Returns the units in topological order, and sets their positions in it. */
  *#sorted(): Sliced<Int32Array> {
    const { length } = this.order;
    const positions = this.#positions;
    const unitOf = this.#unitOf;
    const next = this.#next;
    const first = this.#first;
    const operands = this.#operands;
    const state = new Uint8Array(length);
    const result = new Int32Array(length);
    let count = 0;
    const stack: number[] = [];
    for (let root = 0; root < length; root++) {
      const unit = unitOf[root] as number;
      if (state[unit] !== 0) continue;
      stack.push(unit);
      while (stack.length > 0) {
        const top = stack[stack.length - 1] as number;
        if (this.pace.due()) yield;
        if (state[top] === 0) {
          state[top] = 1;
          for (let index = top; index >= 0; index = next[index] as number) {
            const end = first[index + 1] as number;
            for (let i = first[index] as number; i < end; i++) {
              const below = unitOf[operands[i] as number] as number;
              if (state[below] === 0) stack.push(below);
              else if (state[below] === 1 && below !== top) throw defect('a merge made a cycle');
            }
          }
        } else {
          stack.pop();
          if (state[top] === 1) {
            state[top] = 2;
            positions[top] = count;
            result[count++] = top;
          }
        }
      }
    }
    return result.subarray(0, count);
  }

  /**
   * Ranks the units of these values. On each path of operands that ends at such a unit, the units of these values are
   * counted, itself included. The depth is the largest of these counts, and the rank is twice the depth. So units of
   * equal rank do not depend on one another. The order of the units is changed so that they are neighbours.
   * @returns the ranks, by unit. The rank of any other unit is one more than the largest rank of such a unit on which it
   *   depends. It has no meaning if the unit precedes or follows all units of these values in the order
   */
  *ranks(values: readonly Value[]): Sliced<Int32Array> {
    const order = this.#order ?? (yield* this.topological());
    this.#isTopological = false;
    const counted = new Uint8Array(this.order.length);
    let from = order.length;
    let to = 0;
    for (let i = 0; i < values.length; i++) {
      const unit = this.unitOf(values[i] as Value);
      const position = this.#positions[unit] as number;
      counted[unit] = 1;
      from = Math.min(from, position);
      to = Math.max(to, position + 1);
      if (this.pace.due()) yield;
    }
    const ranks = new Int32Array(this.order.length);
    const sizes = new Int32Array(2 * values.length + 2);
    for (let at = from; at < to; at += stepsPerSlice) {
      const units = order.subarray(at, Math.min(at + stepsPerSlice, to));
      this.#rank(units, counted, ranks, sizes);
      if (this.pace.due(units.length)) yield;
    }
    const next = sizes;
    let start = from;
    for (let rank = 0; rank < sizes.length; rank++) {
      const size = sizes[rank] as number;
      next[rank] = start;
      start += size;
    }
    const unsorted = order.slice(from, to);
    for (let at = 0; at < unsorted.length; at += stepsPerSlice) {
      this.#place(unsorted.subarray(at, at + stepsPerSlice), ranks, next, order);
      if (this.pace.due(stepsPerSlice)) yield;
    }
    return ranks;
  }

  /** Ranks these units, and counts the units of each rank. The units on which they depend must have been ranked. */
  #rank(units: Int32Array, counted: Uint8Array, ranks: Int32Array, sizes: Int32Array): void {
    const unitOf = this.#unitOf;
    const next = this.#next;
    const first = this.#first;
    const operands = this.#operands;
    for (let at = 0; at < units.length; at++) {
      const unit = units[at] as number;
      let rank = 0;
      // A unit that was merged into another has the rank 0.
      if (unitOf[unit] === unit) {
        for (let index = unit; index >= 0; index = next[index] as number) {
          const end = first[index + 1] as number;
          for (let i = first[index] as number; i < end; i++) {
            const below = unitOf[operands[i] as number] as number;
            if (below !== unit && (ranks[below] as number) > rank) rank = ranks[below] as number;
          }
        }
        rank = (rank | 1) + (counted[unit] as number);
      }
      ranks[unit] = rank;
      sizes[rank] = (sizes[rank] as number) + 1;
    }
  }

  /** Moves these units to their places in the order. `next` has the next place for each rank. */
  #place(units: Int32Array, ranks: Int32Array, next: Int32Array, order: Int32Array): void {
    for (let at = 0; at < units.length; at++) {
      const unit = units[at] as number;
      const rank = ranks[unit] as number;
      const place = next[rank] as number;
      next[rank] = place + 1;
      order[place] = unit;
      this.#positions[unit] = place;
    }
  }
}
