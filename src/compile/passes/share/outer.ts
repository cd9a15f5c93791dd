/**
 * Outer products: products with K = 1 become element-wise multiplications, which can be fused with their readers. They
 * occur if the batch size is 1, as in the gradient of a weight of a dense layer:
 *
 *     before                          after
 *     dW = x' g     64 x 128 x 1      dW = broadcast(x') * broadcast(g)
 *     db = columnSum(g)               db = g
 *     s * dW                          broadcast(s * x') * broadcast(g)     (if only this reads dW, and s is a number)
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { narrow, type Ref, showsAll, Uses, type Value } from '../../../ir/value.js';
import { equalLists } from '../../../ir/view.js';
import { Rebuilder } from '../rebuild.js';

export function* outerProducts(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  const isOuter = ({ kind, args }: Value) =>
    kind === 'product' && args.length === 2 && args[0]?.shape[1] === 1;
  const sumsOneRow = ({ kind, args }: Value) => kind === 'columnSum' && args[0]?.shape[0] === 1;
  if (!order.some((value) => isOuter(value) || sumsOneRow(value))) return [...roots];
  const uses = yield* Uses.of(order, roots, build.pace);
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    if (isOuter(value)) {
      build.fire('share: outer product');
      return outer(value, (column) => column);
    }
    if (sumsOneRow(value)) {
      build.fire('share: sum of one row');
      return build.reshape(rebuilder.ref(value.args[0] as Ref), value.shape, value.node);
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
