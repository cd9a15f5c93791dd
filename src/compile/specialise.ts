/** All passes, for one binding of the dimension names. */

import type { Updates } from '../evaluate/interpreter.js';
import { executionOrder } from '../evaluate/lowered.js';
import type { Bindings } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import { panelBytes } from '../native/program.js';
import { bytesOf } from '../tensor/dtype.js';
import type { Encoded, Stats } from './encoded.js';
import { Builder, type Fired } from './ir/builder.js';
import type { Ref } from './ir/value.js';
import { count } from './ir/view.js';
import { arrange } from './passes/arena.js';
import { encode } from './passes/encode.js';
import { fuse } from './passes/fuse.js';
import { instruct } from './passes/instruct.js';
import type { Instructions } from './passes/instruction.js';
import { lower } from './passes/lower.js';
import { Placement } from './passes/place.js';
import { share } from './passes/share/index.js';
import { simplify } from './passes/simplify.js';

/**
 * Runs the passes, one at each step, so that whoever must not keep the JavaScript thread can let others
 * have it in between.
 * @param fired counts how often each rewrite was made
 * @throws ShapeError where the graph does not fit under this binding
 */
export function* specialisation(
  outputs: readonly Node[],
  updates: Updates,
  bindings: Bindings,
  fired: Fired = new Map(),
): Generator<undefined, Encoded> {
  const wanted = [...outputs, ...updates.map(([, value]) => value)];
  const build = new Builder(fired);
  const lowered = lower(executionOrder(wanted), bindings, build);
  yield;
  const simplified = simplify(
    wanted.map((node) => lowered.get(node) as Ref),
    build,
  );
  yield;
  const roots = share(simplified, build);
  yield;
  const fused = fuse(
    roots.slice(0, outputs.length),
    updates.map(([leaf], i) => ({ leaf, ref: roots[outputs.length + i] as Ref })),
    build,
  );
  yield;
  const placement = new Placement(fused, fired);
  yield;
  const instructions = instruct(fused, placement, panelBytes, fired);
  const arena = arrange(instructions, fired);
  yield;
  const encoded = encode(instructions, arena);
  const valueBytes = fused.order.reduce(
    (bytes, { kind, size, dtype }) => bytes + (kind === 'leaf' ? 0 : size * bytesOf[dtype]),
    0,
  );
  return {
    ...encoded,
    stats: {
      ...statsOf(instructions),
      arenaBytes: arena.bytes,
      leafBytes: leafBytes(encoded),
      valueBytes,
    },
  };
}

/** Runs all passes. @throws ShapeError where the graph does not fit under this binding */
export function specialise(...graph: Parameters<typeof specialisation>): Encoded {
  return finished(specialisation(...graph));
}

/** What passes come to, without a pause. */
export function finished(passes: Generator<undefined, Encoded>): Encoded {
  for (;;) {
    const { done, value } = passes.next();
    if (done) return value;
  }
}

function statsOf({ list }: Instructions): Omit<Stats, 'arenaBytes' | 'leafBytes' | 'valueBytes'> {
  const productShapes: [number, number, number][] = [];
  let groups = 0;
  let packedBytes = 0;
  for (const instruction of list) {
    if (instruction.kind === 'product')
      productShapes.push([instruction.m, instruction.n, instruction.k]);
    if (instruction.kind === 'batch') {
      const { a, c } = instruction;
      const [m, n] = c.shape.slice(-2) as [number, number];
      productShapes.push([m * count(c.shape.slice(0, -2)), n, a.shape.at(-1) as number]);
    }
    if (instruction.kind === 'group') groups++;
    if (instruction.kind === 'pack')
      packedBytes += instruction.to.memory.length * bytesOf[instruction.to.memory.dtype];
  }
  return {
    instructions: list.length,
    products: productShapes.length,
    productShapes,
    groups,
    packedBytes,
  };
}

function leafBytes({ leaves }: Pick<Encoded, 'leaves'>): number {
  return leaves.reduce((bytes, { value, dtype }) => bytes + value.size * bytesOf[dtype], 0);
}
