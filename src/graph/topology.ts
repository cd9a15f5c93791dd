/** Walks over the graph. None is recursive: a graph may be any number of nodes deep. */

import type { Node } from './node.js';
import { finished, Pace, type Sliced } from './sliced.js';

/**
 * All nodes that the roots depend on, the roots included, in the order of construction: a node's
 * inputs stand before it, because they were made before it.
 */
export function reachable(roots: readonly Node[]): Node[] {
  const found = new Set<Node>(roots);
  // A Set iterates over what is added to it meanwhile, so this is the whole search.
  for (const node of found) for (const input of node.inputs) found.add(input);
  return [...found].sort((a, b) => a.id - b.id);
}

/**
 * The same for a graph whose edges are those of `inputsOf`, where ids need not be in order: depth first, each
 * node after its inputs.
 */
export function topologicalOrder(
  roots: readonly Node[],
  inputsOf: (node: Node) => readonly Node[],
): Node[] {
  return finished(topologicalWalk(roots, inputsOf, new Pace()));
}

/** `topologicalOrder` in slices. */
export function* topologicalWalk(
  roots: readonly Node[],
  inputsOf: (node: Node) => readonly Node[],
  pace: Pace,
): Sliced<Node[]> {
  const order: Node[] = [];
  const seen = new Set<Node>();
  for (const root of roots) {
    const path: { node: Node; inputs: readonly Node[]; next: number }[] = [];
    const enter = (node: Node) => {
      if (seen.has(node)) return;
      seen.add(node);
      path.push({ node, inputs: inputsOf(node), next: 0 });
    };
    enter(root);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      if (pace.due()) yield;
      const input = top.inputs[top.next++];
      if (input) enter(input);
      else order.push((path.pop() as typeof top).node);
    }
  }
  return order;
}
