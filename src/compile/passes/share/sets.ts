/**
 * Decides which products are merged. Products can be merged along M if they have the same right operand, along K if
 * they are terms of one sum and are not read elsewhere, and along N if they have the same left operand. First all
 * products that can be merged along M are merged, then along K, then along N. No merge is undone.
 */

import { Variable } from '../../../graph/leaf.js';
import { type Pace, type Sliced, sorted } from '../../../graph/sliced.js';
import type { Fired } from '../../../ir/builder.js';
import { Keys } from '../../../ir/same.js';
import { type Ref, showsAll, type Uses, type Value } from '../../../ir/value.js';
import { count, equalLists } from '../../../ir/view.js';
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

// Putting weights side by side takes as long as multiplying a few rows with them. Weights with at most `smallWeights`
// elements are always merged, because they then remain in the L1 cache for the product.
const worthwhileRows = 4;
const smallWeights = 16384;

/**
 * Estimates whether it is faster to merge products. Merging saves time in the products, but the weights must be put
 * together first. `rows` is the total number of rows of all products that would read the merged weights.
 */
function worthwhile(rows: number, products: readonly Value[]): boolean {
  const elements = products.reduce((sum, { args }) => sum + count((args[1] as Ref).shape), 0);
  return rows >= worthwhileRows || elements <= smallWeights;
}

export class Sharing {
  readonly units: Units;
  readonly #keys = new Keys();
  readonly #uses: Uses;
  readonly #sets: Merged[] = [];
  readonly #merged = new Set<Value>();

  private constructor(
    units: Units,
    uses: Uses,
    private readonly fired: Fired,
    private readonly pace: Pace,
  ) {
    this.units = units;
    this.#uses = uses;
  }

  static *of(order: readonly Value[], uses: Uses, fired: Fired, pace: Pace): Sliced<Sharing> {
    return new Sharing(yield* Units.of(order, pace), uses, fired, pace);
  }

  /**
   * Decides all merges. Returns all products, and the merged column sums, in sets. A product that is not merged is the
   * only one in its set.
   */
  *decide(): Sliced<Columns[]> {
    yield* this.#alongM();
    yield* this.#alongK();
    yield* this.#alignOrders();
    return yield* this.#alongN();
  }

