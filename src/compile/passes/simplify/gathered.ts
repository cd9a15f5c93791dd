/**
 * Sums of gathered rows, such as the sum of the embeddings of the words of a text. If nothing else reads the rows, one
 * routine adds them where they are, and they are not stored.
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import type { Target } from '../../../ir/target.js';
import { type Ref, Uses, type Value, viewed } from '../../../ir/value.js';
import { count, isWhole } from '../../../ir/view.js';
import { routineResult } from '../../../primitives/routine.js';
import { isFloating } from '../../../tensor/dtype.js';
import { Rebuilder } from '../rebuild.js';

/** Replaces the sums of gathered rows that nothing else reads. Returns the roots. */
export function* sumGathered(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  const sums = new Map<Value, Bags>();
  for (let i = 0; i < order.length; i++) {
    const value = order[i] as Value;
    if (build.pace.due()) yield;
    const bags = bagsOf(value, build.target);
    if (bags) sums.set(value, bags);
  }
  if (sums.size === 0) return [...roots];
  const uses = yield* Uses.of(order, roots, build.pace);
  // The uses are asked for before the first value is rebuilt, because they are stored by id.
  for (const value of sums.keys()) {
    const [rows] = value.args as readonly [Ref];
    if (uses.count(rows.value) !== 1) sums.delete(value);
  }
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    const bags = sums.get(value);
    if (!bags) return undefined;
    const { value: rows } = value.args[0] as Ref;
    build.fire('simplify: sum of gathered rows');
    const [table, indices] = rows.args.map((arg) => rebuilder.ref(arg)) as [Ref, Ref];
    const [, n, inner] = table.shape as readonly number[];
    const made = routineResult(build, {
      kind: 'routine',
      dtype: value.dtype,
      shape: [bags.sums, inner as number],
      args: [
        viewed(table.value, {
          ...table,
          shape: [n as number, inner as number],
          strides: table.strides.slice(1),
        }),
        build.reshape(indices, [bags.sums, bags.terms], rows.node),
      ],
      details: { kernel: 'gatherSum', integers: rows.details.integers },
      // Errors about an index name the node that gathers.
      node: rows.node,
    });
    return build.reshape(made, value.shape, value.node);
  });
  return yield* rebuilder.run(roots, order);
}

/** The sizes of a sum of gathered rows. */
interface Bags {
  /** The number of rows of the result. */
  readonly sums: number;
  /** The number of gathered rows that are added for each. */
  readonly terms: number;
}

/** If a value is the sum of gathered rows whose indices are adjacent, returns the sizes. Otherwise returns undefined. */
function bagsOf({ kind, shape, args, details }: Value, { gathered }: Target): Bags | undefined {
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
  const sums = count(shape.slice(0, last));
  if (sums < gathered.sums && value.size > gathered.elements) return undefined;
  return { sums, terms: value.size / inner / sums };
}
