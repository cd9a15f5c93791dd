/** Finds the draws that are not stored: the fused loops that load their elements compute them. */

import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import type { Draw } from '../../ir/location.js';
import type { Uses, Value } from '../../ir/value.js';
import { count } from '../../ir/view.js';
import { valueRecord } from '../../primitives/index.js';
import { isElementwise } from './fused-loop.js';

/**
 * Returns the draws that are not stored.
 * @param order all values, in the order of `reachable`
 * @param repeated the values that every loop that reads them computes again
 */
export function* findDrawn(
  order: readonly Value[],
  uses: Uses,
  repeated: { has(value: Value): boolean },
  build: Builder,
): Sliced<Map<Value, Draw>> {
  const found = new Map<Value, Draw>();
  /**
   * Whether only element-wise values read this value, and read each element at most once. Those that are computed only
   * once are added to `readers`, which may have at most `most` members.
   */
  const onlyLoaded = (value: Value, most: number, readers: Set<Value>): boolean =>
    uses.every(value, ({ reader, ref }) => {
      if (!reader || !isElementwise(reader) || count(ref.shape) > value.size) return false;
      if (repeated.has(reader)) return onlyLoaded(reader, most, readers);
      return readers.add(reader).size <= most;
    });
  for (let i = 0; i < order.length; i++) {
    const value = order[i] as Value;
    if (build.pace.due()) yield;
    const drawn = value.size === 0 ? undefined : valueRecord(value).drawn?.(value);
    const most = drawn?.cheap ? build.target.loop.drawReaders : 1;
    if (!drawn || !onlyLoaded(value, most, new Set())) continue;
    build.fire('fuse: draw in a loop');
    found.set(value, drawn.draw);
  }
  return found;
}
