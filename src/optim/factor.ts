/** Scalars by which the direction of an update is multiplied, and the divisors of directions. */

import { constant } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { cast, div, maximum, mul } from '../ops/index.js';
import type { DType } from '../tensor/dtype.js';

/** A number, or a node of shape []. */
export type Scalar = number | Node;

/** The smallest positive number of a dtype, and a quarter of its largest power of two. */
const limits = {
  float32: { smallest: 2 ** -149, large: 2 ** 125 },
  float64: { smallest: 2 ** -1074, large: 2 ** 1021 },
};

/** An epsilon that is at least this number divided by `large` is safe for all factors that anybody uses. */
const largestStep = 1e8;

/**
 * The quotient of two scalars. It is computed in float64, and then converted to the dtype of a parameter. All parameters
 * share the nodes.
 */
export class Factor {
  static readonly one = new Factor(1);
  readonly #in = new Map<DType, Node>();
  readonly #products = new WeakMap<Node, Factor>();

  constructor(
    private readonly times: Scalar,
    private readonly by?: Node,
  ) {}

  get isOne(): boolean {
    return this.times === 1 && this.by === undefined;
  }

  /** Returns the product with a scalar. */
  multiplied(scalar: Scalar): Factor {
    const known = isNode(scalar) ? this.#products.get(scalar) : undefined;
    if (known !== undefined) return known;
    const product = new Factor(productOf(this.times, scalar), this.by);
    if (isNode(scalar)) this.#products.set(scalar, product);
    return product;
  }

  /** Returns the factor as a node that has this dtype. */
  in(dtype: DType): Node {
    let node = this.#in.get(dtype);
    if (node === undefined) {
      node = this.by === undefined ? inDType(this.times, dtype) : cast(this.#quotient(), dtype);
      this.#in.set(dtype, node);
    }
    return node;
  }

  /**
   * Returns the number that is added to a root before this factor is divided by the sum. If the gradient of a weight has
   * always been 0, its root is 0, and the quotient is multiplied by 0. So an infinite quotient would make the weight
   * NaN.
   */
  added(dtype: DType, epsilon: number): Node | number {
    const { smallest, large } = limits[dtype as keyof typeof limits];
    // A number is the faster form, because the group of the update need not load it.
    if (epsilon >= largestStep / large) return epsilon;
    const least = Math.max(epsilon, smallest);
    return cast(maximum(div(this.#quotient(), large), least), dtype);
  }

  /** Returns the factor in float64. */
  #quotient(): Node {
    const dtype = 'float64';
    const known = this.#in.get(dtype);
    if (known !== undefined) return known;
    const times = inDType(this.times, dtype);
    const quotient = this.by === undefined ? times : div(times, this.by);
    this.#in.set(dtype, quotient);
    return quotient;
  }
}

function inDType(scalar: Scalar, dtype: DType): Node {
  return isNode(scalar) ? cast(scalar, dtype) : constant(scalar, { dtype });
}

function productOf(a: Scalar, b: Scalar): Scalar {
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  return mul(inDType(a, 'float64'), inDType(b, 'float64'));
}
