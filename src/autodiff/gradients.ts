/** What a backward pass found: the gradient of every node that the root depends on. */

import { brand, describeValue } from '../arguments/describe.js';
import { GraphError } from '../errors.js';
import { Constant } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { isWaitList, type WaitList } from '../graph/waitlist.js';

/** What a finished pass answers. */
interface Totals {
  gradient(node: Node): Node;
  reaches(node: Node): boolean;
}

let isOurs: (value: object) => boolean;

/** What a backward pass found: the gradient of every node that the root depends on, as a node. */
export class Gradients {
  static {
    brand(Gradients);
    isOurs = (value) => #totals in value;
  }

  readonly #totals: Totals;
  readonly #waits: WaitList;

  /**
   * Made by `backward` and by a pass that has ended.
   * @throws GraphError if `waits` is not a WaitList, or `totals` cannot answer
   * @internal
   */
  constructor(totals: Totals, waits: WaitList) {
    if (!isWaitList(waits) || !answers(totals)) {
      throw new GraphError(
        `Gradients: expected a pass and its WaitList, but received ${describeValue(totals)} and ${describeValue(waits)}; backward(loss) makes them`,
      );
    }
    this.#totals = totals;
    this.#waits = waits;
  }

  /**
   * The gradient of the root with respect to `node`, of its shape and dtype; zeros where every path
   * to the root is stopped.
   * @throws GraphError if `node` is not a node, or the root does not depend on it
   */
  of(node: Node): Node {
    this.#assertBelow(node);
    return this.#totals.gradient(node);
  }

  /**
   * False where every path from `node` to the root is stopped: by stopGradient, or by an integer.
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
    // Constants may go unregistered on a list that was wired by hand.
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
