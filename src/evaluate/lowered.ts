/** The graph as an executor sees it: composed ops replaced by what they are composed of, products without zeros. */

import { GraphError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import type { Pace, Sliced } from '../graph/sliced.js';
import { topologicalOrder, topologicalWalk } from '../graph/topology.js';
import { withoutZeroParts } from './zero-parts.js';

const expansions = new WeakMap<Node, Node | undefined>();

/**
 * The node that is computed in place of a node: what a composed op is composed of, or a product without constant zeros.
 * Undefined for a node that is computed itself.
 */
export function expansionOf(node: Node): Node | undefined {
  const { lowering } = node.op;
  if (lowering.kind !== 'compose' && lowering.kind !== 'product') return undefined;
  if (expansions.has(node)) return expansions.get(node);
  const expansion =
    lowering.kind === 'compose'
      ? lowering.expand(node.inputs, node.attributes)
      : withoutZeroParts(node);
  if (expansion && (expansion.dtype !== node.dtype || !sameShape(expansion.shape, node.shape))) {
    throw new GraphError(
      `${node} is declared as ${node.dtype} [${node.shape.join(', ')}], but expands to ${expansion.dtype} [${expansion.shape.join(', ')}]`,
    );
  }
  expansions.set(node, expansion);
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
