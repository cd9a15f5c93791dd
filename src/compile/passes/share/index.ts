/**
 * Share: merges several matrix products into one. Products are merged if they have a common operand, or if they are
 * terms of one sum. Such products are frequent in recurrent networks. One weight is multiplied with the inputs of many
 * time steps, one input is multiplied with the weights of many gates, and the gradient of a weight is a sum over its
 * uses. The old results become views of the merged product. Its operands are assembled from the old operands.
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { narrow, type Ref, reachable, showsAll, Uses, type Value } from '../../../ir/value.js';
import { equalLists } from '../../../ir/view.js';
import { Rebuilder } from '../rebuild.js';
import { accumulate } from './accumulate.js';
import { merge } from './merge.js';
import { Sharing } from './sets.js';

export function* share(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  build.splitsProducts = false;
  const order = yield* reachable(roots, build.pace);
  const uses = yield* Uses.of(order, roots, build.pace);
  const sharing = yield* Sharing.of(order, uses, build.fired, build.pace);
  const merged = yield* merge(roots, sharing, yield* sharing.decide(), build);
  // `accumulate` is last, because a product onto which another product is added must not be replaced any more.
  return yield* accumulate(yield* outerProducts(merged, build), build);
}

/**
 * Rewrites products with K = 1 and column sums of a single row, which occur if the batch size is 1. Such a product
 * becomes a broadcast multiplication, which can be fused with its readers. If the only use of the product multiplies it
 * by a number, its left operand, a column, is multiplied by the number instead. The sum of one row becomes the row.
 */
function* outerProducts(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* reachable(roots, build.pace);
  const uses = yield* Uses.of(order, roots, build.pace);
  const isOuter = ({ kind, args }: Value) =>
    kind === 'product' && args.length === 2 && args[0]?.shape[1] === 1;
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    if (isOuter(value)) {
      build.fire('share: outer product');
      return outer(value, (column) => column);
    }
    if (value.kind === 'columnSum' && value.args[0]?.shape[0] === 1) {
      build.fire('share: sum of one row');
      return build.reshape(rebuilder.ref(value.args[0]), value.shape, value.node);
    }
    if (value.kind !== 'map' || value.details.kernel !== 'mul') return undefined;
    const [x, y] = value.args as readonly [Ref, Ref];
    const [scale, product] = isOuter(x.value) ? [y, x] : [x, y];
    const alone = isOuter(product.value) && uses.count(product.value) === 1 && showsAll(product);
    if (!alone || !equalLists(product.shape, product.value.shape)) return undefined;
    if (scale.strides.some((stride, axis) => stride !== 0 && scale.shape[axis] !== 1))
      return undefined;
    build.fire('share: scaled outer product');
    const factor = rebuilder.ref(scale);
    return outer(product.value, (column) => {
      const one = narrow(narrow(factor, 0, 0, 1), 1, 0, 1);
      return build.map(
        'mul',
        column.value.dtype,
        column.shape,
        [build.stretch(one, column.shape), column],
        value.node,
      );
    });
  });
  const outer = ({ args, dtype, shape, node }: Value, scaled: (column: Ref) => Ref): Ref => {
    const [a, b] = args.map((arg) => rebuilder.ref(arg)) as [Ref, Ref];
    const operands = [build.stretch(scaled(a), shape), build.stretch(b, shape)];
    return build.map('mul', dtype, shape, operands, node);
  };
  return yield* rebuilder.run(roots, order);
}
