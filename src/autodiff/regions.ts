/**
 * Gradients that arrive for only a region of a node, because only slices of the node are read. The gradient rule is then
 * called for this region, and sends parts, if the op says on which regions of its inputs it depends (`local`).
 */

import { ShapeError } from '../errors.js';
import { addDims, type Dim, type Shape, sameShape, subtractDims } from '../graph/dimension.js';
import { isNode, type Node } from '../graph/node.js';
import { isPart, none, Part, type Sent } from '../graph/op.js';
import { isWholeOf, type Region } from '../graph/window.js';
import { addN, assemble } from '../ops/index.js';
import { windowOf } from '../ops/slice.js';
import { formatShape } from '../tensor/shape.js';

/**
 * If only parts arrived at a node, returns the smallest region that has all of their windows, and the sum of the parts in
 * it. Returns undefined if the region has most elements of the node, so that loops over the whole node take less time; if
 * a window has other steps than 1; or if the region of several windows depends on names.
 */
export function regional(
  node: Node,
  arrived: readonly Sent[],
): { readonly region: Region; readonly gradient: Node } | undefined {
  const parts: Part[] = [];
  for (const sent of arrived) {
    if (isPart(sent)) parts.push(sent);
    else if (sent !== none) return undefined;
  }
  const steps = (part: Part) =>
    part.step.some((by, axis) => by !== 1 && part.gradient.shape[axis] !== 1);
  if (parts.length === 0 || parts.some(steps)) return undefined;
  const region = regionOf(parts);
  if (!region || !isSmall(region, node.shape)) return undefined;
  const alike = parts.every(({ gradient }) => sameShape(gradient.shape, region.shape));
  const gradients = parts.map(({ gradient }) => gradient);
  if (alike)
    return { region, gradient: gradients.length === 1 ? (gradients[0] as Node) : addN(gradients) };
  const moved = parts.map(
    ({ gradient, start }) =>
      new Part(
        gradient,
        start.map((at, axis) => subtractDims(at, region.start[axis] as Dim)),
      ),
  );
  return { region, gradient: assemble(region.shape, moved) };
}

/**
 * Returns the smallest region that has the windows of all parts. Returns undefined if it depends on names, other than
 * along axes where all windows have the same start and length.
 */
function regionOf(parts: readonly Part[]): Region | undefined {
  const [first] = parts as readonly [Part, ...Part[]];
  const [start, shape] = [[...first.start], [...first.gradient.shape]];
  for (let axis = 0; axis < start.length; axis++) {
    const alike = parts.every(
      (part) => part.start[axis] === start[axis] && part.gradient.shape[axis] === shape[axis],
    );
    if (alike) continue;
    let [least, most] = [Infinity, 0];
    for (const part of parts) {
      const [from, length] = [part.start[axis], part.gradient.shape[axis]];
      if (typeof from !== 'number' || typeof length !== 'number') return undefined;
      least = Math.min(least, from);
      most = Math.max(most, from + length);
    }
    start[axis] = least;
    shape[axis] = most - least;
  }
  return { start, shape };
}

/** If a region has more than this share of the elements of its node, the gradient rule is called for the whole node. */
const mostShare = 0.75;

/** Returns whether the region of a node of this shape has at most `mostShare` of its elements, as far as this is known. */
function isSmall(region: Region, shape: Shape): boolean {
  let share = 1;
  for (const [axis, length] of region.shape.entries()) {
    const whole = shape[axis];
    if (length === whole) continue;
    if (typeof length !== 'number' || typeof whole !== 'number') return true;
    share *= length / whole;
  }
  return share <= mostShare;
}

/** Returns the elements of a region of a node. */
export function sliceOf(node: Node, { start, shape }: Region): Node {
  return windowOf(
    node,
    start,
    shape.map(() => 1),
    shape,
  );
}

/**
 * Returns a gradient that the rule of `node` gives for a region of its input `slot`, as a gradient for the input. Leaves
 * what is no gradient to the checks of the pass.
 */
export function asPart(node: Node, slot: number, sent: Sent, region: Region | undefined): Sent {
  const input = node.inputs[slot];
  if (!input || !region || isWholeOf(region, input.shape)) return sent;
  if (isPart(sent)) {
    const start = region.start.map((at, axis) => addDims(at, sent.start[axis] as Dim));
    return new Part(sent.gradient, start, sent.step);
  }
  if (!isNode(sent)) return sent;
  if (sameShape(sent.shape, region.shape)) return new Part(sent, region.start);
  throw new ShapeError(
    `${node}: expected a gradient of shape ${formatShape(region.shape)} for the region of input ${slot}, but received ${formatShape(sent.shape)}`,
  );
}
