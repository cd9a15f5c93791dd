/** Finds the values that are not stored: every fused loop that reads such a value computes it again. */

import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import type { Keys } from '../../ir/same.js';
import { numberOf, type Ref, type Uses, type Value } from '../../ir/value.js';
import { valueRecord } from '../../primitives/index.js';
import { aligned, spaceOf } from './fused-loop.js';
import { isLeafMask } from './simplify/map.js';

/** What a value that is computed again is a function of. */
export interface Repeated {
  /** The key of the only ref; undefined if there is none. A mask of several leaves counts as a ref itself. */
  readonly source: number | undefined;
  /** The number of operations that compute the value. */
  readonly length: number;
}

/**
 * Returns the values that loops compute again: cheap functions of at most one ref, and masks that one map computes from
 * leaves, such as a causal mask. To compute a combination of several such masks again takes longer than to load it.
 * @param order all values, in the order of `reachable`
 */
export function* findRepeated(
  order: readonly Value[],
  uses: Uses,
  keys: Keys,
  build: Builder,
): Sliced<Map<Value, Repeated>> {
  const { loop } = build.target;
  const found = new Map<Value, Repeated>();
  for (let i = 0; i < order.length; i++) {
    const value = order[i] as Value;
    if (build.pace.due(1 + uses.count(value))) yield;
    if (!valueRecord(value).fusing?.cheap(value)) continue;
    const inLoops = uses.every(value, ({ reader, ref }) => {
      const space = reader && spaceOf(reader);
      return space !== undefined && aligned(ref, space);
    });
    if (!inLoops || value.size === 0) continue;
    let source: number | undefined;
    let several = false;
    let length = 1;
    if (isLeafMask(value, loop)) {
      found.set(value, { source: keys.of(value.whole), length });
      continue;
    }
    for (let k = 0; k < value.args.length; k++) {
      const arg = value.args[k] as Ref;
      if (numberOf(arg) !== undefined) continue;
      const below = aligned(arg, value.shape) ? found.get(arg.value) : undefined;
      if (below) length += below.length;
      const key = below ? below.source : keys.of(arg);
      several ||= key !== undefined && source !== undefined && key !== source;
      source ??= key;
    }
    if (several || length > loop.repeated) continue;
    found.set(value, { source, length });
  }
  return found;
}
