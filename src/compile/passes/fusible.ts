/** Prepares the roots of a program for fusion, so that the fused loops stay within their limits and read the right values. */

import { Variable } from '../../graph/leaf.js';
import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import type { Ref, Value } from '../../ir/value.js';
import type { Update } from './fused-loop.js';
import { Rebuilder } from './rebuild.js';

/** Splits sums of many terms into trees of sums of at most `target.loop.terms` terms. */
export function* shortSums(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const { terms: maxTerms } = build.target.loop;
  const order = yield* build.valuesOf(roots);
  const isLong = ({ kind, args }: Value) => kind === 'sum' && args.length > maxTerms;
  if (!order.some(isLong)) return [...roots];
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    if (!isLong(value)) return undefined;
    build.fire('fuse: long sum');
    const terms = value.args.map((arg) => rebuilder.ref(arg));
    let level = terms;
    while (level.length > 1) {
      const next: Ref[] = [];
      for (let i = 0; i < level.length; i += maxTerms) {
        next.push(build.sum(value.dtype, value.shape, level.slice(i, i + maxTerms), value.node));
      }
      level = next;
    }
    return level[0];
  });
  return yield* rebuilder.run(roots, order);
}

/**
 * If the new value of a leaf A is the old value of a leaf B, copies the old value, because B may be written before A.
 */
export function settle(
  roots: readonly Ref[],
  outputs: number,
  updates: readonly Update[],
  build: Builder,
): Ref[] {
  return roots.map((root, i) => {
    if (i < outputs || updates.length === 0) return root;
    const fromLeaf = root.value.details.leaf instanceof Variable;
    return fromLeaf ? build.copy(root, root.value.node) : root;
  });
}
