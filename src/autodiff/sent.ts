/** The gradients that are sent over the edges of a wait list: their checks, their sums, and their names in errors. */

import { describeValue } from '../arguments/describe.js';
import { DTypeError, GraphError, ShapeError } from '../errors.js';
import { type Dim, type Shape, sameShape } from '../graph/dimension.js';
import { assertValue, isNode, type Node } from '../graph/node.js';
import { isPart, none, Part, type Sent } from '../graph/op.js';
import { resultsOf } from '../graph/results.js';
import type { Edge } from '../graph/waitlist.js';
import { mayFit } from '../graph/window.js';
import { addN, assemble } from '../ops/index.js';
import { formatShape } from '../tensor/shape.js';

/**
 * Returns a node that is the sum of the gradients that arrived at a node, or at one of its results; `none` if only
 * `none` arrived.
 * @param node a node with the shape of the sum
 */
export function total(node: Node, arrived: readonly Sent[]): Node | typeof none {
  if (arrived.length === 1 && isNode(arrived[0])) return arrived[0];
  const gradients = arrived.filter((sent): sent is Node | Part => sent !== none);
  const [first] = gradients;
  if (first === undefined) return none;
  if (gradients.every(isNode)) {
    return gradients.length === 1 ? (first as Node) : addN(gradients as Node[]);
  }
  const whole = node.shape.map(() => 0);
  return assemble(
    node.shape,
    gradients.map((sent) => (isPart(sent) ? sent : new Part(sent, whole))),
  );
}

/** Checks that a gradient has the shape and dtype of its node, and that a part lies within the shape. */
export function verify({ node: receiver, parent }: Edge, sent: Sent): void {
  // A result sends its own gradient on to the node with several results.
  const node = resultsOf(receiver) && typeof parent !== 'string' ? parent : receiver;
  if (sent === none) return;
  assertValue(node, 'backward: expected nodes with a value, but');
  const gradient = isPart(sent) ? sent.gradient : sent;
  if (!isNode(gradient)) {
    throw new GraphError(
      `the gradient that ${nameOf(parent)} sent to ${receiver} must be a node, but is ${describeValue(gradient)}`,
    );
  }
  assertValue(gradient, `the gradient that ${nameOf(parent)} sent to ${receiver} must be a value:`);
  if (gradient.dtype !== node.dtype) {
    throw new DTypeError(
      `the gradient that ${nameOf(parent)} sent to ${receiver} must be ${node.dtype}, but is ${gradient.dtype}`,
    );
  }
  const fits = isPart(sent) ? within(sent, node.shape) : sameShape(gradient.shape, node.shape);
  if (!fits) {
    const steps = isPart(sent) && sent.step.some((by) => by !== 1);
    const part = isPart(sent)
      ? ` at ${formatShape(sent.start)}${steps ? ` in steps of ${formatShape(sent.step)}` : ''}`
      : '';
    throw new ShapeError(
      `the gradient that ${nameOf(parent)} sent to ${receiver} must ${part ? 'lie within' : 'have'} shape ${formatShape(node.shape)}, but has ${formatShape(gradient.shape)}${part}`,
    );
  }
}

/** Returns whether a part lies within a shape, as far as this can be decided before names are bound. */
function within({ gradient, start, step }: Part, shape: Shape): boolean {
  return (
    gradient.shape.length === shape.length &&
    start.length === shape.length &&
    step.length === shape.length &&
    gradient.shape.every((dim, axis) =>
      // If a position depends on a name, the op `assemble` checks it when the name is bound.
      mayFit(shape[axis] as Dim, start[axis] as Dim, dim, step[axis] as number),
    )
  );
}

/** Returns the sender of a gradient as text, for an error. */
function nameOf(from: Node | string): string {
  return typeof from === 'string' ? `the outside source '${from}'` : `${from}`;
}

/** Returns the edges as text, for an error. Only the first hundred are named. */
export function listed(edges: readonly Edge[]): string {
  const most = 100;
  const rest = edges.length > most ? ` and ${edges.length - most} more` : '';
  return edges.slice(0, most).map(describeEdge).join(', ') + rest;
}

/** Returns an edge as text, for an error. */
export function describeEdge({ parent, slot }: Edge): string {
  return typeof parent === 'string' ? nameOf(parent) : `${parent} (its input ${slot})`;
}
