/** Runs the passes on the bodies of loops, which have values of their own. */

import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import type { IrLoop } from '../../ir/loop.js';
import type { Ref } from '../../ir/value.js';
import { fuse } from './fuse.js';
import type { Fused } from './fused-loop.js';
import { layout } from './layout.js';
import { share } from './share/index.js';
import { simplify } from './simplify/index.js';

/** Fuses the bodies of the loops on which the roots depend, also of loops in bodies. Adds them to `bodies`. */
export function* fuseBodies(
  roots: readonly Ref[],
  build: Builder,
  bodies: Map<IrLoop, Fused> = new Map(),
): Sliced<ReadonlyMap<IrLoop, Fused>> {
  const order = yield* build.valuesOf(roots);
  for (let i = 0; i < order.length; i++) {
    const loop = order[i]?.details.loop;
    if (build.pace.due()) yield;
    if (loop && !bodies.has(loop)) bodies.set(loop, yield* fuseBody(loop, bodies));
  }
  return bodies;
}

function* fuseBody(loop: IrLoop, bodies: Map<IrLoop, Fused>): Sliced<Fused> {
  const { build } = loop;
  const simplified = yield* simplify(loop.roots, build);
  yield* build.forgetOthers(simplified);
  const shared = yield* share(simplified, build);
  yield* build.forgetOthers(shared);
  const roots = yield* layout(shared, build);
  yield* fuseBodies(roots, build, bodies);
  return yield* fuse(roots, [], build, undefined, bodies);
}
