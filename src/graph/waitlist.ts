/**
 * The wait list, the idea from which forebay started. It contains, for each node, the edges over which a gradient must
 * arrive. When all these gradients have arrived, the node sums them and sends gradients to its inputs.
 */

import { brand, describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { GraphError } from '../errors.js';
import { Constant } from './leaf.js';
import { isNode, type Node } from './node.js';
import { reachable, topologicalOrder } from './topology.js';

/**
 * One use of `node`, as input number `slot` of `parent`. `mul(x, x)` uses `x` twice, so it has two edges to `x`. A
 * gradient can also come from an outside source, for example the gradient with which a backward pass starts. The edge
 * of an outside source has the name of the source as its `parent`, and -1 as its `slot`.
 */
export interface Edge {
  /** The node that must receive a gradient over this edge. */
  readonly node: Node;
  /** The sender of the gradient: a parent of the node, or the name of an outside source. */
  readonly parent: Node | string;
  /** The index of the node among the inputs of the parent; -1 for an outside source. */
  readonly slot: number;
}

let isOurs: (value: object) => boolean;

/**
 * For each node, the edges over which a gradient must arrive before the node sums its gradients and sends gradients to
 * its inputs.
 */
export class WaitList {
  static {
    brand(WaitList);
    isOurs = (value) => #edges in value;
  }

  readonly #edges = new Map<Node, Edge[]>();

  /**
   * Returns a wait list of the graph that the roots depend on. A parent that no root depends on gets no edges, because
   * it never sends a gradient.
   * @throws GraphError if a root is not a node
   */
  static of(...roots: Node[]): WaitList {
    const waits = new WaitList();
    for (const root of roots) waits.#of(assertNode(root, 'WaitList.of'));
    // `reachable` returns the parents in the order of their ids. So the edges of every node are added in their order.
    for (const parent of reachable(roots)) {
      for (let slot = 0; slot < parent.inputs.length; slot++) {
        const node = parent.inputs[slot] as Node;
        const edge = { node, parent, slot };
        const edges = waits.#edges.get(node);
        if (edges) edges.push(edge);
        else waits.#edges.set(node, [edge]);
      }
    }
    return waits;
  }

  /**
   * Registers all edges from one parent to `node`. Edges that are registered already are not added again. Returns this
   * wait list.
   * @param parent a node that uses `node` as an input, or a string: the name of an outside source, which will send a
   *   gradient under this name
   * @throws GraphError if `node` is not a node, or `parent` is not a node that uses it or a string
   */
  register(node: Node, parent: Node | string): this {
    assertNode(node, 'register');
    const edges = this.#of(node);
    const added =
      typeof parent === 'string' ? [{ node, parent, slot: -1 }] : edgesBetween(node, parent);
    for (const edge of added) {
      if (indexOfEdge(edges, edge.parent, edge.slot) >= 0) continue;
      edges.splice(positionOfEdge(edges, edge.parent, edge.slot), 0, edge);
    }
    return this;
  }

  /**
   * Returns the edges over which `node` must receive gradients, ordered by parent and slot; an empty list if it has no
   * edges.
   * @throws GraphError if `node` is not a node
   */
  edges(node: Node): readonly Edge[] {
    assertNode(node, 'edges');
    return this.#edges.get(node) ?? [];
  }

  /**
   * Returns all nodes on the list, in the order in which they were made: the nodes with edges, and the roots given to
   * `WaitList.of`.
   */
  nodes(): readonly Node[] {
    return [...this.#edges.keys()].sort((a, b) => a.id - b.id);
  }

  /**
   * Returns whether the node is on the list: it has edges, or it is one of the roots given to `WaitList.of`.
   * @throws GraphError if `node` is not a node
   */
  has(node: Node): boolean {
    assertNode(node, 'has');
    return this.#edges.has(node);
  }

  /**
   * Returns whether one edge is registered: the use of `node` as input number `slot` of `parent`. If `parent` is the
   * name of an outside source, leave `slot` out.
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
   * Checks that the list fits the graph that the roots depend on.
   * @throws GraphError if an edge of the graph is not registered, or if a registered parent can never send a gradient,
   *   because no root depends on it (the message names both nodes); GraphError if a root is not a node. A constant may
   *   have no registered edges at all, because its gradient is not needed
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

  /** Returns a copy of the list. Edges that are registered on the copy do not change this list. */
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

/**
 * Returns a wait list of the paths that lead from a root to a source and end there, and the nodes on these paths. The
 * inputs of sources are not among them, and neither are nodes from which no path leads to a source.
 */
export function pathsBetween(
  roots: readonly Node[],
  sources: ReadonlySet<Node>,
): { readonly waits: WaitList; readonly on: ReadonlySet<Node> } {
  const waits = new WaitList();
  const on = new Set<Node>();
  const inputsOf = (node: Node) => (sources.has(node) ? [] : node.inputs);
  // Inputs precede the nodes that read them.
  for (const parent of topologicalOrder(roots, inputsOf)) {
    const leading = inputsOf(parent).filter((node) => on.has(node));
    if (leading.length > 0 || sources.has(parent)) on.add(parent);
    for (const node of leading) waits.register(node, parent);
  }
  return { waits, on };
}

/** Returns the error for a gradient that `parent` sends to `node` over an edge that is not registered. */
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

// For each parent, the slots of each of its inputs. They are computed once for each parent, because a node with a
// thousand inputs is registered as a parent a thousand times.
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

/** Returns the index of an edge in the ordered edges of a node; -1 if the edge is not among them. */
export function indexOfEdge(edges: readonly Edge[], parent: Node | string, slot: number): number {
  const index = positionOfEdge(edges, parent, slot);
  const found = edges[index];
  return found && found.parent === parent && found.slot === slot ? index : -1;
}

/**
 * Returns the index of an edge in `edges`, which are ordered. If the edge is not among them, returns the index at which
 * it must be inserted. Uses bisection, because a weight that a thousand time steps share has thousands of edges, and
 * each of them is looked up.
 */
export function positionOfEdge(
  edges: readonly Edge[],
  parent: Node | string,
  slot: number,
): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareToEdge(edges[middle] as Edge, parent, slot) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Compares an edge with the edge of a parent and a slot, for sorting: by the id of the parent, then by slot. Outside
 * sources come last, sorted by name.
 */
function compareToEdge(edge: Edge, parent: Node | string, slot: number): number {
  if (typeof edge.parent === 'string' || typeof parent === 'string') {
    if (typeof edge.parent !== 'string') return -1;
    if (typeof parent !== 'string') return 1;
    return edge.parent < parent ? -1 : edge.parent > parent ? 1 : 0;
  }
  return edge.parent.id - parent.id || edge.slot - slot;
}

function assertNode(value: unknown, method: string): Node {
  if (isNode(value)) return value;
  throw new GraphError(`${method}: expected a node, but received ${describeValue(value)}`);
}

/** Returns whether `value` is a wait list that this copy of forebay made. Never throws. */
export function isWaitList(value: unknown): value is WaitList {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/** The `Kind` of an option whose value is a wait list. */
export const waitList: Kind<WaitList> = {
  expected: 'a WaitList',
  accepts: isWaitList,
  error: GraphError,
};
