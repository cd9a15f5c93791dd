/** The results of a backward pass: the class `Gradients`. */

import { brand, describeValue } from '../arguments/describe.js';
import { GraphError } from '../errors.js';
import { Constant } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { isWaitList, type WaitList } from '../graph/waitlist.js';

/** The methods of a finished BackwardPass that `Gradients` calls. */
interface Totals {
  gradient(node: Node): Node;
  reaches(node: Node): boolean;
}

let isOurs: (value: object) => boolean;
let waitsOf: (gradients: Gradients) => WaitList;

/** The results of a backward pass: the gradient of every node that a root depends on. The gradients are nodes. */
export class Gradients {
  static {
    brand(Gradients);
    isOurs = (value) => #totals in value;
    waitsOf = (gradients) => gradients.#waits;
  }

  readonly #totals: Totals;
  readonly #waits: WaitList;

  /**
   * Users do not call this constructor. `backward` and `BackwardPass.run` call it.
   * @throws GraphError if `waits` is not a WaitList, or `totals` does not have the methods of a pass
   * @internal
   */
  constructor(totals: Totals, waits: WaitList) {
    if (!isWaitList(waits) || !answers(totals)) {
      throw new GraphError(
        `Gradients: expected a pass and its WaitList, but received ${describeValue(totals)} and ${describeValue(waits)}; backward(loss) returns Gradients`,
      );
    }
    this.#totals = totals;
    this.#waits = waits;
  }

  /**
   * Returns the gradient of the root with respect to `node`: a node with the shape and dtype of `node`. Every call
   * returns the same node. The gradient is zeros if no gradient flows on any path from the root to `node`.
   * @throws GraphError if `node` is not a node, or the root does not depend on it
   */
  of(node: Node): Node {
    this.#assertBelow(node);
    return this.#totals.gradient(node);
  }

  /**
   * Returns whether a gradient flows on some path from the root to `node`. Paths are blocked by `stopGradient`, by
   * int32 nodes, and by ops that are not differentiable.
   * @throws GraphError if `node` is not a node, or the root does not depend on it
   */
  reaches(node: Node): boolean {
    this.#assertBelow(node);
    return this.#totals.reaches(node);
  }

  #assertBelow(node: Node): void {
    if (!isNode(node)) {
      throw new GraphError(`gradients: expected a node, but received ${describeValue(node)}`);
    }
    if (this.#waits.has(node)) return;
    // The root may depend on a constant that is not on the wait list, because a list that was built by hand may leave
    // constants out.
    const why =
      node instanceof Constant
        ? `${node} is not on the wait list`
        : `the root does not depend on ${node}`;
    throw new GraphError(`${why}, so there is no gradient for it`);
  }
}

/** Returns whether `totals` has the methods of a pass. Never throws. */
function answers(totals: Totals): boolean {
  try {
    return typeof totals.gradient === 'function' && typeof totals.reaches === 'function';
  } catch {
    return false; // reading a method threw: `totals` is undefined, or a proxy whose traps throw
  }
}

/** Returns whether `value` is a Gradients that this copy of forebay made. Never throws. */
export function isGradients(value: unknown): value is Gradients {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/** Returns the nodes that have gradients, in the order in which they were made: the roots, and what they depend on. */
export function differentiatedNodes(gradients: Gradients): readonly Node[] {
  return waitsOf(gradients).nodes();
}
