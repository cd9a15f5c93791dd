/** Traversals of the graph. They use loops and not recursion, because a deep graph would overflow the call stack. */

import type { Node } from './node.js';
import { finished, Pace, type Sliced } from './sliced.js';

/**
 * Returns the roots and all nodes that they depend on, in the order in which the nodes were made. So each node comes
 * after its inputs.
 */
export function reachable(roots: readonly Node[]): Node[] {
  const found = new Set<Node>(roots);
  // The iteration over a Set includes elements that are added during the iteration. So this loop reaches all nodes.
  for (const node of found) for (const input of node.inputs) found.add(input);
  return [...found].sort((a, b) => a.id - b.id);
}

/**
 * Returns the roots and all nodes that they depend on, in depth-first order: each node comes after its inputs. The
 * inputs are those that `inputsOf` returns, so an input may have a higher id than the node that reads it.
 */
export function topologicalOrder(
  roots: readonly Node[],
  inputsOf: (node: Node) => readonly Node[],
): Node[] {
  return finished(topologicalWalk(roots, inputsOf, new Pace()));
}

/** Does the work of `topologicalOrder` in slices. */
export function* topologicalWalk(
  roots: readonly Node[],
  inputsOf: (node: Node) => readonly Node[],
  pace: Pace,
): Sliced<Node[]> {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // The nodes on the path from a root, the inputs of each, and the index of the input that is visited next. These are
  // lists and not one list of objects, because a graph has many nodes.
  const path: Node[] = [];
  const inputs: (readonly Node[])[] = [];
  const next: number[] = [];
  const enter = (node: Node) => {
    if (seen.has(node)) return;
    seen.add(node);
    path.push(node);
    inputs.push(inputsOf(node));
    next.push(0);
  };
  for (const root of roots) {
    enter(root);
    while (path.length > 0) {
      if (pace.due()) yield;
      const top = path.length - 1;
      const at = next[top] as number;
      const input = inputs[top]?.[at];
      next[top] = at + 1;
      if (input) {
        enter(input);
        continue;
      }
      order.push(path.pop() as Node);
      inputs.pop();
      next.pop();
    }
  }
  return order;
}
