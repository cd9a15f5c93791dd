/**
 * The joins of `fuse`: which values each fused loop computes while the loops are being chosen, and how loops are merged.
 */

import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import type { Keys } from '../../ir/same.js';
import type { Target } from '../../ir/target.js';
import { byId, endOf, type Ref, type Value } from '../../ir/value.js';
import { equalLists } from '../../ir/view.js';
import { isElementwise, keptBy, lastGrade, sumsRows } from './fused-loop.js';
import { compatible, loadsOnePerRow, readsColumns, type Space } from './row-loops.js';

/** The values of one fused loop, and the refs that it loads, by their keys. */
export interface Members extends Space {
  space: readonly number[];
  rows: number | undefined;
  keeps: number | 'none' | undefined;
  readonly grade: number;
  readonly values: Value[];
  readonly loads: Map<number, Ref>;
}

/** Whether these fused loops can be merged: whether the merged loop would be within the limits. */
export function fits(loops: readonly Members[], limits: Target['loop']): boolean {
  if (loops.length === 1) return true;
  if (!compatible(loops)) return false;
  let operations = 0;
  let loads = 0;
  for (const loop of loops) {
    operations += loop.values.length;
    loads += loop.loads.size;
  }
  if (operations > limits.operations) return false;
  return loads <= limits.loads || distinctLoads(loops) <= limits.loads;
}

/** Returns the number of refs that these loops load, each counted once. */
function distinctLoads(loops: readonly Members[]): number {
  const keys = new Set<number>();
  for (const { loads } of loops) for (const key of loads.keys()) keys.add(key);
  return keys.size;
}

/** The loops that have been chosen so far, and the grades of all values. */
export class Joins {
  /** The grade of each value, indexed by the value's id. */
  readonly grades: Float64Array;
  /** For each value that is computed by a fused loop, this loop, by the id of the value. */
  readonly #loops: (Members | undefined)[];

  /** @param order all values, in the order of `reachable` */
  constructor(
    private readonly order: readonly Value[],
    private readonly keys: Keys,
    private readonly build: Builder,
  ) {
    this.grades = new Float64Array(endOf(order));
    this.#loops = byId(endOf(order));
  }

  /** Returns the loop that computes a value; undefined if none does. */
  loopOf(value: Value): Members | undefined {
    return this.#loops[value.id];
  }

  /** Starts a loop of one value. */
  start(value: Value, loop: Members): void {
    this.#loops[value.id] = loop;
  }

  /** Returns the loops, in the order of their first values. */
  *distinctLoops(): Sliced<Set<Members>> {
    const loops = new Set<Members>();
    for (let i = 0; i < this.order.length; i++) {
      const loop = this.#loops[(this.order[i] as Value).id];
      if (loop) loops.add(loop);
      if (this.build.pace.due()) yield;
    }
    return loops;
  }

  /** Merges these fused loops into the first of them. */
  join(loops: readonly Members[]): void {
    const [into, ...others] = loops as readonly [Members, ...Members[]];
    for (const { space, rows, keeps, values, loads } of others) {
      into.keeps ??= keeps;
      if (rows !== undefined) {
        into.space = space;
        into.rows = rows;
      }
      into.values.push(...values);
      for (const [key, ref] of loads) into.loads.set(key, ref);
      for (const value of values) this.#loops[value.id] = into;
    }
  }

  /**
   * Adds a sum of rows to the loop that computes its operand. If the loop does not work on whole rows yet, it does then:
   * its rows lie along the last axis. Returns false if there is no such loop.
   */
  joinsColumns(value: Value): boolean {
    if (!sumsRows(value)) return false;
    const [arg] = value.args as readonly [Ref];
    const loop = this.#loops[arg.value.id];
    if (!loop || loop.values.length >= this.build.target.loop.operations) return false;
    const whole = { space: loop.space, rows: loop.rows ?? loop.space.length - 1 };
    if (!readsColumns(arg, whole) || !compatible([loop, whole])) return false;
    if (loop.rows === undefined) {
      const columns = loop.space.at(-1) as number;
      const { summed, longest } = this.build.target.rows;
      const fit = loop.space.length > 1 && columns >= summed && columns <= longest;
      if (!fit || loop.grade === lastGrade) return false;
      loop.rows = whole.rows;
    }
    this.#addSum(value, loop);
    return true;
  }

  /**
   * Adds a sum that keeps one axis to the loop that computes its operand. Returns false if there is no such loop, or if
   * the loop has sums that keep other axes.
   */
  joinsKeeping(value: Value): boolean {
    const keeps = keptBy(value);
    if (keeps === undefined) return false;
    const source = (value.args[0] as Ref).value;
    const loop = this.#loops[source.id];
    if (
      !loop ||
      loop.grade === lastGrade ||
      !isElementwise(source) ||
      !equalLists(loop.space, source.shape) ||
      !compatible([loop, { space: loop.space, keeps }]) ||
      loop.values.length >= this.build.target.loop.operations
    )
      return false;
    loop.keeps = keeps;
    this.#addSum(value, loop);
    return true;
  }

  #addSum(value: Value, loop: Members): void {
    this.build.fire(
      sumsRows(value) ? 'fuse: sum of rows in a loop' : 'fuse: sum over all axes but one in a loop',
    );
    loop.values.push(value);
    this.#loops[value.id] = loop;
    this.grades[value.id] = loop.grade;
  }

  /**
   * Merges fused loops that have the same grade and shape and load the same ref, so that the ref is loaded only once.
   */
  *joinReaders(): Sliced<void> {
    // For each grade and shape, the loops by the keys of their loads.
    const readersOf = new Map<string, Map<number, Members>>();
    for (const loop of yield* this.distinctLoops()) {
      if (this.build.pace.due(1 + loop.loads.size)) yield;
      if (loop.grade === lastGrade) continue;
      const kind = `${loop.grade} ${loop.space.join()}`;
      const readers = readersOf.get(kind) ?? new Map<number, Members>();
      readersOf.set(kind, readers);
      for (const [key, ref] of loop.loads) {
        if (ref.strides.every((stride, axis) => stride === 0 || ref.shape[axis] === 1)) continue;
        const current = this.#loops[(loop.values[0] as Value).id] as Members;
        const other = readers.get(key);
        const first = other && (this.#loops[(other.values[0] as Value).id] as Members);
        if (!first) readers.set(key, current);
        else if (first !== current && fits([first, current], this.build.target.loop)) {
          this.build.fire('fuse: loops that read the same');
          this.join([first, current]);
        }
      }
    }
  }

  /** Adds sums of rows to loops over whole rows that have the same grade and load the same ref. */
  *joinSums(): Sliced<void> {
    const readers = new Map<string, Members>();
    for (const loop of yield* this.distinctLoops()) {
      if (this.build.pace.due(1 + loop.loads.size)) yield;
      if (loop.rows !== 1 || loop.space.length !== 2) continue;
      for (const key of loop.loads.keys()) readers.set(`${loop.grade} ${key}`, loop);
    }
    if (readers.size === 0) return;
    for (const value of this.order) {
      if (this.build.pace.due()) yield;
      if (!sumsRows(value) || this.#loops[value.id]) continue;
      const [arg] = value.args as readonly [Ref];
      const loop = readers.get(`${this.grades[value.id]} ${this.keys.of(arg)}`);
      if (loop && !loadsOnePerRow(arg, loop)) this.#addSum(value, loop);
    }
  }
}
