/**
 * The order of the products in a set. Any order is correct. A good order makes the merged operands equal to values that
 * exist already, or to each other, so that they need not be assembled, or are assembled only once.
 */

import { type Pace, type Sliced, sorted } from '../../../graph/sliced.js';
import type { Ref, Value } from '../../../ir/value.js';
import { type Merged, rightIsWeight, type Sets } from './sets.js';

/**
 * Sorts values by the operand with the index `operand`: by its leaf, then by the id of its value, then by its offset.
 */
export function inOrder(values: readonly Value[], operand: number, pace: Pace): Sliced<Value[]> {
  const compare = (p: Value, q: Value) =>
    compareRefs(p.args[operand] as Ref, q.args[operand] as Ref);
  return sorted(values, compare, pace);
}

/**
 * Sorts sets by their right operands. Computed operands are in the order of the weights with which they are multiplied
 * elsewhere: in an LSTM, the gradients of the gates are in the order of the weights of the gates. Computed operands
 * without such a weight, and weights, are at the end, in the order of `inOrder`.
 */
export function* inOrderOfRights(list: readonly Merged[], sets: Sets): Sliced<Merged[]> {
  const ranked: { readonly set: Merged; readonly rank: number }[] = [];
  for (const set of list) {
    ranked.push({ set, rank: rankOf(set, sets) });
    if (sets.pace.due(set.products.length)) yield;
  }
  const first = ({ products: [head] }: Merged) => head?.args[1] as Ref;
  type Ranked = (typeof ranked)[number];
  const compare = (p: Ranked, q: Ranked) =>
    p.rank === q.rank ? compareRefs(first(p.set), first(q.set)) : p.rank - q.rank;
  return (yield* sorted(ranked, compare, sets.pace)).map(({ set }) => set);
}

/**
 * Sorts sets so that values that occur in several merged operands are in the same order in all of them. The order
 * comes from the sets of products that are merged along K and have no weights as right operands. If a value has
 * several positions in these sets, the largest is used.
 */
export function* alignOrders(sets: Sets): Sliced<void> {
  const positions = yield* positionsInTerms(sets);
  const position = (value: Value) => positions.get(sets.keyOf(value.args[0] as Ref));
  const compare = (p: Value, q: Value) => (position(p) as number) - (position(q) as number);
  for (let index = 0; index < sets.list.length; index++) {
    const set = sets.list[index] as Merged;
    if (sets.pace.due(set.products.length)) yield;
    if (isTermsOfProducts(set)) continue;
    if (set.products.some((value) => position(value) === undefined)) continue;
    sets.list[index] = { ...set, products: yield* sorted(set.products, compare, sets.pace) };
  }
}

/** Returns the largest position of each operand, by its key, in the sets from which `alignOrders` takes the order. */
function* positionsInTerms(sets: Sets): Sliced<Map<number, number>> {
  const positions = new Map<number, number>();
  for (const { products } of sets.list.filter(isTermsOfProducts)) {
    if (sets.pace.due(products.length)) yield;
    if (rightIsWeight(products[0] as Value)) continue;
    products.forEach(({ args }, i) => {
      for (const operand of args) {
        const key = sets.keyOf(operand);
        positions.set(key, Math.max(positions.get(key) ?? 0, i));
      }
    });
  }
  return positions;
}

function isTermsOfProducts({ kind, products: [head] }: Merged): boolean {
  return kind === 'terms' && head?.kind === 'product';
}

/** Returns the number by which `inOrderOfRights` sorts a set; Infinity if the set belongs at the end. */
function rankOf({ products }: Merged, sets: Sets): number {
  if (rightIsWeight(products[0] as Value)) return Number.POSITIVE_INFINITY;
  for (const { args } of products) {
    const weight = weightOf(args[1] as Ref, sets);
    if (weight !== undefined) return weight;
  }
  return Number.POSITIVE_INFINITY;
}

/** Returns the id of a weight with which a computed operand is multiplied elsewhere; undefined if there is none. */
function weightOf(operand: Ref, { uses }: Sets): number | undefined {
  if (operand.value.kind === 'leaf') return undefined;
  for (let i = 0; i < uses.count(operand.value); i++) {
    const { reader, ref } = uses.at(operand.value, i);
    if (reader?.kind === 'product' && reader.args[0] === ref && rightIsWeight(reader)) {
      return (reader.args[1] as Ref).value.details.leaf?.id;
    }
  }
  return undefined;
}

function compareRefs(a: Ref, b: Ref): number {
  const [p, q] = [a.value.details.leaf?.id, b.value.details.leaf?.id];
  if (p !== undefined && q !== undefined && p !== q) return p - q;
  return a.value.id - b.value.id || a.offset - b.offset;
}
