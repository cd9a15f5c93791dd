/** Layouts: the views through which the kernels of the reference executor read and write row-major buffers. */

import type { Layout } from '../native/kernels.js';
import { stridesOf } from '../tensor/shape.js';

/** Returns the row-major layout of a shape. */
export function rowMajorLayout(shape: readonly number[]): Layout {
  return { offset: 0, strides: stridesOf(shape) };
}

/**
 * Returns the layout with which a row-major operand of shape `from` is read as if it had `shape`, to which it
 * broadcasts. `unit` is the number of elements of one entry: 1, or the size of a matrix in a batch of matrices.
 */
export function stretched(from: readonly number[], shape: readonly number[], unit = 1): Layout {
  const strides = stridesOf(from);
  const lead = shape.length - from.length;
  return {
    offset: 0,
    strides: shape.map((_, axis) =>
      axis < lead || from[axis - lead] === 1 ? 0 : (strides[axis - lead] as number) * unit,
    ),
  };
}
