/** Checks gradients: compares them with central finite differences. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, numberFrom, positiveNumber, seedNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertList } from '../arguments/read.js';
import { DTypeError, GraphError, NumericError, ValueError } from '../errors.js';
import type { Feeds } from '../evaluate/bind.js';
import { Interpreter } from '../evaluate/interpreter.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { assertValue, isNode, type Node } from '../graph/node.js';
import { mul, randomUniform, sub, sum } from '../ops/index.js';
import type { Tensor } from '../tensor/tensor.js';
import { backward } from './backward.js';

const checkOptions = declareOptions('checkGradients', {
  /** The values of the inputs, by name. */
  feeds: optional(checkedLater<Feeds>('a record of tensors by name')),
  /**
   * The step size of the finite differences; 1e-5 by default. If the absolute value of an element is above 1, its step
   * size is this number times that absolute value.
   */
  step: optional(positiveNumber, 'epsilon', 'eps', 'h'),
  /**
   * The allowed relative error; 1e-6 by default. An element g of the gradient and its finite difference d may differ by
   * at most `tolerance` times (max(|g|, |d|) + largest / 100). Here `largest` is the greatest finite absolute value of
   * all g and d of the same leaf, but at least 1e-3.
   */
  tolerance: optional(numberFrom(0), 'rtol', 'tol'),
  /** The seed of the cotangent, that is, of the random weights with which the elements of the root are summed. */
  seed: optional(seedNumber),
});

/** Options of `checkGradients`. */
export interface CheckOptions extends OptionsOf<typeof checkOptions> {}

/**
 * Compares the gradients of a root with central differences, (f(x+h) - f(x-h)) / 2h, at every element of the leaves.
 * The root may have any shape: its elements are summed with random weights, because equal weights can hide errors. The
 * root and the leaves must be float64. After the call, the leaves have their old values again.
 *
 * @throws NumericError if a gradient and its difference disagree (the message names the leaf and the element);
 *   DTypeError if the root or a leaf is not float64; GraphError if the root is not a node, if a leaf is neither a
 *   parameter nor a state, or if the root does not depend on a leaf; ValueError if there are no leaves, or if an option
 *   is unknown or not acceptable; and the errors of `evaluate`
 */
export function checkGradients(
  root: Node,
  leaves: readonly Variable[],
  options?: CheckOptions,
): void {
  const { feeds = {}, step = 1e-5, tolerance = 1e-6, seed = 20260 } = checkOptions.read(options);
  const checked = assertList(leaves, 'checkGradients: expected a list of leaves,');
  if (checked.length === 0) {
    throw new ValueError('checkGradients: expected at least one leaf, but received an empty list');
  }
  if (!isNode(root)) {
    throw new GraphError(
      `checkGradients: expected a node as root, but received ${describeValue(root)}`,
    );
  }
  assertValue(root, 'checkGradients:');
  for (const leaf of checked) {
    if (isVariable(leaf)) continue;
    const what = isNode(leaf) ? `${leaf}` : describeValue(leaf);
    throw new GraphError(`checkGradients: ${what} is neither a parameter nor a state`);
  }
  for (const node of [root, ...checked]) {
    if (node.dtype === 'float64') continue;
    throw new DTypeError(
      `checkGradients: ${node} is ${node.dtype}, but finite differences need float64`,
    );
  }
  // The weights are uniform in [-1.5, 1.5), so they differ and have both signs.
  const weights = mul(3, sub(randomUniform(root.shape, { seed, dtype: 'float64' }), 0.5));
  const scalar = sum(mul(root, weights));
  const gradients = backward(scalar);
  // The summed root is evaluated together with the gradients, because the gradients alone do not always read every
  // input or bind every dimension name.
  const wanted = [...checked.map((leaf) => gradients.of(leaf)), scalar];
  const computed = new Interpreter(wanted).run(feeds);
  const value = new Interpreter([scalar]);
  const at = () => (value.run(feeds)[0] as Tensor).item();

  checked.forEach((leaf, index) => {
    const gradient = (computed[index] as Tensor).data;
    const differences = centralDifferences(leaf, step, at);
    // Only finite numbers count for the largest absolute value. An infinite number would make the allowed difference
    // infinite.
    const largest = (size: number, value: number) =>
      Number.isFinite(value) ? Math.max(size, Math.abs(value)) : size;
    const size = [gradient as Float64Array, differences].reduce(
      (s, all) => all.reduce(largest, s),
      1e-3,
    );
    differences.forEach((difference, element) => {
      const claimed = gradient[element] as number;
      // The allowed difference depends on the element, and a little on the largest element, because the rounding errors
      // of the finite differences grow with the largest element.
      const own = Math.min(size, Math.max(Math.abs(claimed), Math.abs(difference)));
      // If either number is NaN, this comparison is false, so the check fails.
      if (Math.abs(claimed - difference) <= tolerance * (own + 1e-2 * size)) return;
      throw new NumericError(
        `checkGradients: the gradient of ${root} with respect to element [${position(element, leaf.value.shape)}] of ${leaf} is ${claimed}, but finite differences give ${difference}`,
      );
    });
  });
}

/**
 * Returns the central difference for each element of the leaf. `at` returns the value of the function for the elements
 * that the leaf has at the time of the call.
 */
function centralDifferences(leaf: Variable, step: number, at: () => number): Float64Array {
  const { data } = leaf.value;
  return Float64Array.from({ length: data.length }, (_, element) => {
    const before = data[element] as number;
    const h = step * Math.max(1, Math.abs(before));
    try {
      data[element] = before + h;
      const above = at();
      data[element] = before - h;
      return (above - at()) / (2 * h);
    } finally {
      data[element] = before;
    }
  });
}

/** Returns the index along each axis, as text, of the element at a row-major position. */
function position(element: number, shape: readonly number[]): string {
  const indices: number[] = [];
  let rest = element;
  for (const dim of shape.toReversed()) {
    indices.unshift(rest % dim);
    rest = Math.floor(rest / dim);
  }
  return indices.join(', ');
}
