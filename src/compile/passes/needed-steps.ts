/**
 * Finds the products of a body that need not be computed in all steps. In the first step, a product is 0 whose left operand
 * is a carry that began as 0. In the last step, one is not needed that is only the next value of a carry whose last value
 * nothing reads.
 */

import type { IrLoop } from '../../ir/loop.js';
import { numberOf, type Ref, showsAll, type Value } from '../../ir/value.js';
import type { Fused } from './fused-loop.js';

/** Steps from `first` to `end` - 1, counted in the order in which they run. */
export interface StepRange {
  readonly first: number;
  readonly end: number;
}

/** In which steps a product is computed. */
export interface NeededSteps extends StepRange {
  /** The steps in which zeros are written instead, because something reads the memory of the product. */
  readonly zeros: readonly StepRange[];
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
): ReadonlyMap<Value, NeededSteps> {
  const found = new Map<Value, NeededSteps>();
  const last = notInLastStep(loop, body, unreadCarries(scan, loop, outer));
  const { count } = loop;
  for (const value of body.order) {
    if (value.kind !== 'product') continue;
    const first = beginsAsZero(value.args[0] as Ref, scan, loop) ? 1 : 0;
    const end = Math.max(first, last.has(value) ? count - 1 : count);
    if (first === 0 && end === count) continue;
    // A product that is added onto another value leaves that value as it is.
    const isRead = body.uses.of(value).some(({ reader }) => reader !== undefined);
    const zeros = [
      { first: 0, end: first },
      { first: end, end: isRead ? count : end },
    ].filter((range) => value.args.length === 2 && range.first < range.end);
    found.set(value, { first, end, zeros });
  }
  return found;
}

/** Returns the values of which only the next values of these carries are computed. */
function notInLastStep(
  loop: IrLoop,
  { order, uses, outputs }: Fused,
  unread: ReadonlySet<number>,
): ReadonlySet<Value> {
  // Several carries may have the same next value, and so may a carry and a value that is kept of all steps.
  const places = new Map<Ref, number[]>();
  for (const [i, ref] of outputs.entries()) places.set(ref, [...(places.get(ref) ?? []), i]);
  const found = new Set<Value>();
  for (let i = order.length - 1; i >= 0 && unread.size > 0 && loop.count > 0; i--) {
    const value = order[i] as Value;
    const isUnread = uses.every(value, ({ reader, ref }) => {
      if (reader) return found.has(reader);
      return places.get(ref)?.every((place) => unread.has(place)) === true;
    });
    if (isUnread) found.add(value);
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
