/** The ops `tril` and `triu`, which keep triangles of matrices. */

import { describeValue } from '../arguments/describe.js';
import type { Dim } from '../graph/dimension.js';
import { constant, lift } from '../graph/leaf.js';
import { failFor, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { where } from './comparison.js';
import { rightOf } from './positions.js';

// The positions of rows and columns are int32. A diagonal beyond this bound is outside of every matrix.
const mostDiagonals = 2 ** 30;

/** Returns x, and a mask of its elements that are at least `distance` columns to the right of the diagonal k. */
function triangles(
  name: string,
  x: Operand,
  k: number,
  distance: 0 | 1,
): { node: Node; right: Node } {
  const [node] = lift(name, [x]) as [Node];
  const fail = failFor({ name }, [node]);
  if (!Number.isSafeInteger(k)) {
    fail.value(`expected a diagonal (an integer), but received ${describeValue(k)}`);
  }
  if (node.shape.length === 0) fail.shape('expected at least one axis, but received a scalar');
  const columns = node.shape.at(-1) as Dim;
  const rows = node.shape.at(-2) ?? columns;
  const bounded = Math.max(-mostDiagonals, Math.min(k, mostDiagonals));
  return {
    node,
    right: rightOf(bounded + distance - 1, rows, columns, Math.max(2, node.shape.length)),
  };
}

/**
 * Returns the lower triangles of the matrices [.., rows, columns]: the elements that are at most k columns to the right
 * of the diagonal. The other elements are 0, even where x is infinite or NaN. As in NumPy, a vector [n] is the row of a
 * matrix [n, n] of equal rows. The result has the dtype of x, which may be any dtype.
 * @param k the diagonal, an integer; 0 by default. A negative one is below the main diagonal
 * @throws ShapeError if x is a scalar; ValueError if x is not a Node, Tensor or number, or k is not an integer
 */
export function tril(x: Operand, k = 0): Node {
  const { node, right } = triangles('tril', x, k, 1);
  return where(right, constant(0, { dtype: node.dtype }), node);
}

/**
 * Returns the upper triangles of the matrices [.., rows, columns]: the elements that are at least k columns to the right
 * of the diagonal. The other elements are 0, even where x is infinite or NaN. As in NumPy, a vector [n] is the row of a
 * matrix [n, n] of equal rows. The result has the dtype of x, which may be any dtype.
 * @param k the diagonal, an integer; 0 by default. A negative one is below the main diagonal
 * @throws ShapeError if x is a scalar; ValueError if x is not a Node, Tensor or number, or k is not an integer
 */
export function triu(x: Operand, k = 0): Node {
  const { node, right } = triangles('triu', x, k, 0);
  return where(right, node, constant(0, { dtype: node.dtype }));
}
