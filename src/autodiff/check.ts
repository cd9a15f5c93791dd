/** Gradients against central differences. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, numberFrom, positiveNumber, seedNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertList } from '../arguments/read.js';
import { DTypeError, GraphError, NumericError, ValueError } from '../errors.js';
import type { Feeds } from '../evaluate/bind.js';
import { Interpreter } from '../evaluate/interpreter.js';
import { Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { mul, randomUniform, sub, sum } from '../ops/index.js';
import type { Tensor } from '../tensor/tensor.js';
import { backward } from './backward.js';

const checkOptions = declareOptions('checkGradients', {
  /** What the inputs are fed, by name. */
  feeds: optional(checkedLater<Feeds>('a record of tensors by name')),
  /** The step of the differences, relative to the element's size where that is above 1; 1e-5 unless told otherwise. */
  step: optional(positiveNumber, 'epsilon', 'eps', 'h'),
  /**
   * How far an element may be off: relative to itself, plus a hundredth of the leaf's largest; 1e-6 unless told
   * otherwise.
   */
  tolerance: optional(numberFrom(0), 'rtol', 'tol'),
  /** Seeds the cotangent: the random weights over which the root's elements are summed. */
  seed: optional(seedNumber),
});

/** What `checkGradients` may be told. */
export interface CheckOptions extends OptionsOf<typeof checkOptions> {}

/**
 * Compares the gradients of a root of any shape with central differences, (f(x+h) - f(x-h)) / 2h,
 * at every element of the leaves. The root is weighted by a random cotangent first: constant weights
 * hide errors. Needs float64. The leaves' values are the same afterwards.
 *
 * @throws NumericError, naming leaf and element, where the two disagree; DTypeError if the root or a leaf is not
 *   float64; GraphError if the root is not a node, or a leaf is neither a parameter nor a state, or the root does not
 *   depend on it; ValueError for no leaves and for an unknown or unacceptable option
 */
export function checkGradients(
  root: Node,
  leaves: readonly Variable[],
  options?: CheckOptions,
): void {
  const { feeds = {}, step = 1e-5, tolerance = 1e-6, seed = 20260 } = checkOptions.read(options);
  const checked = assertList(leaves, 'checkGradients: expected a list of leaves,');
  if (checked.length === 0) {
    throw new ValueError('checkGradients: expected at least one leaf: there is nothing to check');
  }
  if (!isNode(root)) {
    throw new GraphError(
      `checkGradients: expected a node as root, but received ${describeValue(root)}`,
    );
  }
  for (const leaf of checked) {
    if (isNode(leaf) && leaf instanceof Variable) continue;
    const what = isNode(leaf) ? `${leaf}` : describeValue(leaf);
    throw new GraphError(`checkGradients: ${what} is neither a parameter nor a state`);
  }
  for (const node of [root, ...checked]) {
    if (node.dtype === 'float64') continue;
    throw new DTypeError(
      `checkGradients: ${node} is ${node.dtype}, but finite differences need float64`,
    );
  }
  // Within [-1.5, 1.5): of both signs, and no two alike.
  const weights = mul(3, sub(randomUniform(root.shape, { seed, dtype: 'float64' }), 0.5));
  const scalar = sum(mul(root, weights));
  const gradients = backward(scalar);
  // The root comes along: a gradient need not read every input, nor bind every name, that feeds it.
  const wanted = [...checked.map((leaf) => gradients.of(leaf)), scalar];
  const computed = new Interpreter(wanted).run(feeds);
  const value = new Interpreter([scalar]);
  const at = () => (value.run(feeds)[0] as Tensor).item();

  checked.forEach((leaf, index) => {
    const gradient = (computed[index] as Tensor).data;
    const differences = centralDifferences(leaf, step, at);
    // Of what is finite: beside an infinite size nothing would be off.
    const largest = (size: number, value: number) =>
      Number.isFinite(value) ? Math.max(size, Math.abs(value)) : size;
    const size = [gradient as Float64Array, differences].reduce(
      (s, all) => all.reduce(largest, s),
      1e-3,
    );
    differences.forEach((difference, element) => {
      const claimed = gradient[element] as number;
      // Of the element itself; what differences round off grows with the largest, though.
      const own = Math.min(size, Math.max(Math.abs(claimed), Math.abs(difference)));
      // Written so that a NaN on either side fails.
      if (Math.abs(claimed - difference) <= tolerance * (own + 1e-2 * size)) return;
      throw new NumericError(
        `checkGradients: the gradient of ${root} with respect to element [${position(element, leaf.value.shape)}] of ${leaf} is ${claimed}, but finite differences give ${difference}`,
      );
    });
  });
}

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

function position(element: number, shape: readonly number[]): string {
  const indices: number[] = [];
  let rest = element;
  for (const dim of shape.toReversed()) {
    indices.unshift(rest % dim);
    rest = Math.floor(rest / dim);
  }
  return indices.join(', ');
}
