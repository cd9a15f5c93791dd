/**
 * Chunks: if a loop alone reads a product, and in each step different columns of a row of it, such as those of the gates of
 * a merged product, the body gets them as views of one row. So its passes see which columns are beside one another, and it
 * may write to the row: a product is then added onto it in place (`share/accumulate.ts`).
 */

import { Argument } from '../../graph/leaf.js';
import { finished, type Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import { IrLoop } from '../../ir/loop.js';
import { type Ref, reachableFrom, Uses, type Value, viewed } from '../../ir/value.js';
import { boxOf, dense } from '../../ir/view.js';
import { loopValue } from '../../primitives/scan.js';
import { Rebuilder } from './rebuild.js';

export function* chunkRows(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  const uses = yield* Uses.of(order, roots, build.pace);
  const chunked = new Map<Value, readonly Chunk[]>();
  for (let i = 0; i < order.length; i++) {
    const value = order[i] as Value;
    if (build.pace.due()) yield;
    const chunks = value.details.loop ? chunksOf(value, value.details.loop, uses) : [];
    if (chunks.length > 0) chunked.set(value, chunks);
  }
  if (chunked.size === 0) return [...roots];
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    const chunks = chunked.get(value);
    if (!chunks) return undefined;
    const args = value.args.map((arg) => rebuilder.ref(arg));
    const loop = value.details.loop as IrLoop;
    const wholes = chunks.map(({ whole }) => rebuilder.ref(whole));
    return withChunks(value, loop, args, chunks, wholes, build);
  });
  return yield* rebuilder.run(roots, order);
}

/** The rows of one value that a loop alone reads, so that its body may write to them. */
interface Chunk {
  /** The value, with a first axis of steps. */
  readonly whole: Ref;
  /** The indices of the rows among those of the loop. */
  readonly rows: readonly number[];
}

function chunksOf({ args }: Value, loop: IrLoop, uses: Uses): Chunk[] {
  const first = loop.initials.length;
  const byValue = new Map<Value, number[]>();
  for (let i = 0; i < loop.rows.length; i++) {
    const { value, strides } = args[first + i] as Ref;
    const isRow = loop.count === 1 || strides[0] === value.size / loop.count;
    if (value.shape.length !== 2 || !isRow) continue;
    const rows = byValue.get(value);
    if (rows) rows.push(i);
    else byValue.set(value, [i]);
  }
  return [...byValue].flatMap(([value, rows]) => {
    const [height, width] = value.shape as readonly [number, number];
    if (value.kind !== 'product' || height % loop.count !== 0) return [];
    const shape = [loop.count, height / loop.count, width];
    const whole = viewed(value, dense(shape));
    const refs = rows.map((i) => args[first + i] as Ref);
    return uses.count(value) === rows.length && apart(refs, width) ? [{ whole, rows }] : [];
  });
}

/** Whether refs of a matrix read different columns of it. */
function apart(refs: readonly Ref[], width: number): boolean {
  const ranges = refs.map((ref) => {
    const box = boxOf(ref, [ref.value.size / width, width]);
    return [box?.start[1] ?? 0, box?.end[1] ?? Number.POSITIVE_INFINITY] as const;
  });
  ranges.sort((p, q) => p[0] - q[0]);
  return ranges.every((range, i) => i === 0 || (ranges[i - 1]?.[1] as number) <= range[0]);
}

/** Makes a loop again, with the rows of chunks in place of the rows in them. */
function withChunks(
  { details, node }: Value,
  loop: IrLoop,
  args: readonly Ref[],
  chunks: readonly Chunk[],
  wholes: readonly Ref[],
  build: Builder,
): Ref {
  const first = loop.initials.length;
  const body = loop.build;
  const replaced = new Map<unknown, Ref>();
  const added = chunks.map(({ rows }, i) => {
    const ref = wholes[i] as Ref;
    const shape = ref.shape.slice(1);
    const argument = new Argument('rows', shape, ref.value.dtype, 'a loop');
    const leaf = body.leaf(argument, shape, true);
    const size = ref.value.size / loop.count;
    for (const row of rows) {
      const { offset, shape: all, strides } = args[first + row] as Ref;
      replaced.set(
        loop.rows[row],
        viewed(leaf.value, {
          offset: offset % size,
          shape: all.slice(1),
          strides: strides.slice(1),
        }),
      );
    }
    return { argument, ref };
  });
  const values = reachableFrom(loop.roots);
  const rebuilder: Rebuilder = new Rebuilder(body, (value) => replaced.get(value.details.leaf));
  const roots = finished(rebuilder.run(loop.roots, values));
  const kept = loop.rows.flatMap((argument, i) =>
    replaced.has(argument) ? [] : [{ argument, ref: args[first + i] as Ref }],
  );
  const rows = [...kept, ...added];
  build.fire('chunks: rows of one value');
  return loopValue(build, {
    kind: 'scan',
    dtype: 'float32',
    shape: [],
    args: [
      ...args.slice(0, first),
      ...rows.map(({ ref }) => ref),
      ...args.slice(first + loop.rows.length),
    ],
    details: {
      ...details,
      loop: new IrLoop({
        roots,
        build: body,
        count: loop.count,
        reverse: loop.reverse,
        recomputes: loop.recomputes,
        carries: loop.carries,
        rows: rows.map(({ argument }) => argument),
        captures: loop.captures,
        found: loop.found,
      }),
    },
    node,
  });
}
