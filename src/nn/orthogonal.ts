/** Random matrices with orthogonal columns, as products of Householder reflections. */

import { evaluate } from '../evaluate/evaluate.js';
import { constant } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import {
  add,
  cast,
  div,
  less,
  matmul,
  maximum,
  mul,
  slice,
  sqrt,
  square,
  sub,
  sum,
  transpose,
  tril,
  triu,
} from '../ops/index.js';
import { Tensor } from '../tensor/tensor.js';

/** The number of reflections that are applied at once, by matrix products. */
const blockSize = 32;

/**
 * Returns a matrix with orthogonal columns, made of the normal numbers of a float64 matrix with at least one column and
 * at least as many rows as columns. It is the factor Q of X = Q R, where R has a positive diagonal, of another normal
 * matrix X. So all such matrices are equally likely: Stewart, SIAM J. Numer. Anal. 1980.
 *
 * Reflection k, I - v v', maps a multiple of unit vector k to column k of the drawn matrix, without the elements above the
 * diagonal. These columns are independent, so no reflection need be applied before the next one is known. The product of
 * the reflections of a block is I - V T V', where T is the inverse of the upper triangle of V' V, with ones on the
 * diagonal: Puglisi, SIAM J. Sci. Stat. Comput. 1992.
 */
export function orthonormal(drawn: Tensor): Tensor {
  const [rows, columns] = drawn.shape as readonly [number, number];
  const lower = tril(constant(drawn));
  const unit = eye(rows, columns);
  const firsts = sum(mul(lower, unit), 0);
  const signs = sub(1, mul(2, cast(less(firsts, 0), 'float64')));
  const norms = sqrt(sum(square(lower), 0));
  const vectors = add(lower, mul(unit, mul(signs, norms)));
  // A column of zeros, which is not drawn in practice, gives a reflection that changes nothing.
  const lengths = sqrt(maximum(sum(square(vectors), 0), Number.MIN_VALUE));
  const scaled = mul(vectors, div(Math.SQRT2, lengths));
  let product = unit;
  for (let start = lastBlock(columns); start >= 0; start -= blockSize) {
    const end = Math.min(start + blockSize, columns);
    const block = slice(scaled, { axis: 1, start, end });
    const turned = transpose(block);
    const weights = inverse(matmul(turned, block), end - start);
    product = sub(product, matmul(block, matmul(weights, matmul(turned, product))));
  }
  // The reflections map unit vectors to the columns of X with the other sign than that of their first element.
  return evaluate(mul(product, mul(signs, -1)));
}

function lastBlock(columns: number): number {
  return Math.floor((columns - 1) / blockSize) * blockSize;
}

/** Returns a matrix with ones on its diagonal. */
function eye(rows: number, columns: number): Node {
  return tril(triu(constant(Tensor.ones([rows, columns], { dtype: 'float64' }))));
}

/**
 * Returns the inverse of the upper triangle of a matrix, with ones on the diagonal. With P, minus the elements above the
 * diagonal, it is the sum of all powers of P, (I + P) (I + P^2) (I + P^4) …, where the powers from `size` on are 0.
 */
function inverse(products: Node, size: number): Node {
  const ones = eye(size, size);
  let power = mul(triu(products, 1), -1);
  let result = add(ones, power);
  for (let known = 2; known < size; known *= 2) {
    power = matmul(power, power);
    result = matmul(result, add(ones, power));
  }
  return result;
}
