/** The steps of loops in the reference executor: the body of a loop is a schedule that runs once in each step. */

import { type Bindings, bindDim } from '../graph/dimension.js';
import type { Leaf } from '../graph/leaf.js';
import {
  boundSteps,
  type Carry,
  dividedInputs,
  type Loop,
  type LoopResult,
  loopOf,
  rootOf,
} from '../graph/loop.js';
import type { Node } from '../graph/node.js';
import { reachable } from '../graph/topology.js';
import { prepareMap } from '../native/kernels.js';
import { rowMajorLayout } from '../primitives/layout.js';
import type { Step } from '../primitives/record.js';
import type { TypedArray } from '../tensor/dtype.js';
import { sizeOf } from '../tensor/shape.js';
import { allocate } from '../tensor/tensor.js';
import type { Course } from './course.js';
import { executionOrder } from './lowered.js';
import type { Schedule } from './schedule.js';

/** Makes the schedule of the body; the constructor of `Schedule`, which imports this file. */
type MakeSchedule = (order: readonly Node[], kept: readonly Node[]) => Schedule;

/**
 * Prepares the step of a loop, which writes the results with these keys, in their order. If a search of the course ends
 * within the loop, the results are not complete.
 * @param scan a node of the op `scan`
 * @throws ShapeError if a dimension of the body is negative or invalid under this binding
 */
export function prepareLoop(
  scan: Node,
  keys: readonly string[],
  bindings: Bindings,
  course: Course,
  makeSchedule: MakeSchedule,
): Step {
  const loop = loopOf(scan) as Loop;
  const { search } = course;
  const wanted = keys.map((key) => loop.results.get(key) as LoopResult);
  const sought = (search?.nodesIn(scan) ?? []).map((node) => ({ kind: 'rows', node }) as const);
  const carries = activeCarries(loop, [...sought, ...wanted]);
  const computed = [...sought, ...wanted].map(rootOf);
  const roots = [...new Set([...computed, ...carries.map(({ next }) => next)])];
  const schedule = makeSchedule(executionOrder(roots), roots);
  const steps = boundSteps(scan, bindings);
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
    const only = search?.iterationOf(scan);
    course.loop(scan, (begin) => {
      for (let step = 0; step < steps; step++) {
        const t = loop.reverse ? steps - 1 - step : step;
        begin(t);
        index[0] = t;
        loop.rows.forEach((leaf, i) => {
          const size = sizes[i] as number;
          feeds.set(leaf, { data: (over[i] as TypedArray).subarray(t * size, (t + 1) * size) });
        });
        carries.forEach(({ argument }, i) => {
          feeds.set(argument, { data: now[i] as TypedArray });
        });
        if (only !== undefined) search?.pause(step !== only);
        schedule.run(feeds, run);
        if (step === only) search?.end();
        if (search?.ended) return;
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
    });
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
