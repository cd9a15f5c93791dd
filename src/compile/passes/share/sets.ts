/**
 * What the three directions share: the sets of products that will be merged, and the facts by which a direction
 * chooses them. A merge is never undone, so each direction continues with the sets of the earlier directions.
 */

import { Variable } from '../../../graph/leaf.js';
import type { Pace, Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { Keys } from '../../../ir/same.js';
import { executor } from '../../../ir/target.js';
import { type Ref, Uses, type Value } from '../../../ir/value.js';
import { count } from '../../../ir/view.js';
import { Units } from './units.js';

/**
 * Products that are merged along M. They have the same right operand. Their left operands are put below one another.
 */
export interface Rows {
  readonly kind: 'rows';
  readonly products: readonly Value[];
}

/**
 * Terms of one sum that are merged along K. Their left operands are put side by side, and their right operands below
 * one another. They can also be column sums, whose operands are put below one another.
 */
export interface Terms {
  readonly kind: 'terms';
  readonly products: readonly Value[];
}

export type Merged = Rows | Terms;

/**
 * Sets that are merged along N. They have the same left operands. Their right operands are put side by side. If there
 * is only one set, it is not merged with another.
 */
export interface Columns {
  readonly sets: readonly Merged[];
}

export class Sets {
  readonly pace: Pace;
  /** The sets so far. A direction adds sets with `add`; `alignOrders` replaces sets by reordered ones. */
  readonly list: Merged[] = [];
  readonly #keys = new Keys();
  readonly #merged = new Set<Value>();

  private constructor(
    readonly units: Units,
    readonly uses: Uses,
    private readonly build: Builder,
  ) {
    this.pace = build.pace;
  }

  /** Returns no sets yet, for a graph whose values are `order`. */
  static *of(order: readonly Value[], roots: readonly Ref[], build: Builder): Sliced<Sets> {
    const uses = yield* Uses.of(order, roots, build.pace);
    return new Sets(yield* Units.of(order, build.pace), uses, build);
  }

  /** All values of the graph. Each value follows its operands. */
  get order(): readonly Value[] {
    return this.units.order;
  }

  /** Adds a set of several products, and counts the rewrite. The products must not depend on one another. */
  add(set: Merged, rewrite: string): void {
    this.build.fire(rewrite);
    this.units.merge(set.products);
    for (const product of set.products) this.#merged.add(product);
    this.list.push(set);
  }

  /** Records that these sets become one product. Counts the rewrite. */
  join(sets: readonly Merged[], rewrite: string): void {
    this.build.fire(rewrite);
    this.units.merge(sets.flatMap(({ products }) => products));
  }

  /** Returns whether the value was added in a set of several products. */
  isMerged(value: Value): boolean {
    return this.#merged.has(value);
  }

  /** Returns a key of an operand. Equal operands have equal keys. */
  keyOf(operand: Ref): number {
    return this.#keys.of(operand);
  }

  /** Returns a key of the right operands of sets. Equal lists of right operands have equal keys. */
  rightsOf(sets: readonly Merged[]): string {
    const operands = ({ products }: Merged) =>
      products.map(({ args }) => this.keyOf(args.at(-1) as Ref));
    return sets.map((set) => operands(set).join(' ')).join(' | ');
  }
}

/** Whether the right operand of a product is a weight: a view of a parameter or state. */
export function rightIsWeight({ args }: Value): boolean {
  return args[1]?.value.details.leaf instanceof Variable;
}

/**
 * Estimates whether it is faster to merge products. Merging saves time in the products, but the weights must be put
 * together first. `rows` is the total number of rows of all products that would read the merged weights.
 */
export function worthwhile(rows: number, products: readonly Value[]): boolean {
  const elements = products.reduce((sum, { args }) => sum + count((args[1] as Ref).shape), 0);
  return rows >= executor.weights.rows || elements <= executor.weights.cached;
}

/** Adds a value to the list of its key. */
export function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** Adds a number to the total of its key. */
export function addTo<K>(totals: Map<K, number>, key: K, number: number): void {
  totals.set(key, (totals.get(key) ?? 0) + number);
}
