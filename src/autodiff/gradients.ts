/** The results of a backward pass. */

import { brand, describeValue } from '../arguments/describe.js';
import { GraphError } from '../errors.js';
import { Constant } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { isWaitList, type WaitList } from '../graph/waitlist.js';

/** The methods of a finished pass that are used here. */
interface Totals {
  gradient(node: Node): Node;
  reaches(node: Node): boolean;
}

let isOurs: (value: object) => boolean;

/** The results of a backward pass: the gradient of every node that a root depends on. The gradients are nodes. */
export class Gradients {
  static {
    brand(Gradients);
    isOurs = (value) => #totals in value;
  }

  readonly #totals: Totals;
  readonly #waits: WaitList;

  /**
   * Made by `backward`, and by the method `run` of a BackwardPass.
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
   * Returns the gradient of the root with respect to `node`, of the shape and dtype of `node`. The same node is returned at
   * every call. It is zeros if no gradient flows on any path from the root to `node`.
   * @throws GraphError if `node` is not a node, or the root does not depend on it
   */
  of(node: Node): Node {
    this.#assertBelow(node);
    return this.#totals.gradient(node);
  }

  /**
   * Returns false if no gradient flows on any path from the root to `node`, because of stopGradient, an int32 node or an
   * op that is not differentiable.
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
    // A wait list that was built by hand may lack constants.
    const why =
      node instanceof Constant
        ? `${node} is not on the wait list`
        : `the root does not depend on ${node}`;
    throw new GraphError(`${why}, so there is no gradient for it`);
  }
}

function answers(totals: Totals): boolean {
  try {
    return typeof totals.gradient === 'function' && typeof totals.reaches === 'function';
  } catch {
    return false; // undefined, or a proxy whose traps throw
  }
}

/** Whether `value` is the result of a backward pass of this copy of forebay. Never throws. */
export function isGradients(value: unknown): value is Gradients {
  return typeof value === 'object' && value !== null && isOurs(value);
}
