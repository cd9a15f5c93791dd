/** Rules for routines. */

import type { Rule } from '../../../ir/rule.js';
import { type Ref, showsAll, viewed } from '../../../ir/value.js';
import { count } from '../../../ir/view.js';

const repeatedUpdates: Rule = {
  name: 'simplify: repeated updates',
  matches:
    'a scatterAdd of copied updates, each of which is repeated for several successive indices (the gradient of a sum of gathered rows)',
  gives: 'the scatterAdd that reads each update once for these indices',
  exact: 'the same numbers are added in the same order',
  kernel: 'scatterAdd',
  apply: (value, build) => {
    const [x, indices, updates] = value.args as readonly [Ref, Ref, Ref];
    const [outer, , inner] = updates.shape as readonly [number, number, number];
    const { kind, details, args } = updates.value;
    const copied = kind === 'map' && details.kernel === 'copy' ? args[0] : undefined;
    if (!copied || outer !== 1 || !showsAll(updates)) return undefined;
    const { value: source, offset, shape, strides } = copied;
    // The axes from `own` on are those of one update, and those from `repeated` to `own` repeat it.
    let own = shape.length;
    for (let size = 1; size < inner && own > 0; ) size *= shape[--own] as number;
    if (count(shape.slice(own)) !== inner) return undefined;
    let repeated = own;
    while (repeated > 0 && (shape[repeated - 1] === 1 || strides[repeated - 1] === 0)) repeated--;
    if (count(shape.slice(repeated, own)) === 1) return undefined;
    const without = (list: readonly number[]) => [...list.slice(0, repeated), ...list.slice(own)];
    const each = viewed(source, { offset, shape: without(shape), strides: without(strides) });
    const rows = build.ascending(
      build.reshape(each, [1, count(shape.slice(0, repeated)), inner], value.node),
      value.node,
    );
    // Rows whose elements are not adjacent are added one element at a time.
    const once = inner === 1 || rows.strides[2] === 1 ? rows : build.copy(rows, value.node);
    return build.make({ ...value, args: [x, indices, once] });
  },
};

export const routineRules: readonly Rule[] = [repeatedUpdates];
