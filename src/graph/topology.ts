/** Traversals of the graph. None of them is recursive, because a graph may be any number of nodes deep. */

import type { Node } from './node.js';
import { finished, Pace, type Sliced } from './sliced.js';

/**
 * All nodes that the roots depend on, including the roots, in the order of construction. So each node comes after its
 * inputs.
 */
export function reachable(roots: readonly Node[]): Node[] {
  const found = new Set<Node>(roots);
  // The iteration over a Set includes elements that are added during it. So this loop reaches all nodes.
  for (const node of found) for (const input of node.inputs) found.add(input);
  return [...found].sort((a, b) => a.id - b.id);
}

/**
 * All nodes that the roots depend on according to `inputsOf`, including the roots, in depth-first order: each node comes
 * after its inputs. The ids need not be in order.
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
