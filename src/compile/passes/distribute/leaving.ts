/** Decides what leaves a loop. */

import type { IrLoop } from '../../../ir/loop.js';
import type { Target } from '../../../ir/target.js';
import { type Ref, reachableFrom, showsAll, type Value } from '../../../ir/value.js';
import { equalLists } from '../../../ir/view.js';
import { Allowance } from './allowance.js';
import { hasAllSteps, isTotal } from './steps.js';

/** A term of a sum over the steps, or the rows of a result. */
export interface Output {
  /** The index of the result. */
  readonly result: number;
  readonly ref: Ref;
}

export class Leaving {
  readonly #loop: IrLoop;
  /** The values of the body. */
  readonly order: readonly Value[];
  /** Rows and totals that are computed outside. */
  readonly rows: readonly Output[];
  readonly totals: readonly Output[];
  /** What the loop still computes. */
  readonly keptRows: readonly Output[];
  readonly keptTerms: readonly Output[];
  /** The values that are computed before the loop, as rows, and read in the loop. */
  readonly before = new Set<Value>();
  /** The values that the loop must stack for what is computed outside. */
  readonly stacked: ReadonlySet<Value>;
  /** The values that no carry needs and that depend on none, and can be computed for all steps at once. */
  readonly #free = new Set<Value>();
  /** The values that contain a product or a sum of rows which may leave the loop. */
  readonly #heavy = new Set<Value>();
  /** The values that are computed in the loop. */
  readonly #inside = new Set<Value>();
  readonly #allowance: Allowance;

  /** @param read the indices of the results that are read */
  constructor(loop: IrLoop, read: ReadonlySet<number>, target: Pick<Target, 'kept'>) {
    this.#loop = loop;
    this.order = reachableFrom(loop.roots);
    this.#allowance = new Allowance(loop, this.order, read, target);
    this.#classify();
    const { roots, carries } = loop;
    for (const [i, carry] of carries.entries())
      if (carry.kept !== 'sum') this.#keep((roots[i] as Ref).value);
    const outputs = this.#outputs(read);
    // What stays in the loop in any case is decided first, because it need not be computed again outside.
    const [mayLeave, stay] = parted(outputs, ({ output, total }) =>
      total
        ? isTotal(output.ref, (ref) => this.#canLeave(ref.value))
        : this.#free.has(output.ref.value) ||
          (this.#heavy.has(output.ref.value) && this.#canLeave(output.ref.value)),
    );
    for (const { output } of stay) this.#keep(output.ref.value);
    const stacked = new Set<Value>();
    const [leave, large] = parted(mayLeave, ({ output, total }) => {
      const needed = this.#neededFor(output.ref.value, total);
      const more = needed && [...needed].filter((one) => !stacked.has(one));
      if (!more || !this.#allowance.spend(more.filter((one) => !this.#isKeptAnyway(one)))) {
        this.#keep(output.ref.value);
        return false;
      }
      for (const one of more) stacked.add(one);
      return true;
    });
    const outputsOf = (list: readonly Candidate[], total: boolean) =>
      list.filter((one) => one.total === total).map(({ output }) => output);
    this.rows = outputsOf(leave, false);
    this.totals = outputsOf(leave, true);
    const kept = [...stay, ...large];
    this.keptRows = outputsOf(kept, false);
    this.keptTerms = outputsOf(kept, true);
    this.stacked = stacked;
    for (const one of stacked) this.#keep(one);
  }

  /** The index of a carry that is not a sum, by its leaf; -1 if the value is none. */
  carryOf(value: Value): number {
    const { leaf } = value.details;
    return this.#loop.carries.findIndex(
      ({ argument, kept }) => argument === leaf && kept !== 'sum',
    );
  }

  #isSum(value: Value): boolean {
    const { leaf } = value.details;
    return this.#loop.carries.some(({ argument, kept }) => argument === leaf && kept === 'sum');
  }