  #fire(rewrite: string): void {
    this.fired.set(rewrite, (this.fired.get(rewrite) ?? 0) + 1);
  }

  /** Merges products whose right operand is the same view of a weight, if they do not depend on one another. */
  *#alongM(): Sliced<void> {
    const classes = new Map<number, Value[]>();
    for (const value of this.units.order) {
      if (this.pace.due()) yield;
      if (value.kind !== 'product' || !rightIsWeight(value)) continue;
      const key = this.#keys.of(value.args[1] as Ref);
      const members = classes.get(key);
      if (members) members.push(value);
      else classes.set(key, [value]);
    }
    for (const members of classes.values()) {
      if (members.length < 2) continue;
      const { units } = this;
      const own = new Set(members.map((value) => units.unitOf(value)));
      const ranks = yield* units.depths((unit) => own.has(unit));
      const byRank = new Map<number, Value[]>();
      for (const value of members) {
        const rank = ranks[units.unitOf(value)] as number;
        const equal = byRank.get(rank);
        if (equal) equal.push(value);
        else byRank.set(rank, [value]);
      }
      for (const products of byRank.values()) {
        if (products.length < 2) continue;
        this.#fire('share: along M');
        this.#add({ kind: 'rows', products: yield* inOrder(products, 0, this.pace) });
      }
    }
  }

  /**
   * Merges terms of one sum that are not merged yet. Terms of three classes are merged separately: products with
   * weights, products of computed operands, and column sums.
   */
  *#alongK(): Sliced<void> {
    const candidates: Value[][] = [];
    const rows = new Map<string, number>();
    for (const sum of this.units.order) {
      if (this.pace.due(1 + sum.args.length)) yield;
      if (sum.kind !== 'sum') continue;
      const terms = new Set(sum.args.filter((ref) => this.#onlyTerm(ref)).map((ref) => ref.value));
      const kinds = [
        [...terms].filter((value) => value.kind === 'product' && rightIsWeight(value)),
        [...terms].filter((value) => value.kind === 'product' && !rightIsWeight(value)),
        [...terms].filter((value) => value.kind === 'columnSum'),
      ];
      for (const same of kinds) {
        if (same.length < 2) continue;
        const operand = rightIsWeight(same[0] as Value) ? 1 : 0;
        const products = yield* inOrder(same, operand, this.pace);
        candidates.push(products);
        const key = this.#rightsOf([{ kind: 'terms', products }]);
        rows.set(key, (rows.get(key) ?? 0) + (products[0]?.shape[0] as number));
      }
    }
    for (const products of candidates) {
      if (this.pace.due(products.length)) yield;
      const set: Terms = { kind: 'terms', products };
      const weights = rightIsWeight(products[0] as Value);
      if (weights && !worthwhile(rows.get(this.#rightsOf([set])) as number, products)) continue;
      this.#fire(products[0]?.kind === 'product' ? 'share: along K' : 'share: column sums along K');
      this.#add(set);
    }
  }

  /** Merges sets that have the same left operands, if they do not depend on one another. */
  *#alongN(): Sliced<Columns[]> {
    const { units } = this;
    for (const value of units.order) {
      if (this.pace.due()) yield;
      if (value.kind === 'product' && !this.#merged.has(value)) {
        this.#sets.push({ kind: 'rows', products: [value] });
      }
    }
    const sums = this.#sets.filter(({ products: [head] }) => head?.kind === 'columnSum');
    const sets = this.#sets.filter(({ products: [head] }) => head?.kind === 'product');
    const first = new Set(sets.map(({ products: [head] }) => units.unitOf(head as Value)));
    const depths = yield* units.depths((unit) => first.has(unit));
    const classes = new Map<string, Merged[]>();
    for (const set of sets) {
      if (this.pace.due(set.products.length)) yield;
      const [head] = set.products as readonly [Value, ...Value[]];
      const lefts = set.products.map((product) => this.#keys.of(product.args[0] as Ref)).join(' ');
      // A product with K = 1 becomes an element-wise multiplication, which can be fused, so it is not merged.
      const outer = set.products.length === 1 && head.args[0]?.shape[1] === 1;
      const kind = outer ? units.unitOf(head) : set.products.length > 1 ? set.kind : 'one';
      append(classes, `${kind} ${depths[units.unitOf(head)]} ${lefts}`, set);
    }
    const ordered: Merged[][] = [];
    for (const alike of classes.values()) {
      ordered.push(yield* inOrderOfRights(alike, this.#weightOf, this.pace));
    }
    const rows = new Map<string, number>();
    for (const alike of ordered) {
      if (this.pace.due(alike.length)) yield;
      const height = (alike[0] as Merged).products.reduce(
        (m, { shape }) => m + (shape[0] as number),
        0,
      );
      const key = this.#rightsOf(alike);
      rows.set(key, (rows.get(key) ?? 0) + height);
    }
    const columns: Columns[] = [];
    for (const alike of ordered) {
      if (this.pace.due(alike.length)) yield;
      const weights = rightIsWeight(alike[0]?.products[0] as Value);
      const heads = alike.map((set) => set.products[0] as Value);
      const few = weights && !worthwhile(rows.get(this.#rightsOf(alike)) as number, heads);
      if (alike.length < 2 || few) {
        for (const set of alike) columns.push({ sets: [set] });
        continue;
      }
      this.#fire('share: along N');
      units.merge(alike.flatMap(({ products }) => products));
      columns.push({ sets: alike });
    }
    return [...columns, ...sums.map((set) => ({ sets: [set] }))];
  }

  /**
   * Sorts sets so that values that occur in several merged operands are in the same order in all of them. The order
   * comes from the sets of products that are merged along K and have no weights as right operands. If a value has
   * several positions in these sets, the largest is used.
   */
  *#alignOrders(): Sliced<void> {
    const positions = new Map<number, number>();
    const lists = this.#sets.filter(
      ({ kind, products: [head] }) => kind === 'terms' && head?.kind === 'product',
    );
    for (const { products } of lists) {
      if (this.pace.due(products.length)) yield;
      if (rightIsWeight(products[0] as Value)) continue;
      products.forEach(({ args }, i) => {
        for (const operand of args) {
          const key = this.#keys.of(operand);
          positions.set(key, Math.max(positions.get(key) ?? 0, i));
        }
      });
    }
    for (let index = 0; index < this.#sets.length; index++) {
      const set = this.#sets[index] as Merged;
      if (this.pace.due(set.products.length)) yield;
      const [head] = set.products as readonly [Value, ...Value[]];
      if (set.kind === 'terms' && head.kind === 'product') continue;
      const position = (value: Value) => positions.get(this.#keys.of(value.args[0] as Ref));
      if (set.products.some((value) => position(value) === undefined)) continue;
      const byPosition = (p: Value, q: Value) => (position(p) as number) - (position(q) as number);
      this.#sets[index] = { ...set, products: yield* sorted(set.products, byPosition, this.pace) };
    }
  }

  #add(set: Merged): void {
    this.units.merge(set.products);
    for (const product of set.products) this.#merged.add(product);
    this.#sets.push(set);
  }

  /**
   * Whether the ref, an operand of a sum, reads all of a product or column sum that is not merged and has no other use.
   */
  #onlyTerm(ref: Ref): boolean {
    const { value } = ref;
    if ((value.kind !== 'product' && value.kind !== 'columnSum') || this.#merged.has(value))
      return false;
    if (this.#uses.count(value) !== 1) return false;
    return showsAll(ref) && equalLists(ref.shape, value.shape);
  }

  /** Returns a key of the right operands of sets. Equal lists of right operands have equal keys. */
  #rightsOf(sets: readonly Merged[]): string {
    const operands = ({ products }: Merged) =>
      products.map(({ args }) => this.#keys.of(args.at(-1) as Ref));
    return sets.map((set) => operands(set).join(' ')).join(' | ');
  }

  /**
   * Returns a number by which computed right operands are sorted: the id of a weight with which the operand is
   * multiplied elsewhere; undefined if there is none. In an LSTM, this puts the gradients of the gates in the order of
   * the weights of the gates.
   */
  readonly #weightOf = (right: Ref): number | undefined => {
    if (right.value.kind === 'leaf') return undefined;
    for (let i = 0; i < this.#uses.count(right.value); i++) {
      const { reader, ref } = this.#uses.at(right.value, i);
      if (reader?.kind === 'product' && reader.args[0] === ref && rightIsWeight(reader)) {
        return (reader.args[1] as Ref).value.details.leaf?.id;
      }
    }
    return undefined;
  };
}

/** Whether the right operand of a product is a weight: a view of a parameter or state. */
export function rightIsWeight({ args }: Value): boolean {
  return args[1]?.value.details.leaf instanceof Variable;
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/**
 * Sorts values by the operand with the index `operand`: by its leaf, then by the id of its value, then by its offset.
 */
function inOrder(values: readonly Value[], operand: number, pace: Pace): Sliced<Value[]> {
  const compare = (p: Value, q: Value) =>
    compareRefs(p.args[operand] as Ref, q.args[operand] as Ref);
  return sorted(values, compare, pace);
}

function compareRefs(a: Ref, b: Ref): number {
  const [p, q] = [a.value.details.leaf?.id, b.value.details.leaf?.id];
  if (p !== undefined && q !== undefined && p !== q) return p - q;
  return a.value.id - b.value.id || a.offset - b.offset;
}

/** Sorts sets by the numbers that `weightOf` returns for their right operands. Sets without a number are at the end. */
function* inOrderOfRights(
  sets: readonly Merged[],
  weightOf: (right: Ref) => number | undefined,
  pace: Pace,
): Sliced<Merged[]> {
  const rank = (set: Merged) => {
    if (rightIsWeight(set.products[0] as Value)) return Number.POSITIVE_INFINITY;
    for (const product of set.products) {
      const weight = weightOf(product.args[1] as Ref);
      if (weight !== undefined) return weight;
    }
    return Number.POSITIVE_INFINITY;
  };
  const first = (set: Merged) => set.products[0]?.args[1] as Ref;
  const ranked: { readonly set: Merged; readonly rank: number }[] = [];
  for (const set of sets) {
    ranked.push({ set, rank: rank(set) });
    if (pace.due(set.products.length)) yield;
  }
  type Ranked = (typeof ranked)[number];
  const compare = (p: Ranked, q: Ranked) =>
    p.rank === q.rank ? compareRefs(first(p.set), first(q.set)) : p.rank - q.rank;
  return (yield* sorted(ranked, compare, pace)).map(({ set }) => set);
}
