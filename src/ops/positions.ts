/** The op `positions`: the indices of the elements along an axis. Masks, which compare indices, read it. */

import { ShapeError } from '../errors.js';
import { type Dim, dimension } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import { notDifferentiable } from '../graph/op.js';
import { mul } from './arithmetic.js';
import { cast, greater } from './comparison.js';
import { declare } from './declare.js';
import { reshape } from './views.js';

const count = declare<{ readonly length: Dim; readonly first: number }>({
  name: 'positions',
  arity: 0,
  dtype: () => 'int32',
  shape: (_inputs, { length }) => [length],
  lowering: { kind: 'positions', first: ({ first }) => first },
  gradient: notDifferentiable('it has no inputs'),
  label: ({ length, first }) => `${first} + 0 to ${length} - 1`,
  samples: [
    { inputs: [{ shape: [2, 3] }], build: (x) => scaled(x as Node, 3) },
    { inputs: [{ shape: [2, 3, 4] }], build: (x) => scaled(x as Node, 4, -2) },
    { inputs: [{ shape: [2, 0] }], build: (x) => scaled(x as Node, 0) },
  ],
  refused: [
    {
      build: () => positions(-1),
      error: ShapeError,
      message: /^\[positions\] expected a dimension/,
    },
  ],
});

/** Returns x times positions, for samples. */
function scaled(x: Node, length: number, first?: number): Node {
  return mul(x, cast(positions(length, first), x.dtype));
}

/**
 * Returns the integers first, first + 1, …, as int32, of shape [length].
 * @param length a number or a named dimension
 * @param first the first integer; 0 by default
 * @throws ShapeError if `length` is not a dimension
 */
export function positions(length: Dim, first = 0): Node {
  return count([], { length: dimension(length, '[positions]'), first });
}

/**
 * Returns a bool mask [.., rows, columns], which is true at the elements that are more than `diagonal` columns to the
 * right of the diagonal. The diagonal starts top left. The leading axes have length 1: a loop computes a mask of its own
 * rank again, so that the mask takes no memory.
 * @param rank the number of axes, at least 2
 * @param firstRow the index of the first row; 0 by default
 */
export function rightOf(
  diagonal: number,
  rows: Dim,
  columns: Dim,
  rank: number,
  firstRow = 0,
): Node {
  const lead = Array<Dim>(rank - 2).fill(1);
  const row = reshape(positions(rows, firstRow + diagonal), [...lead, rows, 1]);
  return greater(reshape(positions(columns), [...lead, 1, columns]), row);
}
