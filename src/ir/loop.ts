/**
 * Loops in the intermediate representation. A value of the kind `scan` is a loop. It has no elements of interest: its
 * results are values of the kind `result`, which read it. The body has values of its own, made by a builder of its own.
 * Their leaves are arguments of the loop and constants.
 *
 * The operands of the value are the first values of the carries that have one, then the values of which `rows` are rows,
 * then the values of `captures`.
 */

import type { Argument } from '../graph/leaf.js';
import type { Builder } from './builder.js';
import type { Ref } from './value.js';
import { dense } from './view.js';

/**
 * A value that is carried from step to step, in one or more slots of memory:
 * - all: each step reads one of `count + 1` slots and writes the next one, so that all values remain. The first value is in
 *   slot 0. In a loop that runs backwards, it is in the last slot, and each step writes the slot before.
 * - last: the steps read and write two slots by turns. The first value is in slot 0.
 * - sum: each step adds to the only slot in place. It begins as 0 and has no operand.
 */
export interface IrCarry {
  readonly argument: Argument;
  readonly kept: 'all' | 'last' | 'sum';
}

/** Returns the number of slots of a carry in a loop of `count` steps. */
export function slotsOf({ kept }: IrCarry, count: number): number {
  return kept === 'all' ? count + 1 : kept === 'last' ? 2 : 1;
}

/** A part of a result of a loop: contiguous elements. */
export interface Found {
  /** The index of the result among the results of the value. */
  readonly result: number;
  /** The position of the first element in the result. */
  readonly offset: number;
  readonly shape: readonly number[];
}

export class IrLoop {
  /**
   * What the body computes: the next value of each carry, then the rows of the other results. Each result of the value is
   * a carry, with all its slots, or rows. The passes replace this list.
   */
  roots: readonly Ref[];
  readonly build: Builder;
  /** The number of steps, at least 1. */
  readonly count: number;
  readonly reverse: boolean;
  /** Whether its steps are computed again rather than kept, so that nothing else may be kept for all steps. */
  readonly recomputes: boolean;
  readonly carries: readonly IrCarry[];
  readonly rows: readonly Argument[];
  readonly captures: readonly Argument[];
  /** Where the results of the node are, by their keys. */
  readonly found: ReadonlyMap<string, Found>;

  constructor(parts: Omit<IrLoop, 'initials'>) {
    this.roots = parts.roots;
    this.build = parts.build;
    this.count = parts.count;
    this.reverse = parts.reverse;
    this.recomputes = parts.recomputes;
    this.carries = parts.carries;
    this.rows = parts.rows;
    this.captures = parts.captures;
    this.found = parts.found;
  }

  /** The carries that have an operand: those that are no sums. */
  get initials(): readonly IrCarry[] {
    return this.carries.filter(({ kept }) => kept !== 'sum');
  }
}

/** The shape and the strides of a view. */
type Strided = Pick<Ref, 'shape' | 'strides'>;

/** Returns what the body gets of an operand of a loop: a row of it, or all of it. */
export function inBody(loop: IrLoop, index: number, { shape, strides }: Strided): Strided {
  const first = loop.initials.length;
  const isRow = index >= first && index < first + loop.rows.length;
  return isRow ? { shape: shape.slice(1), strides: strides.slice(1) } : { shape, strides };
}

/** Whether the elements are contiguous, in row-major order. */
export function isDense({ shape, strides }: Strided): boolean {
  const expected = dense(shape).strides;
  return shape.every((size, axis) => size === 1 || strides[axis] === expected[axis]);
}

/**
 * Whether a loop can read an operand through this view: the body gets contiguous elements, or elements that are as far
 * apart as the pass `settle` has found them.
 * @param index the index of the operand
 */
export function readsOperand(loop: IrLoop, index: number, operand: Ref, view: Strided): boolean {
  if (index < loop.initials.length) return true;
  const own = inBody(loop, index, view);
  return (
    isDense(own) ||
    own.shape.every(
      (size, axis) =>
        size === 1 || own.strides[axis] === inBody(loop, index, operand).strides[axis],
    )
  );
}
