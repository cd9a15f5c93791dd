/**
 * Which inputs a gradient's graph had. A gradient need not read them all (that of a bias may read
 * none), yet whoever feeds a graph feeds its gradients alike, and its dimension names are bound by
 * the same feeds.
 */

import type { Input } from './leaf.js';
import type { Node } from './node.js';

const origins = new WeakMap<Node, readonly Input[]>();

/**
 * Says that `node` is a gradient in a graph with these inputs. For a node of one graph alone: what is said of a node
 * that others use would change what theirs means.
 */
export function recordOrigin(node: Node, inputs: readonly Input[]): void {
  origins.set(node, inputs);
}

/** Whether it was said of the node that it is a gradient. */
export function hasOrigin(node: Node): boolean {
  return origins.has(node);
}

/** The inputs of the graph that `node` is a gradient in; none for any other node. */
export function originOf(node: Node): readonly Input[] {
  return origins.get(node) ?? [];
}
