/**
 * The wait list: for each node, the edges over which a gradient must arrive before the node sums
 * what it got and passes the sum on. The idea that forebay started from.
 */

import { brand, describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { GraphError } from '../errors.js';
import { Constant } from './leaf.js';
import { isNode, type Node } from './node.js';
import { reachable } from './topology.js';

/**
 * One use of `node`: as input number `slot` of `parent`. `mul(x, x)` is two edges. An outside
 * source, such as the error that starts a pass, is a name, and its slot is -1.
 */
export interface Edge {
  /** Who waits. */
  readonly node: Node;
  /** Who sends: a parent of the node, or an outside source by its name. */
  readonly parent: Node | string;
  /** Which input of the parent the node is; -1 for an outside source. */
  readonly slot: number;
}

let isOurs: (value: object) => boolean;

/** For each node, the edges over which a gradient must arrive before the node sums what it got and passes the sum on. */
export class WaitList {
  static {
    brand(WaitList);
    isOurs = (value) => #edges in value;
  }

  readonly #edges = new Map<Node, Edge[]>();

  /**
   * Registers every edge reachable from the roots: only parents on a path to a root are waited for.
   * @throws GraphError if a root is not a node
   */
  static of(...roots: Node[]): WaitList {
    const waits = new WaitList();
    for (const root of roots) waits.#of(assertNode(root, 'WaitList.of'));
    // Parents come in the order of construction, so every node's edges are in order from the start.
    for (const parent of reachable(roots)) {
      for (const [slot, node] of parent.inputs.entries()) {
        waits.#of(node).push({ node, parent, slot });
      }
    }
    return waits;
  }

  /**
   * Registers one parent by hand, with all its edges to `node`. A string registers an outside
   * source: something that is no node and will send a gradient by that name.
   * @throws GraphError if `node` is not a node, or `parent` is not a node that uses it or a string
   */
  register(node: Node, parent: Node | string): this {
    assertNode(node, 'register');
    const edges = this.#of(node);
    const added =
      typeof parent === 'string' ? [{ node, parent, slot: -1 }] : edgesBetween(node, parent);
    for (const edge of added) {
      if (indexOfEdge(edges, edge.parent, edge.slot) >= 0) continue;
      edges.splice(placeOfEdge(edges, edge.parent, edge.slot), 0, edge);
    }
    return this;
  }

  /**
   * The edges that `node` waits for, ordered by parent and slot; empty for a node that waits for none.
   * @throws GraphError if `node` is not a node
   */
  edges(node: Node): readonly Edge[] {
    assertNode(node, 'edges');
    return this.#edges.get(node) ?? [];
  }

  /** All nodes of the list: those that wait, and the roots it was made of. */
  nodes(): readonly Node[] {
    return [...this.#edges.keys()].sort((a, b) => a.id - b.id);
  }

  /**
   * Whether the node is on the list: it waits for a parent, or is one of the roots.
   * @throws GraphError if `node` is not a node
   */
  has(node: Node): boolean {
    assertNode(node, 'has');
    return this.#edges.has(node);
  }

  /**
   * Whether `node` waits for this very use of it; for an outside source `slot` is left out.
   * @throws GraphError if `node` is not a node, `parent` is neither a node nor a string, or `slot` is not an integer
   */
  isRegistered(node: Node, parent: Node | string, slot = -1): boolean {
    if (typeof parent !== 'string') assertNode(parent, 'isRegistered');
    if (!Number.isInteger(slot)) {
      throw new GraphError(
        `isRegistered: expected a slot (an integer), but received ${describeValue(slot)}`,
      );
    }
    return indexOfEdge(this.edges(node), parent, slot) >= 0;
  }

  /**
   * Checks the wiring against the graph below the roots.
   * @throws GraphError, naming both nodes, if an edge is not registered (only constants may go without: nobody asks
   *   for their gradient), or a registered parent can never send; and if a root is not a node
   */
  check(...roots: Node[]): void {
    for (const root of roots) assertNode(root, 'check');
    const nodes = reachable(roots);
    const below = new Set(nodes);
    for (const parent of nodes) {
      parent.inputs.forEach((node, slot) => {
        const optional = node instanceof Constant && this.edges(node).length === 0;
        if (!optional && !this.isRegistered(node, parent, slot))
          throw notRegistered(node, parent, slot);
      });
    }
    for (const [node, edges] of this.#edges) {
      for (const { parent } of edges) {
        if (typeof parent !== 'string' && !below.has(parent)) {
          throw new GraphError(
            `${node} waits for ${parent}, which can never send: no root depends on it (roots: ${roots.join(', ')})`,
          );
        }
      }
    }
  }

  /** A copy that can be added to without changing this one. */
  clone(): WaitList {
    const copy = new WaitList();
    for (const [node, edges] of this.#edges) copy.#edges.set(node, [...edges]);
    return copy;
  }

  #of(node: Node): Edge[] {
    const edges = this.#edges.get(node) ?? [];
    this.#edges.set(node, edges);
    return edges;
  }
}

export function notRegistered(node: Node, parent: Node | string, slot: number): GraphError {
  if (typeof parent !== 'string' && slot < 0) {
    return new GraphError(`${parent} does not use ${node} as an input, so it cannot send to it`);
  }
  const use =
    typeof parent === 'string' ? `the outside source '${parent}'` : `${parent} (its input ${slot})`;
  const argument = typeof parent === 'string' ? `'${parent}'` : 'parent';
  return new GraphError(
    `${node} does not wait for ${use}: the edge is not registered; call waits.register(node, ${argument})`,
  );
}

// Made once per parent: a stack of a thousand steps is registered as the parent of each of them.
const slots = new WeakMap<Node, ReadonlyMap<Node, readonly number[]>>();

function slotsOf(parent: Node): ReadonlyMap<Node, readonly number[]> {
  const known = slots.get(parent);
  if (known) return known;
  const made = new Map<Node, number[]>();
  for (const [slot, input] of parent.inputs.entries()) {
    const list = made.get(input);
    if (list) list.push(slot);
    else made.set(input, [slot]);
  }
  slots.set(parent, made);
  return made;
}

function edgesBetween(node: Node, parent: Node): Edge[] {
  assertNode(parent, 'register');
  const edges = (slotsOf(parent).get(node) ?? []).map((slot) => ({ node, parent, slot }));
  if (edges.length === 0) {
    throw new GraphError(
      `register: ${parent} does not use ${node} as an input, so it can never send to it`,
    );
  }
  return edges;
}

/** Where an edge stands among the ordered edges of a node, or -1. */
export function indexOfEdge(edges: readonly Edge[], parent: Node | string, slot: number): number {
  const place = placeOfEdge(edges, parent, slot);
  const found = edges[place];
  return found && found.parent === parent && found.slot === slot ? place : -1;
}

/**
 * Where an edge stands or would stand: how many come before it. By bisection: a weight that a
 * thousand steps share has thousands of edges, and each is looked up once.
 */
export function placeOfEdge(edges: readonly Edge[], parent: Node | string, slot: number): number {
  const wanted = { parent, slot } as Edge;
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byParent(edges[middle] as Edge, wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** By the parent's place in the graph, then by slot; outside sources last, by name. */
function byParent(a: Edge, b: Edge): number {
  if (typeof a.parent === 'string' || typeof b.parent === 'string') {
    if (typeof a.parent !== 'string') return -1;
    if (typeof b.parent !== 'string') return 1;
    return a.parent < b.parent ? -1 : a.parent > b.parent ? 1 : 0;
  }
  return a.parent.id - b.parent.id || a.slot - b.slot;
}

function assertNode(value: unknown, method: string): Node {
  if (isNode(value)) return value;
  throw new GraphError(`${method}: expected a node, but received ${describeValue(value)}`);
}

/** Whether `value` is a wait list of this copy of forebay. Never throws. */
export function isWaitList(value: unknown): value is WaitList {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/** An option that is a wait list. */
export const waitList: Kind<WaitList> = {
  expected: 'a WaitList',
  accepts: isWaitList,
  error: GraphError,
};
