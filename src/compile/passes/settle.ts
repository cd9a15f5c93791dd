/**
 * Settle: copies the operands of loops whose rows the body could not read where they are. The rows of a merged product are
 * apart in memory, for example, and only some values read elements that are apart.
 */

import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import { type IrLoop, inBody, isDense } from '../../ir/loop.js';
import { type Ref, Uses, type Value } from '../../ir/value.js';
import { compose } from '../../ir/view.js';
import { valueRecord } from '../../primitives/index.js';
import { Rebuilder } from './rebuild.js';

export function* settle(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  /** For each loop, the indices of the operands that are copied. */
  const copied = new Map<Value, ReadonlySet<number>>();
  for (let i = 0; i < order.length; i++) {
    const value = order[i] as Value;
    if (build.pace.due()) yield;
    if (!value.details.loop) continue;
    const indices = yield* unreadable(value, value.details.loop);
    if (indices.size > 0) copied.set(value, indices);
  }
  if (copied.size === 0) return [...roots];
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    const indices = copied.get(value);
    if (!indices) return undefined;
    const args = value.args.map((arg, i) => {
      const operand = rebuilder.ref(arg);
      if (!indices.has(i)) return operand;
      build.fire('settle: copied for a loop');
      return build.copy(operand, value.node);
    });
    return rebuilder.of(value, args);
  });
  return yield* rebuilder.run(roots, order);
}

/** Returns the indices of the operands that the body of a loop could not read where they are. */
function* unreadable({ args }: Value, loop: IrLoop): Sliced<Set<number>> {
  const { build, roots, initials, rows, captures } = loop;
  const found = new Set<number>();
  const leaves = new Map([...rows, ...captures].map((leaf, i) => [leaf, initials.length + i]));
  const order = yield* build.valuesOf(roots);
  const uses = yield* Uses.of(order, roots, build.pace);
  for (const value of order) {
    const { leaf } = value.details;
    const index = leaf && (leaves as ReadonlyMap<unknown, number>).get(leaf);
    if (index === undefined) continue;
    const own = inBody(loop, index, args[index] as Ref);
    if (isDense(own)) continue;
    const isRead = uses.every(value, ({ reader, ref }) => {
      const view = compose(ref, { ...own, offset: 0 });
      return view !== undefined && (!reader || valueRecord(reader).reads(reader, ref, view));
    });
    if (!isRead) found.add(index);
  }
  return found;
}
