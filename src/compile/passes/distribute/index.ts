/**
 * Distribute: moves work out of loops. The example is a recurrent layer with a readout, h' = tanh(x V + h W), y = h' U, in a
 * loop over 100 steps of a batch of 16 (64 inputs, 128 units, 10 outputs; sizes are M x N x K):
 *
 *     before, in each step               after
 *     x V      16 x 128 x 64             X V     1600 x 128 x 64     before the loop: it depends on no carry
 *     h W      16 x 128 x 128            h W     16 x 128 x 128      in the loop
 *     h' U     16 x 10 x 128             H U     1600 x 10 x 128     after the loop: no carry depends on it
 *     dU += h' dy                        dU = H' dY   128 x 10 x 1600
 *
 * What is moved are products and sums of rows, with the element-wise values between them. The steps become rows of the
 * product, or terms of its sums if the loop adds its results. The operands that a later product needs are stacked by the
 * loop. Inner loops come first, so that what leaves an inner loop can leave the outer loop, too.
 *
 * What would take far more memory for all steps than the loop takes anyway stays in the loop (`allowance.ts`). It is then
 * computed, or added to its sum, in each step.
 */

import type { Sliced } from '../../../graph/sliced.js';
import type { Builder } from '../../../ir/builder.js';
import type { IrLoop } from '../../../ir/loop.js';
import type { Ref, Value } from '../../../ir/value.js';
import { Rebuilder } from '../rebuild.js';
import { simplify } from '../simplify/index.js';
import { distributed } from './loop.js';

export function* distribute(roots: readonly Ref[], build: Builder): Sliced<Ref[]> {
  const order = yield* build.valuesOf(roots);
  const read = new Map<Value, Set<number>>();
  for (let i = 0; i < order.length; i++) {
    const { details, args } = order[i] as Value;
    if (build.pace.due()) yield;
    if (details.loop) yield* simplifyBody(details.loop);
    const of = details.result === undefined ? undefined : (args[0] as Ref).value;
    if (!of || !details.result || !of.details.loop) continue;
    const results = read.get(of) ?? new Set();
    read.set(of, results.add(details.result - 1));
  }
  if (read.size === 0) return [...roots];
  /** For each loop, what has become of its results. */
  const moved = new Map<Value, ReadonlyMap<number, Ref>>();
  const rebuilder: Rebuilder = new Rebuilder(build, (value) => {
    const { details, args } = value;
    if (details.loop) {
      const operands = args.map((arg) => rebuilder.ref(arg));
      const made = distributed(value, operands, read.get(value) ?? new Set(), build);
      moved.set(value, made.results);
      return made.loop;
    }
    if (details.result === undefined) return undefined;
    return moved.get((args[0] as Ref).value)?.get(details.result - 1);
  });
  const rebuilt = yield* rebuilder.run(roots, order);
  return yield* simplify(rebuilt, build);
}

function* simplifyBody(loop: IrLoop): Sliced<void> {
  const { build } = loop;
  loop.roots = yield* distribute(yield* simplify(loop.roots, build), build);
  yield* build.forgetOthers(loop.roots);
}
