/** Lower: makes IR values from the nodes of a graph, for one binding of the dimension names. */

import { GraphError, NativeError, ShapeError, ValueError } from '../../errors.js';
import { expansionOf } from '../../evaluate/lowered.js';
import { type Bindings, bindDim, type Dim } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import { boundResults } from '../../graph/results.js';
import type { Sliced } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import type { Ref } from '../../ir/value.js';
import { loweringRecord } from '../../primitives/index.js';
import { formatShape } from '../../tensor/shape.js';

/**
 * Lowers the nodes of `order`, which are in the order of execution.
 * @returns for each node, the ref that has its elements
 * @throws ShapeError if the shape of a node is not valid under this binding; the message names the node
 */
export function* lower(
  order: readonly Node[],
  bindings: Bindings,
  build: Builder,
): Sliced<Map<Node, Ref>> {
  const refs = new Map<Node, Ref>();
  for (const node of order) {
    const shape: number[] = [];
    let negative = false;
    for (let axis = 0; axis < node.shape.length; axis++) {
      const dim = node.shape[axis] as Dim;
      const known = typeof dim === 'number' ? dim : bindings.get(dim);
      const size = known ?? bindDim(dim, bindings, `${node} `);
      negative ||= size < 0;
      shape.push(size);
    }
    if (negative) {
      throw new ShapeError(
        `${node} has shape ${formatShape(node.shape)}, which is ${formatShape(shape)} in this run`,
      );
    }
    refs.set(node, lowered(node, shape.slice(), refs, bindings, build));
    if (build.pace.due(1 + node.inputs.length)) yield;
  }
  return refs;
}

function lowered(
  node: Node,
  shape: readonly number[],
  refs: ReadonlyMap<Node, Ref>,
  bindings: Bindings,
  build: Builder,
): Ref {
  const expansion = expansionOf(node);
  if (expansion) return refs.get(expansion) as Ref;
  const { lowering } = node.op;
  const record = loweringRecord(lowering);
  if (!record) throw new GraphError(`there is no lowering of kind '${lowering.kind}'`);
  const args = node.inputs.map((input) => refs.get(input) as Ref);
  const bound = {
    attributes: node.attributes,
    shape,
    inputShapes: args.map((arg) => arg.shape),
    bind: (dim: Dim) => bindDim(dim, bindings),
    bindings,
    results: boundResults(node, bindings, bindDim),
  };
  try {
    return record.lower(lowering, { build, node, bound, args });
  } catch (cause) {
    if (cause instanceof ShapeError) throw new ShapeError(`${node} ${cause.message}`, { cause });
    if (cause instanceof ValueError) throw new ValueError(`${node}: ${cause.message}`, { cause });
    if (cause instanceof NativeError) throw new NativeError(`${node} ${cause.message}`, { cause });
    throw cause;
  }
}
