/**
 * Simplify. Most of it is rules, which replace one value or view by a simpler one. `rules.ts` lists them, and the builder
 * applies them while any pass makes values. Two steps need more than one value and its operands: they must know all uses
 * of a value. They compute only the parts of values that are read (`only-read.ts`), and flatten sums. Values that are not
 * read are dropped.
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { type Ref, showsAll, Uses, type Value } from '../../../ir/value.js';
import { equalLists } from '../../../ir/view.js';
import { Rebuilder } from '../rebuild.js';
import { sumGathered } from './gathered.js';
import { onlyRead } from './only-read.js';

export function* simplify(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  return yield* sumGathered(yield* flattenSums(yield* onlyRead(roots, build), build), build);
}

/** Merges each sum into the sum that reads it, if there is no other use and this use reads the whole sum. */
function* flattenSums(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const { pace } = build;
  const order = yield* build.valuesOf(roots);
  const uses = yield* Uses.of(order, roots, pace);
  const isInlined = ({ value, shape }: Ref): boolean => {
    if (value.kind !== 'sum' || uses.count(value) !== 1) return false;
    const { reader, ref } = uses.at(value, 0);
    return reader?.kind === 'sum' && showsAll(ref) && equalLists(shape, value.shape);
  };
  const assembled = new Map<Value, readonly Ref[]>();
  for (let i = 0; i < order.length; i++) {
    const value = order[i] as Value;
    if (pace.due(value.args.length)) yield;
    // The reader of a sum takes over its terms. Such a sum is not changed, because changing every sum of a chain would
    // take quadratic time.
    if (value.kind !== 'sum' || isInlined(value.whole) || !value.args.some(isInlined)) continue;
    build.fire('simplify: sum of a sum');
    const terms: Ref[] = [];
    const pending = [...value.args].reverse();
    for (let ref = pending.pop(); ref; ref = pending.pop()) {
      if (!isInlined(ref)) terms.push(ref);
      else
        for (let j = ref.value.args.length - 1; j >= 0; j--) pending.push(ref.value.args[j] as Ref);
    }
    // The builder may replace a sum of assembled values by another value.
    if (terms.every((term) => term.value.kind === 'assemble')) assembled.set(value, terms);
    else build.redefine(value, terms);
  }
  if (assembled.size === 0) return [...roots];
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    const terms = assembled.get(value)?.map((term) => rebuilder.ref(term));
    return terms && build.sum(value.dtype, value.shape, terms, value.node);
  });
  return yield* rebuilder.run(roots);
}
