/** Runs the passes on the bodies of loops, which have values of their own. */

import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import type { IrLoop } from '../../ir/loop.js';
import type { Ref } from '../../ir/value.js';
import { chunkRows } from './chunks.js';
import { fuse } from './fuse.js';
import type { Fused } from './fused-loop.js';
import { layout } from './layout.js';
import { settle } from './settle.js';
import { share } from './share/index.js';

/**
 * Shares products in the bodies of the loops on which the roots depend, chooses the order of axes there, and makes the
 * operands of the loops such that the bodies can read them. Inner loops come first. Returns the roots.
 */
export function* settleLoops(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const chunked = yield* chunkRows(roots, build);
  const loops = yield* loopsIn(chunked, build);
  if (loops.length === 0) return [...roots];
  for (const loop of loops) {
    const shared = yield* share(loop.roots, loop.build);
    yield* loop.build.forgetOthers(shared);
    loop.roots = yield* settleLoops(yield* layout(shared, loop.build), loop.build);
    yield* loop.build.forgetOthers(loop.roots);
  }
  return yield* settle(chunked, build);
}

/** Fuses the bodies of the loops on which the roots depend, also of loops in bodies. Adds them to `bodies`. */
export function* fuseBodies(
  roots: readonly Ref[],
  build: Builder,
  bodies: Map<IrLoop, Fused> = new Map(),
): Sliced<ReadonlyMap<IrLoop, Fused>> {
  for (const loop of yield* loopsIn(roots, build)) {
    if (bodies.has(loop)) continue;
    yield* fuseBodies(loop.roots, loop.build, bodies);
    bodies.set(loop, yield* fuse(loop.roots, [], loop.build, undefined, bodies));
  }
  return bodies;
}

function* loopsIn(roots: readonly Ref[], build: Builder): Sliced<IrLoop[]> {
  const order = yield* build.valuesOf(roots);
  const found = new Set<IrLoop>();
  for (let i = 0; i < order.length; i++) {
    const loop = order[i]?.details.loop;
    if (loop) found.add(loop);
    if (build.pace.due()) yield;
  }
  return [...found];
}
