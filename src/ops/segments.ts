/**
 * Loops that keep their carries only at the start of each segment of steps. Such a loop is a loop over segments, in whose
 * body a loop runs over the steps of the segment. The outer loop recomputes: in the backward pass, each step of it runs the
 * inner loop again, and then backwards. What the inner loop keeps is memory for the steps of one segment.
 */

import { type Dim, floorDivideDim, multiplyDims, subtractDims } from '../graph/dimension.js';
import { Argument } from '../graph/leaf.js';
import { mostSteps } from '../graph/loop.js';
import type { Node } from '../graph/node.js';
import { rebuilt } from '../graph/substitute.js';
import { reachable } from '../graph/topology.js';
import {
  type ClosedLoop,
  closeLoop,
  describeScan,
  drawOfRows,
  isDraw,
  type OpenLoop,
} from './loop.js';
import { positions } from './positions.js';
import { slice } from './slice.js';
import { reshape } from './views.js';
import { concat } from './windows.js';

/** A loop whose results are rows, and the last values of the carries. */
type Closed = Omit<ClosedLoop, 'node'>;

/** Makes a loop in segments of `length` steps. The steps that are left over form a loop of their own. */
export function closeInSegments(given: OpenLoop, length: number): Closed {
  const every = Math.min(length, mostSteps);
  const { steps, reverse, carries } = given;
  if (typeof steps === 'number' && steps <= every) return closeLoop(given);
  const open = withRows(given);
  if (every === 1) return closeLoop({ ...open, recomputes: true });
  const count = floorDivideDim(steps, every);
  const end = multiplyDims(count, every);
  const left = subtractDims(steps, end);
  const started = (loop: OpenLoop, last: readonly Node[]): OpenLoop => ({
    ...loop,
    carries: loop.carries.map((carry, i) => ({ ...carry, initial: last[i] as Node })),
  });
  const initial = carries.map((carry) => carry.initial);
  const segments = (from: readonly Node[]) => loopOfSegments(started(open, from), count, every);
  if (left === 0) return segments(initial);
  const rest = (from: readonly Node[]) => loopOfRest(started(open, from), end, left);
  const [first, second] = reverse ? [rest, segments] : [segments, rest];
  const before = first(initial);
  const after = second(before.last);
  const [front, back] = reverse ? [after, before] : [before, after];
  return {
    last: after.last,
    results: front.results.map((rows, i) => concat([rows, back.results[i] as Node], 0)),
  };
}

/**
 * Puts rows in place of what else depends on the step in a body: the draws and the index. Each segment then reads some of
 * the rows. The loop gets an index that nothing reads.
 */
function withRows(open: OpenLoop): OpenLoop {
  const { name, steps, index } = open;
  const argument = (of: Node) =>
    new Argument(of.name ?? `#${of.id}`, of.shape, of.dtype, describeScan(name));
  const roots = rootsOf(open);
  const order = reachable(roots);
  const draws = order.filter((node) => isDraw(node) && node.id >= open.firstDraw);
  const rows = draws.map((draw) => ({ argument: argument(draw), over: drawOfRows(draw, steps) }));
  const replacements = new Map(draws.map((draw, i) => [draw, rows[i]?.argument as Node]));
  if (order.includes(index)) rows.push({ argument: index, over: positions(steps) });
  return withRoots(
    { ...open, rows: [...open.rows, ...rows], index: argument(index) },
    rebuilt(roots, replacements),
  );
}

/** Returns the next values of the carries, then the results. */
function rootsOf({ carries, results }: OpenLoop): readonly Node[] {
  return [...carries.map(({ next }) => next), ...results.map(({ node }) => node)];
}

/** Returns the loop with other roots. */
function withRoots(open: OpenLoop, roots: readonly Node[]): OpenLoop {
  const { carries, results } = open;
  return {
    ...open,
    carries: carries.map((carry, i) => ({ ...carry, next: roots[i] as Node })),
    results: results.map((result, i) => ({ ...result, node: roots[carries.length + i] as Node })),
  };
}

/** The steps before `count * every`, as a loop over segments. */
function loopOfSegments(open: OpenLoop, count: Dim, every: number): Closed {
  const { name, rows, carries } = open;
  const own = name === undefined ? undefined : `${name}.segments`;
  const argument = (of: Argument, shape = of.shape) =>
    new Argument(of.name as string, shape, of.dtype, describeScan(own));
  const end = multiplyDims(count, every);
  const outer = {
    index: argument(open.index),
    rows: rows.map(({ argument: of, over }) => ({
      argument: argument(of, [every, ...of.shape]),
      over: reshape(slice(over, { axis: 0, start: 0, end }), [count, every, ...of.shape]),
    })),
    carries: carries.map(({ argument: of }) => argument(of)),
  };
  const inner = closeLoop({
    ...open,
    steps: every,
    rows: rows.map((row, i) => ({ ...row, over: outer.rows[i]?.argument as Node })),
    carries: carries.map((carry, i) => ({ ...carry, initial: outer.carries[i] as Node })),
  });
  const made = closeLoop({
    ...open,
    name: own,
    steps: count,
    index: outer.index,
    rows: outer.rows,
    carries: carries.map((carry, i) => ({
      ...carry,
      argument: outer.carries[i] as Argument,
      next: inner.last[i] as Node,
    })),
    results: inner.results.map((node) => ({ kind: 'rows', node })),
    recomputes: true,
  });
  return {
    last: made.last,
    results: made.results.map((node) => reshape(node, [end, ...node.shape.slice(2)])),
  };
}

/** The steps from `start` on, with arguments of their own. */
function loopOfRest(open: OpenLoop, start: Dim, left: Dim): Closed {
  const name = open.name === undefined ? undefined : `${open.name}.rest`;
  const again = ({ name: label, shape, dtype }: Argument) =>
    new Argument(label as string, shape, dtype, describeScan(name));
  const replacements = new Map<Node, Node>();
  const replaced = (of: Argument) => {
    const made = again(of);
    replacements.set(of, made);
    return made;
  };
  const rows = open.rows.map(({ argument, over }) => ({
    argument: replaced(argument),
    over: slice(over, { axis: 0, start, end: (over.shape as readonly [Dim])[0] }),
  }));
  const carries = open.carries.map((carry) => ({ ...carry, argument: replaced(carry.argument) }));
  return closeLoop({
    ...withRoots({ ...open, carries }, rebuilt(rootsOf(open), replacements)),
    name,
    steps: left,
    rows,
    index: again(open.index),
  });
}
