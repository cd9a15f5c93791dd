/**
 * Share: merges several matrix products into one. Products are merged if they have a common operand, or if they are
 * terms of one sum. Such products are frequent in recurrent networks. One weight is multiplied with the inputs of many
 * time steps, one input is multiplied with the weights of many gates, and the gradient of a weight is a sum over its
 * uses. The old results become views of the merged product. Its operands are assembled from the old operands.
 *
 * A product of an M x K matrix and a K x N matrix can grow in three directions, each in a file of its own. Read
 * `along-m.ts`, `along-k.ts` and `along-n.ts` in this order: each begins with an example. `sets.ts` has what they share.
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { without } from '../../../ir/rule.js';
import type { Ref } from '../../../ir/value.js';
import { splits } from '../simplify/product.js';
import { accumulate } from './accumulate.js';
import { alongK } from './along-k.js';
import { alongM } from './along-m.js';
import { alongN } from './along-n.js';
import { merge } from './merge.js';
import { alignOrders } from './order.js';
import { outerProducts } from './outer.js';
import { Sets } from './sets.js';

export function* share(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  build.rules = without(build.rules, splits);
  const sets = yield* Sets.of(yield* build.valuesOf(roots), roots, build);
  yield* alongM(sets);
  yield* alongK(sets);
  yield* alignOrders(sets);
  const merged = yield* merge(roots, yield* alongN(sets), sets.units, build);
  const fusible = yield* outerProducts(merged, build);
  // `accumulate` is last, because a product onto which another product is added must not be replaced any more.
  return yield* accumulate(fusible, build);
}
