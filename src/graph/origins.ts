/**
 * Records, for each gradient, the inputs of the graph that was differentiated. A gradient often reads only some of
 * these inputs. The gradient of a bias can even read none of them. But a user evaluates a gradient with the same feeds
 * as its graph, so all these inputs must be accepted, and they bind the dimension names of the gradient.
 */

import type { Input } from './leaf.js';
import type { Node } from './node.js';

const origins = new WeakMap<Node, readonly Input[]>();

/**
 * Records that `node` is a gradient of a graph with these inputs. No other graph may use `node`, because the record
 * would also change which inputs the other graph accepts.
 */
export function recordOrigin(node: Node, inputs: readonly Input[]): void {
  origins.set(node, inputs);
}

/** Returns whether `recordOrigin` was called for the node. */
export function hasOrigin(node: Node): boolean {
  return origins.has(node);
}

const noInputs: readonly Input[] = [];

/** Returns the inputs that were recorded for `node`; an empty list if `node` is not recorded as a gradient. */
export function originOf(node: Node): readonly Input[] {
  return origins.get(node) ?? noInputs;
}
