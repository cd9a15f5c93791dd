/**
 * Sums of gathered rows, such as the sum of the embeddings of the words of a text. If nothing else reads the rows, one
 * routine adds them where they are, and they are not stored.
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import { type Ref, Uses, type Value, viewed } from '../../../ir/value.js';
import { count, isWhole } from '../../../ir/view.js';
import { routineResult } from '../../../primitives/routine.js';
import { isFloating } from '../../../tensor/dtype.js';
import { Rebuilder } from '../rebuild.js';

export function* sumGathered(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  const sums = new Map<Value, Bags>();
  for (let i = 0; i < order.length; i++) {
    const value = order[i] as Value;
    if (build.pace.due()) yield;
    const bags = bagsOf(value);
    if (bags) sums.set(value, bags);
  }
  if (sums.size === 0) return [...roots];
  const uses = yield* Uses.of(order, roots, build.pace);
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    const bags = sums.get(value);
    const rows = value.args[0]?.value;
    if (!bags || !rows || uses.count(rows) !== 1) return undefined;
    build.fire('simplify: sum of gathered rows');
    const [table, indices] = rows.args.map((arg) => rebuilder.ref(arg)) as [Ref, Ref];
    const { rows: count, terms } = bags;
    const [, n, inner] = table.shape as readonly number[];
    const made = routineResult(build, {
      kind: 'routine',
      dtype: value.dtype,
      shape: [count, inner as number],
      args: [
        viewed(table.value, {
          ...table,
          shape: [n as number, inner as number],
          strides: table.strides.slice(1),
        }),
        build.reshape(indices, [count, terms], rows.node),
      ],
      details: { kernel: 'gatherSum', integers: rows.details.integers },
      // Errors about an index name the node that gathers.
      node: rows.node,
    });
    return build.reshape(made, value.shape, value.node);
  });
  return yield* rebuilder.run(roots, order);
}

/** How many rows the result has, and how many gathered rows are added for each. */
interface Bags {
  readonly rows: number;
  readonly terms: number;
}

/**
 * If a value is the sum of gathered rows whose indices are adjacent, returns how many are added. Otherwise returns
 * undefined.
 */
function bagsOf({ kind, shape, args, details }: Value): Bags | undefined {
  const [ref] = args;
  if (kind !== 'reduce' || details.kernel !== 'sum' || ref === undefined) return undefined;
  const { value } = ref;
  if (value.kind !== 'routine' || value.details.kernel !== 'gather' || shape.length === 0)
    return undefined;
  const [outer, , inner] = value.shape as readonly [number, number, number];
  if (!isFloating(value.dtype) || outer !== 1 || shape.at(-1) !== inner) return undefined;
  // The rows in the order of the indices: the kept axes but the last, the axes that are reduced, and the last kept axis.
  const last = shape.length - 1;
  const axes = [...ref.shape.keys()].filter((axis) => axis !== last);
  const inOrder = [...axes, last];
  const view = {
    offset: ref.offset,
    shape: inOrder.map((axis) => ref.shape[axis] as number),
    strides: inOrder.map((axis) => ref.strides[axis] as number),
  };
  if (!isWhole(view, value.size)) return undefined;
  const rows = count(shape.slice(0, last));
  return { rows, terms: value.size / inner / rows };
}
