/**
 * The graph that the executors compute. It differs from the graph that the user built: composed ops are replaced by
 * their expansions, and matrix products omit constant zeros.
 */

import { describeValue } from '../arguments/describe.js';
import { assertRecord } from '../arguments/read.js';
import { GraphError } from '../errors.js';
import { onBehalfOf } from '../graph/calls.js';
import { sameShape } from '../graph/dimension.js';
import type { SeveralLowering } from '../graph/lowering.js';
import { isNode, type Node } from '../graph/node.js';
import { resultIn, resultsOf } from '../graph/results.js';
import type { Pace, Sliced } from '../graph/sliced.js';
import { topologicalOrder, topologicalWalk } from '../graph/topology.js';
import { loweringRecord } from '../primitives/index.js';
import type { Expander } from '../primitives/record.js';
import { withoutZeroParts } from './zero-parts.js';

const expansions = new WeakMap<Node, Node>();
/** The expansions of nodes with several results. */
const severalExpansions = new WeakMap<Node, ReadonlyMap<string, Node>>();

const expander: Expander = { withoutZeroParts, ofResult: expandedResult };

/**
 * Returns the node that is computed instead of `node`: the expansion of a composed op, or a matrix product without
 * constant zeros. For a result of a composed op with several results, it is the expansion with this key. Returns
 * undefined if `node` itself is computed.
 * @throws GraphError if an expansion has another dtype or shape than its node, or there is none
 */
export function expansionOf(node: Node): Node | undefined {
  const { lowering } = node.op;
  const expand = loweringRecord(lowering)?.expand;
  if (!expand) return undefined;
  const known = expansions.get(node);
  if (known) return known;
  const expansion = onBehalfOf(node, () => expand(lowering, node, expander));
  if (!expansion) return undefined;
  if (expansion.dtype !== node.dtype || !sameShape(expansion.shape, node.shape)) {
    throw new GraphError(
      `${node} is declared as ${node.dtype} [${node.shape.join(', ')}], but expands to ${expansion.dtype} [${expansion.shape.join(', ')}]`,
    );
  }
  expansions.set(node, expansion);
  return expansion;
}

/** Returns the expansion of a result; undefined if the op with several results is not composed. */
function expandedResult(node: Node): Node | undefined {
  const { several, key } = resultIn(node) as NonNullable<ReturnType<typeof resultIn>>;
  const { lowering } = several.op as unknown as { readonly lowering: SeveralLowering };
  if (lowering.kind !== 'compose') return undefined;
  const known = severalExpansions.get(several);
  const expanded =
    known ??
    new Map(
      assertRecord(
        onBehalfOf(several, () => lowering.expand(several.inputs, several.attributes)),
        `${several} must expand to a record of nodes,`,
      ),
    );
  severalExpansions.set(several, expanded);
  const found: unknown = expanded.get(key);
  if (isNode(found)) return found;
  const keys = Object.keys(resultsOf(several) ?? {}).join(', ');
  throw new GraphError(
    `${several} must expand to a node for each of its results (${keys}), but '${key}' is ${describeValue(found)}`,
  );
}

/**
 * Returns all nodes that must be computed for the roots, in an order in which nodes come after the nodes that they
 * read. A node that has an expansion is included, after its expansion.
 */
export function executionOrder(roots: readonly Node[]): Node[] {
  return topologicalOrder(roots, computedFrom);
}

/** Does the work of `executionOrder` in slices, so that the event loop can run between the slices. */
export function executionWalk(roots: readonly Node[], pace: Pace): Sliced<Node[]> {
  return topologicalWalk(roots, computedFrom, pace);
}

/** Returns the nodes from which the value of a node is computed: its expansion if it has one, otherwise its inputs. */
function computedFrom(node: Node): readonly Node[] {
  const expansion = expansionOf(node);
  return expansion ? [expansion] : node.inputs;
}
