/**
 * Finds the products of a body that need not be computed in all steps. In the first step, a product is not needed that is
 * added onto another value and whose left operand is a carry that began as 0. In the last step, one is not needed that is
 * only the next value of a carry whose last value nothing reads.
 */

import type { IrLoop } from '../../ir/loop.js';
import { numberOf, type Ref, showsAll, type Value } from '../../ir/value.js';
import type { Fused } from './fused-loop.js';

/** The steps from `first` to `end` - 1, counted in the order in which they run. */
export interface StepRange {
  readonly first: number;
  readonly end: number;
}

/**
 * @param scan the value of the loop
 * @param body the body of the loop
 * @param outer the graph in which the loop is
 */
export function neededSteps(
  scan: Value,
  loop: IrLoop,
  body: Fused,
  outer: Fused,
): ReadonlyMap<Value, StepRange> {
  const found = new Map<Value, StepRange>();
  const unread = unreadCarries(scan, loop, outer);
  const next = new Map(body.outputs.map((ref, i) => [ref, i]));
  for (const value of body.order) {
    if (value.kind !== 'product') continue;
    const first = value.args.length > 2 && beginsAsZero(value.args[0] as Ref, scan, loop) ? 1 : 0;
    const isUnread = body.uses.every(value, ({ reader, ref }) => {
      const carry = next.get(ref);
      return reader === undefined && carry !== undefined && unread.has(carry);
    });
    const end = Math.max(first, isUnread ? loop.count - 1 : loop.count);
    if (first > 0 || end < loop.count) found.set(value, { first, end });
  }
  return found;
}

/** Whether a ref is all of a carry whose first value is 0. */
function beginsAsZero(ref: Ref, scan: Value, loop: IrLoop): boolean {
  const { leaf } = ref.value.details;
  const carry = loop.initials.findIndex(({ argument }) => argument === leaf);
  return carry >= 0 && showsAll(ref) && numberOf(scan.args[carry] as Ref) === 0;
}

/** Returns the indices of the carries whose last value nothing reads. */
function unreadCarries(scan: Value, loop: IrLoop, { uses }: Fused): ReadonlySet<number> {
  const read = new Set<number>();
  for (const { reader } of uses.of(scan)) {
    const index = (reader?.details.result ?? 0) - 1;
    const kept = loop.carries[index]?.kept;
    if (!reader || kept === undefined) continue;
    const size = reader.size / (loop.count + 1);
    const isLast = ({ offset, shape, strides }: Ref) => {
      if (kept !== 'all') return true;
      if (loop.reverse) return offset < size;
      const reach = shape.reduce(
        (sum, length, i) => sum + (length - 1) * (strides[i] as number),
        0,
      );
      return offset + reach >= size * loop.count;
    };
    if (uses.of(reader).some((use) => isLast(use.ref))) read.add(index);
  }
  const isUnread = (index: number) => loop.carries[index]?.kept !== 'sum' && !read.has(index);
  return new Set([...loop.carries.keys()].filter(isUnread));
}
