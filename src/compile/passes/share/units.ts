/**
 * The graph of values after merges. Values that are merged form one unit, and each other value is a unit of its own.
 * Units may be merged if this makes no cycle in the graph of units. `share` decides merges by the depths of the units,
 * which it computes again after earlier merges.
 */

import type { Pace, Sliced } from '../../../graph/sliced.js';
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
  /** The units in topological order; undefined if this order must be computed again after a merge. */
  #topological: Int32Array | undefined;

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
  }

  /** Returns a graph in which each value is a unit of its own. */
  static *of(order: readonly Value[], pace: Pace): Sliced<Units> {
    let operands = 0;
    for (let index = 0; index < order.length; index++) {
      operands += (order[index] as Value).args.length;
      if (pace.due()) yield;
    }
    const units = new Units(order, pace, operands);
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

  /** Returns the first value of a unit. */
  head(unit: number): Value {
    return this.order[unit] as Value;
  }

  /** Merges the units of these values into one unit. */
  merge(values: readonly Value[]): void {
    this.#topological = undefined;
    const into = this.unitOf(values[0] as Value);
    for (const value of values) {
      const unit = this.unitOf(value);
      if (unit === into) continue;
      for (let index = unit; index >= 0; index = this.#next[index] as number) {
        this.#unitOf[index] = into;
      }
      this.#next[this.#last[into] as number] = unit;
      this.#last[into] = this.#last[unit] as number;
    }
  }

  /** Returns all units in topological order: each follows the units on which it depends. */
  *topological(): Sliced<Int32Array> {
    this.#topological ??= yield* this.#sorted();
    return this.#topological;
  }

  *#sorted(): Sliced<Int32Array> {
    const { length } = this.order;
    const state = new Uint8Array(length);
    const result = new Int32Array(length);
    let count = 0;
    const stack: number[] = [];
    for (let root = 0; root < length; root++) {
      const unit = this.#unitOf[root] as number;
      if (state[unit] !== 0) continue;
      stack.push(unit);
      while (stack.length > 0) {
        const top = stack[stack.length - 1] as number;
        if (this.pace.due()) yield;
        if (state[top] === 0) {
          state[top] = 1;
          for (let index = top; index >= 0; index = this.#next[index] as number) {
            const end = this.#first[index + 1] as number;
            for (let i = this.#first[index] as number; i < end; i++) {
              const below = this.#unitOf[this.#operands[i] as number] as number;
              if (state[below] === 0) stack.push(below);
              else if (state[below] === 1 && below !== top) throw defect('a merge made a cycle');
            }
          }
        } else {
          stack.pop();
          if (state[top] === 1) {
            state[top] = 2;
            result[count++] = top;
          }
        }
      }
    }
    return result.subarray(0, count);
  }

  /**
   * Returns the depth of each unit. On each path of operands that ends at the unit, the units for which `counted`
   * returns true are counted. The path includes the unit itself. The depth is the largest of these counts.
   */
  *depths(counted: (unit: number) => boolean): Sliced<Int32Array> {
    const depth = new Int32Array(this.order.length);
    const order = yield* this.topological();
    for (let at = 0; at < order.length; at++) {
      const unit = order[at] as number;
      if (this.pace.due()) yield;
      let most = 0;
      for (let index = unit; index >= 0; index = this.#next[index] as number) {
        const end = this.#first[index + 1] as number;
        for (let i = this.#first[index] as number; i < end; i++) {
          const below = this.#unitOf[this.#operands[i] as number] as number;
          if (below !== unit && (depth[below] as number) > most) most = depth[below] as number;
        }
      }
      depth[unit] = most + (counted(unit) ? 1 : 0);
    }
    return depth;
  }
}
