/**
 * Along M: products with the same weight become one product with more rows. Their left operands are put below one
 * another. In an LSTM, the inputs of all time steps are multiplied with one weight (batch 16, 64 inputs, 512 columns;
 * sizes are M x N x K):
 *
 *     before                            after
 *     y1 = x1 W     16 x 512 x 64       y = [x1; x2; x3] W     48 x 512 x 64
 *     y2 = x2 W     16 x 512 x 64       y1, y2, y3 = rows 0 to 15, 16 to 31, 32 to 47 of y
 *     y3 = x3 W     16 x 512 x 64
 *
 * Products that depend on one another cannot be merged. In the next example, y2 needs y1, and y4 needs y3:
 *
 *     before                            after
 *     y1 = x1 W     y2 = tanh(y1) W     [y1; y3] = [x1; x3] W
 *     y3 = x3 W     y4 = tanh(y3) W     [y2; y4] = [tanh(y1); tanh(y3)] W
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Ref, Value } from '../../../ir/value.js';
import { inOrder } from './order.js';
import { append, rightIsWeight, type Sets } from './sets.js';

export function* alongM(sets: Sets): Sliced<void> {
  for (const products of (yield* productsByWeight(sets)).values()) {
    if (products.length < 2) continue;
    for (const independent of (yield* byRank(products, sets)).values()) {
      if (independent.length < 2) continue;
      const ordered = yield* inOrder(independent, 0, sets.pace);
      sets.add({ kind: 'rows', products: ordered }, 'share: along M');
    }
  }
}

/** Returns lists of the products whose right operand is the same view of a weight, by the key of this view. */
function* productsByWeight(sets: Sets): Sliced<Map<number, Value[]>> {
  const lists = new Map<number, Value[]>();
  for (const value of sets.order) {
    if (sets.pace.due()) yield;
    if (value.kind !== 'product' || !rightIsWeight(value)) continue;
    append(lists, sets.keyOf(value.args[1] as Ref), value);
  }
  return lists;
}

/**
 * Returns lists of products that do not depend on one another, by their rank. The rank of a product is the largest
 * number of these products on a path of operands that ends at the product. If one product depends on another, its rank
 * is larger.
 */
function* byRank(products: readonly Value[], { units }: Sets): Sliced<Map<number, Value[]>> {
  const ranks = yield* units.ranks(products);
  const lists = new Map<number, Value[]>();
  for (const product of products) append(lists, ranks[units.unitOf(product)] as number, product);
  return lists;
}
