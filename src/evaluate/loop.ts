/** The steps of loops in the reference executor: the body of a loop is a schedule that runs once in each step. */

import { type Bindings, bindDim } from '../graph/dimension.js';
import type { Leaf } from '../graph/leaf.js';
import { type Carry, dividedInputs, type Loop, type LoopResult, rootOf } from '../graph/loop.js';
import type { Node } from '../graph/node.js';
import { reachable } from '../graph/topology.js';
import { prepareMap } from '../native/kernels.js';
import { rowMajorLayout } from '../primitives/layout.js';
import type { Step } from '../primitives/record.js';
import type { TypedArray } from '../tensor/dtype.js';
import { sizeOf } from '../tensor/shape.js';
import { allocate } from '../tensor/tensor.js';
import { executionOrder } from './lowered.js';
import type { Schedule } from './schedule.js';

/** Makes a schedule; the constructor of `Schedule`, which imports this file. */
type MakeSchedule = (order: readonly Node[], kept: readonly Node[], bindings: Bindings) => Schedule;

/**
 * Prepares the step of a loop, which writes the results with these keys, in their order.
 * @throws ShapeError if a dimension of the body is negative or invalid under this binding
 */
export function prepareLoop(
  loop: Loop,
  keys: readonly string[],
  bindings: Bindings,
  makeSchedule: MakeSchedule,
): Step {
  const wanted = keys.map((key) => loop.results.get(key) as LoopResult);
  const carries = activeCarries(loop, wanted);
  const roots = [...new Set([...wanted.map(rootOf), ...carries.map(({ next }) => next)])];
  const schedule = makeSchedule(executionOrder(roots), roots, bindings);
  const steps = bindDim(loop.steps, bindings);
  const sizeIn = ({ shape }: Node) => sizeOf(shape.map((dim) => bindDim(dim, bindings)));
  const sizes = loop.rows.map(sizeIn);
  const index = new Int32Array(1);
  // The carries at the start and at the end of a step. They change places after each step.
  let now = carries.map(({ argument }) => allocated(argument, bindings));
  let then = carries.map(({ argument }) => allocated(argument, bindings));
  const adders = wanted.map((result) => {
    if (result.kind !== 'sum') return undefined;
    const shape = [sizeIn(result.node)];
    const layout = rowMajorLayout(shape);
    return prepareMap('add', shape, layout, [layout, layout]);
  });
  return (_out, inputs, run, outs) => {
    const { initial, over, captured } = dividedInputs(loop, inputs);
    const feeds = new Map<Leaf, { readonly data: TypedArray }>([[loop.index, { data: index }]]);
    loop.captures.forEach((leaf, i) => {
      feeds.set(leaf, { data: captured[i] as TypedArray });
    });
    carries.forEach((carry, i) => {
      now[i]?.set(initial[loop.carries.indexOf(carry)] as TypedArray);
    });
    wanted.forEach(({ kind }, i) => {
      if (kind === 'sum') outs[i]?.fill(0);
    });
    for (let step = 0; step < steps; step++) {
      const t = loop.reverse ? steps - 1 - step : step;
      index[0] = t;
      loop.rows.forEach((leaf, i) => {
        const size = sizes[i] as number;
        feeds.set(leaf, { data: (over[i] as TypedArray).subarray(t * size, (t + 1) * size) });
      });
      carries.forEach(({ argument }, i) => {
        feeds.set(argument, { data: now[i] as TypedArray });
      });
      schedule.run(feeds, run);
      wanted.forEach((result, i) => {
        const out = outs[i] as TypedArray;
        if (result.kind === 'last') return;
        const value = schedule.valueOf(result.node, feeds);
        if (result.kind === 'rows') out.set(value, t * value.length);
        else adders[i]?.(out, out, value);
      });
      carries.forEach(({ next }, i) => {
        then[i]?.set(schedule.valueOf(next, feeds));
      });
      [now, then] = [then, now];
    }
    wanted.forEach((result, i) => {
      if (result.kind === 'last') outs[i]?.set(now[carries.indexOf(result.carry)] as TypedArray);
    });
  };
}

/** Returns the carries on which these results depend. */
export function activeCarries(loop: Loop, wanted: readonly LoopResult[]): readonly Carry[] {
  const active = new Set(
    wanted.flatMap((result) => (result.kind === 'last' ? [result.carry] : [])),
  );
  for (let before = -1; before < active.size; ) {
    before = active.size;
    const read = new Set(
      reachable([...wanted.map(rootOf), ...[...active].map(({ next }) => next)]),
    );
    for (const carry of loop.carries) if (read.has(carry.argument)) active.add(carry);
  }
  return loop.carries.filter((carry) => active.has(carry));
}

function allocated({ dtype, shape, scan }: Carry['argument'], bindings: Bindings): TypedArray {
  return allocate(
    dtype,
    shape.map((dim) => bindDim(dim, bindings)),
    scan,
  );
}
