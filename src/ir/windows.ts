/**
 * Makes values that are assembled from windows. The blocks of an assembled value have no steps. If a window has a
 * negative step, its elements are read backwards instead. If windows have the step s along an axis of length L, this
 * axis is split into two axes, [L / s (rounded up), s]. The elements of a window then have the same index along the
 * second axis, and adjacent indices along the first, so the window is a block. If s does not divide L, the last
 * elements of the split axes, fewer than s, are not used.
 */

import type { Node } from '../graph/node.js';
import { assertWindows, type Window } from '../graph/window.js';
import { maxRank } from '../tensor/shape.js';
import { type Block, overlaps } from './blocks.js';
import type { Builder } from './builder.js';
import { narrow, type Ref, viewed } from './value.js';
import { count, reversed } from './view.js';

/** A window whose steps are positive, and the elements that are written to it. */
interface Placed {
  readonly ref: Ref;
  readonly start: readonly number[];
}

/** Windows that have the same steps. */
interface Alike {
  readonly steps: readonly number[];
  readonly windows: Placed[];
}

/**
 * Returns a value of shape `shape` that is assembled from operands, each written to its own window. If `adds` is true,
 * windows may overlap and leave gaps: where they overlap, the elements are added, and a gap is filled with zeros.
 * @throws ShapeError if a window is not within the shape
 */
export function assembleWindows(
  build: Builder,
  shape: readonly number[],
  windows: readonly Window[],
  operands: readonly Ref[],
  node: Node,
  adds: boolean,
): Ref {
  assertWindows(
    windows,
    shape,
    operands.map((operand) => operand.shape),
  );
  const { dtype } = node;
  if (windows.every(isPlain)) {
    const blocks: Block[] = [];
    windows.forEach(({ start, shape: lengths }, i) => {
      if (lengths.includes(0)) return;
      blocks.push({ start, ref: build.reshape(operands[i] as Ref, lengths, node) });
    });
    return build.assemble(dtype, shape, blocks, node, adds);
  }
  const sets = new Map<string, Alike>();
  windows.forEach((window, i) => {
    if (window.shape.includes(0)) return;
    const placed = ascending(window, build.reshape(operands[i] as Ref, window.shape, node));
    const key = placed.steps.join();
    const alike = sets.get(key);
    if (alike) alike.windows.push(placed);
    else sets.set(key, { steps: placed.steps, windows: [placed] });
  });
  const terms = [...sets.values()].map((alike) =>
    assembleAlike(build, shape, alike, node, adds || sets.size > 1),
  );
  if (terms.length === 0) return build.assemble(dtype, shape, [], node, adds);
  return terms.length === 1 ? (terms[0] as Ref) : build.sum(dtype, shape, terms, node);
}

/** Whether all steps of a window are 1. */
function isPlain({ step }: Window): boolean {
  return step === undefined || step.every((by) => by === 1);
}

/**
 * Returns a window and its elements with the axes reversed along which its step is negative, and with the steps along
 * each axis, which are 1 where the window has only one element.
 */
function ascending({ start, step }: Window, ref: Ref): Placed & { readonly steps: number[] } {
  const steps = ref.shape.map((size, axis) => (size === 1 ? 1 : (step?.[axis] ?? 1)));
  if (steps.every((by) => by > 0)) return { ref, start, steps };
  const turned = steps.reduce<Ref>(
    (r, by, axis) => (by < 0 ? viewed(r.value, reversed(r, axis)) : r),
    ref,
  );
  const first = start.map((at, axis) => {
    const by = steps[axis] as number;
    return by < 0 ? at + by * ((ref.shape[axis] as number) - 1) : at;
  });
  return { ref: turned, start: first, steps: steps.map(Math.abs) };
}

/** Returns a value that is assembled from windows with the same steps. */
function assembleAlike(
  build: Builder,
  shape: readonly number[],
  { steps, windows }: Alike,
  node: Node,
  adds: boolean,
): Ref {
  if (steps.every((by) => by === 1)) {
    return build.assemble(node.dtype, shape, windows, node, adds);
  }
  if (shape.length + steps.filter((by) => by > 1).length > maxRank && shape.includes(1)) {
    return withoutOnes(build, shape, { steps, windows }, node, adds);
  }
  /** Returns a list with one number for each axis, or with two for each axis that is split. */
  const split = (list: readonly number[], pair: (n: number, by: number) => number[]) =>
    list.flatMap((n, axis) => {
      const by = steps[axis] as number;
      return by === 1 ? [n] : pair(n, by);
    });
  const blocks: Block[] = windows.map(({ ref, start }) => ({
    start: split(start, (at, by) => [Math.floor(at / by), at % by]),
    ref: build.reshape(
      ref,
      split(ref.shape, (size) => [size, 1]),
      node,
    ),
  }));
  const lengths = split(shape, (size, by) => [Math.ceil(size / by), by]);
  const size = blocks.reduce((total, { ref }) => total + count(ref.shape), 0);
  // If the windows do not overlap and together have all elements of the shape, only unused elements are gaps.
  const gaps = size < count(shape) || overlaps(blocks);
  const whole = build.assemble(node.dtype, lengths, blocks, node, adds && gaps);
  const padded = shape.map((length, axis) => {
    const by = steps[axis] as number;
    return Math.ceil(length / by) * by;
  });
  return shape.reduce<Ref>(
    (ref, length, axis) => (padded[axis] === length ? ref : narrow(ref, axis, 0, length)),
    build.reshape(whole, padded, node),
  );
}

/** Does the same without the axes of length 1, because a value has at most `maxRank` axes. */
function withoutOnes(
  build: Builder,
  shape: readonly number[],
  { steps, windows }: Alike,
  node: Node,
  adds: boolean,
): Ref {
  const kept = (list: readonly number[]) => list.filter((_, axis) => shape[axis] !== 1);
  const alike = {
    steps: kept(steps),
    windows: windows.map(({ ref, start }) => ({
      ref: build.reshape(ref, kept(ref.shape), node),
      start: kept(start),
    })),
  };
  return build.reshape(assembleAlike(build, kept(shape), alike, node, adds), shape, node);
}
