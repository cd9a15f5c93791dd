/**
 * Records the inputs of the graph that a gradient was built from. A gradient may read only some of them (the gradient of
 * a bias may read none). But a user feeds a gradient like its graph, and the same feeds bind its dimension names.
 */

import type { Input } from './leaf.js';
import type { Node } from './node.js';

const origins = new WeakMap<Node, readonly Input[]>();

/**
 * Records that `node` is a gradient in a graph with these inputs. `node` must belong to this graph only. Otherwise, the
 * record would also change which inputs another graph accepts.
 */
export function recordOrigin(node: Node, inputs: readonly Input[]): void {
  origins.set(node, inputs);
}

/** Whether the node is recorded as a gradient. */
export function hasOrigin(node: Node): boolean {
  return origins.has(node);
}

/** The inputs of the graph in which `node` is a gradient; an empty list for any other node. */
export function originOf(node: Node): readonly Input[] {
  return origins.get(node) ?? [];
}
