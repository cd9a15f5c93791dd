/** The inputs and the outputs of a module that was made of a model of another library. */

import { DTypeError, ShapeError } from '../errors.js';
import type { Shape } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';

/** The shape and the dtype of an input or an output of a model. */
export interface TensorInfo {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Returns the shapes and dtypes of nodes. */
export function infosOf(nodes: Iterable<readonly [string, Node]>): Record<string, TensorInfo> {
  return Object.fromEntries(
    [...nodes].map(([name, { shape, dtype }]) => [name, Object.freeze({ shape, dtype })]),
  );
}

/**
 * Checks a node that is given for an input.
 * @param context the module and the input, in errors
 * @throws DTypeError or ShapeError if the node does not fit the input
 */
export function assertFits(context: string, node: Node, { shape, dtype }: TensorInfo): void {
  if (node.dtype !== dtype) {
    throw new DTypeError(`${context} is ${dtype}, but received ${node.dtype}; cast() it`);
  }
  const fits =
    node.shape.length === shape.length &&
    shape.every((dim, axis) => typeof dim === 'string' || dim === node.shape[axis]);
  if (fits) return;
  throw new ShapeError(
    `${context} has shape ${formatShape(shape)}, but received ${formatShape(node.shape)}`,
  );
}
