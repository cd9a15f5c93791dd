/**
 * Along N: products with the same left operand become one product with more columns. Their right operands are put side
 * by side. In an LSTM, one input is multiplied with the weights of all gates (batch 16, 64 inputs, 128 units; sizes are
 * M x N x K):
 *
 *     before                           after
 *     f = z Wf     16 x 128 x 64       y = z [Wf Wi Wo Wc]     16 x 512 x 64
 *     i = z Wi     16 x 128 x 64       f, i, o, c = columns 0 to 127, 128 to 255, … of y
 *     o = z Wo     16 x 128 x 64
 *     c = z Wc     16 x 128 x 64
 *
 * This direction is the last. It merges the sets of the earlier directions, and products that are in no set yet:
 *
 *     [f1; f2] = [x1; x2] Wf           [f1 i1; f2 i2] = [x1; x2] [Wf Wi]         (both merged along M)
 *     [i1; i2] = [x1; x2] Wi
 *     dWf = [x1' x2'] [f1; f2]         [dWf dWi] = [x1' x2'] [f1 i1; f2 i2]      (both merged along K)
 *     dWi = [x1' x2'] [i1; i2]
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Ref, Value } from '../../../ir/value.js';
import { inOrderOfRights } from './order.js';
import {
  addTo,
  append,
  type Columns,
  type Merged,
  rightIsWeight,
  type Sets,
  worthwhile,
} from './sets.js';

/**
 * Returns all products, and the merged column sums, in sets. A product that is not merged in any direction is alone in
 * its set, and this set is alone in its `Columns`.
 */
export function* alongN(sets: Sets): Sliced<Columns[]> {
  yield* addSingleProducts(sets);
  const sums = sets.list.filter(({ products: [head] }) => head?.kind === 'columnSum');
  const candidates = yield* withEqualLefts(sets);
  // Equal lists of right operands are put together only once, so their rows are counted together.
  const rows = new Map<string, number>();
  for (const alike of candidates) {
    if (sets.pace.due(alike.length)) yield;
    addTo(rows, sets.rightsOf(alike), rowsOf(alike[0] as Merged));
  }
  const columns: Columns[] = [];
  for (const alike of candidates) {
    if (sets.pace.due(alike.length)) yield;
    const heads = alike.map(({ products: [head] }) => head as Value);
    const readingRows = rows.get(sets.rightsOf(alike)) as number;
    const few = rightIsWeight(heads[0] as Value) && !worthwhile(readingRows, heads);
    if (alike.length < 2 || few) {
      for (const set of alike) columns.push({ sets: [set] });
      continue;
    }
    sets.join(alike, 'share: along N');
    columns.push({ sets: alike });
  }
  return [...columns, ...sums.map((set) => ({ sets: [set] }))];
}

/** Adds a set for each product that is not merged yet. */
function* addSingleProducts(sets: Sets): Sliced<void> {
  for (const value of sets.order) {
    if (sets.pace.due()) yield;
    if (value.kind !== 'product' || sets.isMerged(value)) continue;
    sets.list.push({ kind: 'rows', products: [value] });
  }
}

/**
 * Returns lists of sets that have the same left operands and do not depend on one another. The sets of a list are in
 * the order of their right operands.
 */
function* withEqualLefts(sets: Sets): Sliced<Merged[][]> {
  const { units, pace } = sets;
  const ofProducts = sets.list.filter(({ products: [head] }) => head?.kind === 'product');
  // Sets of equal rank do not depend on one another.
  const ranks = yield* units.ranks(ofProducts.map(({ products: [head] }) => head as Value));
  const lists = new Map<string, Merged[]>();
  for (const set of ofProducts) {
    if (pace.due(set.products.length)) yield;
    const unit = units.unitOf(set.products[0] as Value);
    const lefts = set.products.map(({ args }) => sets.keyOf(args[0] as Ref)).join(' ');
    append(lists, `${formOf(set, unit)} ${ranks[unit]} ${lefts}`, set);
  }
  const ordered: Merged[][] = [];
  for (const alike of lists.values()) ordered.push(yield* inOrderOfRights(alike, sets));
  return ordered;
}

/** Returns a key of the form of a set. Only sets of the same form are merged. */
function formOf({ kind, products }: Merged, unit: number): string | number {
  if (products.length > 1) return kind;
  // A product with K = 1 becomes an element-wise multiplication, which can be fused, so it is not merged.
  return products[0]?.args[0]?.shape[1] === 1 ? unit : 'one';
}

/** Returns the total number of rows of the products of a set. */
function rowsOf({ products }: Merged): number {
  return products.reduce((total, { shape }) => total + (shape[0] as number), 0);
}
