/** The graph as an executor sees it: composed ops replaced by what they are composed of. */

import { GraphError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import type { Pace, Sliced } from '../graph/sliced.js';
import { topologicalOrder, topologicalWalk } from '../graph/topology.js';

const expansions = new WeakMap<Node, Node>();

/** What a composed node is composed of; undefined for one that has a kernel. */
export function expansionOf(node: Node): Node | undefined {
  const { lowering } = node.op;
  if (lowering.kind !== 'compose') return undefined;
  let expansion = expansions.get(node);
  if (!expansion) {
    expansion = lowering.expand(node.inputs, node.attributes);
    if (expansion.dtype !== node.dtype || !sameShape(expansion.shape, node.shape)) {
      throw new GraphError(
        `${node} is declared as ${node.dtype} [${node.shape.join(', ')}], but expands to ${expansion.dtype} [${expansion.shape.join(', ')}]`,
      );
    }
    expansions.set(node, expansion);
  }
  return expansion;
}

/** All nodes to compute for the roots, inputs first. */
export function executionOrder(roots: readonly Node[]): Node[] {
  return topologicalOrder(roots, computedFrom);
}

/** `executionOrder` in slices. */
export function executionWalk(roots: readonly Node[], pace: Pace): Sliced<Node[]> {
  return topologicalWalk(roots, computedFrom, pace);
}

function computedFrom(node: Node): readonly Node[] {
  const expansion = expansionOf(node);
  return expansion ? [expansion] : node.inputs;
}
