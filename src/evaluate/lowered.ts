/** The graph that is executed: composed ops are replaced by their expansions, and products omit constant zeros. */

import { GraphError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import type { Pace, Sliced } from '../graph/sliced.js';
import { topologicalOrder, topologicalWalk } from '../graph/topology.js';
import { withoutZeroParts } from './zero-parts.js';

const expansions = new WeakMap<Node, Node | undefined>();

/**
 * The node that is computed instead of `node`: the expansion of a composed op, or a product without constant zeros.
 * Undefined if `node` itself is computed.
 * @throws GraphError if an expansion has another dtype or shape than its node
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

/** All nodes that the roots depend on, after expansion. Inputs come before the nodes that they feed. */
export function executionOrder(roots: readonly Node[]): Node[] {
  return topologicalOrder(roots, computedFrom);
}

/** The same as `executionOrder`, computed in slices so that the event loop can run between them. */
export function executionWalk(roots: readonly Node[], pace: Pace): Sliced<Node[]> {
  return topologicalWalk(roots, computedFrom, pace);
}

/** The nodes that a node's value is computed from: its expansion, or else its inputs. */
function computedFrom(node: Node): readonly Node[] {
  const expansion = expansionOf(node);
  return expansion ? [expansion] : node.inputs;
}
