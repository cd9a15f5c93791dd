/** How much memory the values may take that are kept for all steps of a loop, because work leaves it. */

import type { IrLoop } from '../../../ir/loop.js';
import type { Target } from '../../../ir/target.js';
import { type Ref, reachableFrom, type Value } from '../../../ir/value.js';
import { count } from '../../../ir/view.js';
import { bytesOf } from '../../../tensor/dtype.js';

/** The number of bytes of the elements in one step. */
function bytes(dtype: keyof typeof bytesOf, shape: readonly number[]): number {
  return count(shape) * bytesOf[dtype];
}

/**
 * A loop of T steps takes memory for T rows of its inputs and of the results that it stacks. What leaves the loop may take
 * up to `kept.times` as much, so that the memory of the loop remains of the same order. The states of a recurrent layer,
 * which are multiplied by weights to get the next ones, count as well: its training keeps them for all steps. Values of at
 * most `kept.bytes` for all steps may always be kept. A loop that computes steps again to save memory keeps nothing more.
 */
export class Allowance {
  readonly #steps: number;
  readonly #limit: number;
  #spent = 0;
  /** The values that may be kept, each, together with each value from which they are computed. */
  readonly #fit = new Set<Value>();

  /**
   * @param order the values of the body
   * @param read the indices of the results that are read
   */
  constructor(
    loop: IrLoop,
    order: readonly Value[],
    read: ReadonlySet<number>,
    { kept }: Pick<Target, 'kept'>,
  ) {
    const rows = new Set<unknown>(loop.rows);
    const states = recurrentStates(loop);
    let step = 0;
    for (const { dtype, shape, details } of order) {
      if (rows.has(details.leaf)) step += bytes(dtype, shape);
    }
    for (const [i, { value, shape }] of loop.roots.entries()) {
      const carry = loop.carries[i];
      const stacked = carry ? carry.kept === 'all' : read.has(i);
      if (stacked || (carry && states.has(carry.argument))) step += bytes(value.dtype, shape);
    }
    this.#steps = loop.count;
    this.#limit = loop.recomputes ? 0 : Math.max(kept.bytes, kept.times * step * loop.count);
    for (const value of order) {
      const fits = this.fitsAlone(value) && value.args.every((arg) => this.#fit.has(arg.value));
      if (value.kind === 'leaf' || fits) this.#fit.add(value);
    }
  }

  #bytesOf({ dtype, shape }: Value): number {
    return bytes(dtype, shape) * this.#steps;
  }

  /** Whether a value, and each value from which it is computed, may be kept for all steps. */
  fits(value: Value): boolean {
    return this.#fit.has(value);
  }

  /** Whether a value may be kept for all steps. */
  fitsAlone(value: Value): boolean {
    return this.#bytesOf(value) <= this.#limit;
  }

  /** Whether these values may be kept beside those that are kept already. If so, they are kept. */
  spend(values: Iterable<Value>): boolean {
    let spent = this.#spent;
    for (const value of values) spent += this.#bytesOf(value);
    if (spent > this.#limit) return false;
    this.#spent = spent;
    return true;
  }
}

/** Returns the arguments of the carries that are multiplied by weights, the same in all steps, to get the next carries. */
function recurrentStates(loop: IrLoop): ReadonlySet<unknown> {
  const carries = new Set<unknown>(
    loop.carries.flatMap(({ argument, kept }) => (kept === 'sum' ? [] : [argument])),
  );
  const nexts = loop.roots.filter((_, i) => carries.has(loop.carries[i]?.argument));
  const changing = new Set<unknown>([...carries, ...loop.rows]);
  /** For each value that is not the same in all steps, the carries that it reads without a product between. */
  const below = new Map<Value, ReadonlySet<unknown>>();
  const found = new Set<unknown>();
  const isSame = ({ value }: Ref) => !below.has(value);
  for (const value of reachableFrom(nexts)) {
    const { kind, args, details } = value;
    if (kind === 'leaf') {
      const { leaf } = details;
      if (changing.has(leaf)) below.set(value, new Set(carries.has(leaf) ? [leaf] : []));
      continue;
    }
    if (args.every(isSame)) continue;
    const own = new Set(args.flatMap((arg) => [...(below.get(arg.value) ?? [])]));
    below.set(value, kind === 'product' ? new Set() : own);
    if (kind === 'product' && args.slice(0, 2).some(isSame))
      for (const carry of own) found.add(carry);
  }
  return found;
}
