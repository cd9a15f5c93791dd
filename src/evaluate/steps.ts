/** Prepares the steps of the interpreter. A step computes one node with one or a few kernel calls. */

import { GraphError } from '../errors.js';
import type { Lowering } from '../graph/lowering.js';
import { loweringRecord } from '../primitives/index.js';
import type { BoundNode, Step } from '../primitives/record.js';

/**
 * Returns the step that computes a node; undefined if the node needs no step.
 * @throws GraphError if the kind of the lowering is unknown; ShapeError if the lowering refuses the bound shapes
 */
export function prepareStep(lowering: Lowering, node: BoundNode): Step | undefined {
  const record = loweringRecord(lowering);
  if (!record) throw new GraphError(`there is no lowering of kind '${lowering.kind}'`);
  return record.step?.(lowering, node);
}
