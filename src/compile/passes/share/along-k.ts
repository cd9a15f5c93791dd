/**
 * Along K: the terms of one sum become one product with a longer inner dimension. The left operands are put side by
 * side, and the right operands below one another. The gradient of a hidden state is a sum over the gates. The gradients
 * of a weight and of a bias are sums over the time steps (batch 16, 64 inputs, 128 units; sizes are M x N x K):
 *
 *     before                                          after
 *     dh = g1 V' + g2 W'       both 16 x 128 x 128    dh = [g1 g2] [V'; W']           16 x 128 x 256
 *     dW = x1' g1 + x2' g2     both 64 x 128 x 16     dW = [x1' x2'] [g1; g2]         64 x 128 x 32
 *     db = columnSum(g1) + columnSum(g2)              db = columnSum([g1; g2])
 *
 * A term can be merged only if nothing else reads it, because its own value no longer exists after the merge. Each sum
 * has three classes of terms, which are merged separately, as in these three lines: products with weights, products of
 * computed operands, and column sums.
 */

import type { Sliced } from '../../../graph/sliced.js';
import { type Ref, showsAll, type Value } from '../../../ir/value.js';
import { equalLists } from '../../../ir/view.js';
import { inOrder } from './order.js';
import { addTo, rightIsWeight, type Sets, type Terms, worthwhile } from './sets.js';

export function* alongK(sets: Sets): Sliced<void> {
  const candidates = yield* termsOfSums(sets);
  // Equal lists of right operands are put together only once, so their rows are counted together.
  const rows = new Map<string, number>();
  for (const terms of candidates) {
    if (sets.pace.due(terms.products.length)) yield;
    addTo(rows, sets.rightsOf([terms]), terms.products[0]?.shape[0] as number);
  }
  for (const terms of candidates) {
    const { products } = terms;
    if (sets.pace.due(products.length)) yield;
    const [first] = products as readonly [Value, ...Value[]];
    const readingRows = rows.get(sets.rightsOf([terms])) as number;
    if (rightIsWeight(first) && !worthwhile(readingRows, products)) continue;
    sets.add(terms, first.kind === 'product' ? 'share: along K' : 'share: column sums along K');
  }
}

/** Returns, for each sum and each class of its terms, the terms that can be merged, if there are several. */
function* termsOfSums(sets: Sets): Sliced<Terms[]> {
  const candidates: Terms[] = [];
  for (const sum of sets.order) {
    if (sets.pace.due(1 + sum.args.length)) yield;
    if (sum.kind !== 'sum' || !sum.args.some(isProductOrSum)) continue;
    const terms = new Set(sum.args.filter((ref) => isOnlyTerm(ref, sets)).map((ref) => ref.value));
    const classes = [
      [...terms].filter((value) => value.kind === 'product' && rightIsWeight(value)),
      [...terms].filter((value) => value.kind === 'product' && !rightIsWeight(value)),
      [...terms].filter((value) => value.kind === 'columnSum'),
    ];
    for (const alike of classes) {
      if (alike.length < 2) continue;
      const operand = rightIsWeight(alike[0] as Value) ? 1 : 0;
      candidates.push({ kind: 'terms', products: yield* inOrder(alike, operand, sets.pace) });
    }
  }
  return candidates;
}

/**
 * Whether the ref, an operand of a sum, reads all of a product or column sum that is not merged along M and has no other
 * use.
 */
function isOnlyTerm(ref: Ref, sets: Sets): boolean {
  const { value } = ref;
  if (!isProductOrSum(ref)) return false;
  if (sets.isMerged(value) || sets.uses.count(value) !== 1) return false;
  return showsAll(ref) && equalLists(ref.shape, value.shape);
}

function isProductOrSum({ value: { kind } }: Ref): boolean {
  return kind === 'product' || kind === 'columnSum';
}