  #classify(): void {
    for (const value of this.order) {
      const { kind, args } = value;
      const leaf = kind === 'leaf';
      const free = leaf
        ? this.carryOf(value) < 0 && !this.#isSum(value)
        : args.length > 0 && hasAllSteps(value) && args.every((arg) => this.#free.has(arg.value));
      if (free) this.#free.add(value);
      const heavy = kind === 'product' || kind === 'columnSum' || kind === 'batch';
      if (heavy || args.some((arg) => this.#heavy.has(arg.value))) this.#heavy.add(value);
    }
  }

  /** Adds a value to those that are computed in the loop, with its operands, apart from those that are moved before it. */
  #keep(value: Value): void {
    const pending = [value];
    for (let next = pending.pop(); next; next = pending.pop()) {
      if (this.#inside.has(next) || this.#isMovedBefore(next)) continue;
      this.#inside.add(next);
      for (const arg of next.args) pending.push(arg.value);
    }
  }

  /** Whether a value that the loop reads is computed before it. */
  #isMovedBefore(value: Value): boolean {
    if (this.before.has(value)) return true;
    if (!this.#free.has(value) || !this.#heavy.has(value)) return false;
    if (!this.#allowance.fits(value) || !this.#allowance.spend([value])) return false;
    this.before.add(value);
    return true;
  }

  /** Returns the results that may leave: sums by their terms. The last value of a carry stays. */
  #outputs(read: ReadonlySet<number>): readonly Candidate[] {
    const { roots, carries } = this.#loop;
    return [...read].flatMap((result): readonly Candidate[] => {
      const root = roots[result] as Ref;
      const carry = carries[result];
      if (carry === undefined) return [{ output: { result, ref: root }, total: false }];
      if (carry.kept !== 'sum') return [];
      return this.#termsOf(root).map((ref) => ({ output: { result, ref }, total: true }));
    });
  }

  /** Returns the terms that a loop adds to a sum in each step. */
  #termsOf(root: Ref): readonly Ref[] {
    const { value } = root;
    if (this.#isSum(value)) return [];
    const isWhole = showsAll(root) && equalLists(root.shape, value.shape);
    const own = value.args.filter((arg) => this.#isSum(arg.value));
    if (value.kind !== 'sum' || !isWhole || own.length !== 1) return [root];
    return value.args.filter((arg) => arg !== own[0]);
  }

  /** Whether a value can be computed outside of the loop, of values that the loop stacks. */
  #canLeave(value: Value): boolean {
    if (this.#isSum(value)) return false;
    if (this.#inside.has(value) || this.#free.has(value) || value.kind === 'leaf') return true;
    if (!this.#heavy.has(value)) return true;
    return hasAllSteps(value) && value.args.every((arg) => this.#canLeave(arg.value));
  }

  /**
   * Returns what the loop must stack so that a value can be computed for all steps, or its sum over the steps; undefined
   * if more memory than allowed is needed for what is computed outside.
   */
  #neededFor(value: Value, total: boolean): ReadonlySet<Value> | undefined {
    const needed = new Set<Value>();
    const seen = new Set<Value>();
    const need = (one: Value): boolean => {
      if (seen.has(one)) return true;
      seen.add(one);
      if (this.#free.has(one)) return this.#allowance.fits(one);
      if (this.#heavy.has(one) && !this.#inside.has(one))
        return this.#allowance.fitsAlone(one) && one.args.every((arg) => need(arg.value));
      needed.add(one);
      return true;
    };
    const needTerms = ({ kind, args }: Value): boolean => {
      const operands = kind === 'product' || kind === 'columnSum';
      return args.every((arg) => (operands ? need(arg.value) : needTerms(arg.value)));
    };
    return (total ? needTerms(value) : need(value)) ? needed : undefined;
  }

  /** Whether the loop keeps a value for all steps in any case: a carry all of whose values remain. */
  #isKeptAnyway(value: Value): boolean {
    return this.#loop.carries[this.carryOf(value)]?.kept === 'all';
  }
}

/** A result that may leave: rows, or a term of a sum over the steps. */
interface Candidate {
  readonly output: Output;
  readonly total: boolean;
}

/** Returns the elements for which a test is true, and the others. */
function parted<T>(list: readonly T[], test: (one: T) => boolean): readonly [T[], T[]] {
  const [yes, no]: [T[], T[]] = [[], []];
  for (const one of list) (test(one) ? yes : no).push(one);
  return [yes, no];
}
