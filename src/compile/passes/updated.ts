/**
 * Finds the values that are computed directly in the memory of a leaf: their instructions write the leaf at the end of a
 * run, so nothing is copied.
 */

import type { Variable } from '../../graph/leaf.js';
import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import { type Ref, showsAll, type Uses, type Value } from '../../ir/value.js';
import { valueRecord } from '../../primitives/index.js';
import type { Update } from './fused-loop.js';

/**
 * Returns these values, each with its leaf. The new value of the leaf is such a value if nothing else reads it. So is
 * the operand that the instruction of such a value may overwrite, if nothing else reads this operand.
 * @param fixed the values that do not change from run to run; they are computed only once, and copied
 */
export function* findUpdated(
  updates: readonly Update[],
  uses: Uses,
  fixed: ReadonlySet<Value>,
  build: Builder,
): Sliced<ReadonlyMap<Value, Variable>> {
  const found = new Map<Value, Variable>();
  /** Returns the index of the operand that may be overwritten; undefined if the elements are not computed in a leaf. */
  const overwrittenBy = (ref: Ref): number | undefined => {
    const { value } = ref;
    const readOnce = uses.count(value) === 1 && showsAll(ref);
    if (!readOnce || value.size === 0 || fixed.has(value)) return undefined;
    return valueRecord(value).updates(value);
  };
  for (const { leaf, ref } of updates) {
    for (let next = ref; ; ) {
      if (build.pace.due()) yield;
      const overwritten = overwrittenBy(next);
      if (overwritten === undefined) break;
      build.fire('fuse: computed in a leaf');
      found.set(next.value, leaf);
      next = next.value.args[overwritten] as Ref;
    }
  }
  return found;
}
