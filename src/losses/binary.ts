/** Losses over two classes. */

import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { calledAs } from '../graph/calls.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { add, mul, neg, softplus, sub } from '../ops/index.js';
import { pair, reduced, reductionOption, weighted, weightsFor, weightsKind } from './shared.js';

const binaryOptions = declareOptions('binaryCrossEntropyWithLogits', {
  /**
   * The factor of the loss of the positive class: of the term -target log(sigmoid(x)). It broadcasts to the shape of the
   * logits. A factor of 3 counts each positive example three times. The default is 1.
   */
  positiveWeight: optional(weightsKind, 'posWeight'),
  /** The factor of each element of the loss. It broadcasts to the shape of the logits. The default is 1. */
  weights: optional(weightsKind, 'sampleWeight'),
  ...reductionOption,
});

/** Options of `binaryCrossEntropyWithLogits`. */
export interface BinaryCrossEntropyOptions extends OptionsOf<typeof binaryOptions> {}

/**
 * Returns the negative log-likelihood of each element, in nats. With the logit x, it is
 *
 *     -target log(sigmoid(x)) - (1 - target) log(1 - sigmoid(x)) = target softplus(-x) + (1 - target) softplus(x)
 *
 * The second form is used, because it neither overflows nor loses digits by cancellation. The gradient for x is
 * sigmoid(x) - target. For an infinite x, the result is 0 if the target agrees with the sign of x (1 for Infinity, 0
 * for -Infinity). Otherwise it is Infinity.
 */
export function bernoulliNegativeLogLikelihood(logits: Operand, target: Operand): Node {
  const [x, wanted] = pair('binaryCrossEntropyWithLogits', logits, target);
  return likelihoods(x, wanted, wanted);
}

/** Returns positive softplus(-x) + (1 - target) softplus(x). Where a factor is 0, an infinite factor adds 0. */
function likelihoods(x: Node, target: Node, positive: Node): Node {
  return add(
    weighted(sub(1, target), softplus(x), Infinity),
    weighted(positive, softplus(neg(x)), Infinity),
  );
}

/**
 * Returns the binary cross-entropy of sigmoid(logits), in nats: by default the mean over all elements of
 * weights (-positiveWeight target log(sigmoid(x)) - (1 - target) log(1 - sigmoid(x))), where x are the logits. The mean
 * divides by the number of elements, not by the sum of the weights, as in PyTorch. An infinite logit adds 0 if the
 * target agrees with its sign (1 for Infinity, 0 for -Infinity), where PyTorch gives NaN; so does an infinite loss whose
 * weight is 0. The gradient for an infinite logit is that of the limit. The mean over no elements is NaN.
 *
 * The result is a scalar or, with the reduction `'none'`, has the shape of the logits; it has their dtype.
 * @param logits of any shape, float32 or float64
 * @param target probabilities in the shape and dtype of the logits, or a number
 * @throws ShapeError if the shapes differ, or the weights do not broadcast to the shape of the logits; DTypeError if the
 *   dtypes differ or are int32; ValueError if an operand is not a Node, Tensor or number, or an option is unknown or
 *   invalid
 */
export function binaryCrossEntropyWithLogits(
  logits: Operand,
  target: Operand,
  options?: BinaryCrossEntropyOptions,
): Node {
  return calledAs('binaryCrossEntropyWithLogits', () => {
    const name = 'binaryCrossEntropyWithLogits';
    const { positiveWeight, weights, reduction } = binaryOptions.read(options, `[${name}]`);
    const [x, wanted] = pair(name, logits, target);
    const positive =
      positiveWeight === undefined
        ? wanted
        : mul(weightsFor(name, 'positiveWeight', positiveWeight, x), wanted);
    const losses = likelihoods(x, wanted, positive);
    return reduced(
      weights === undefined
        ? losses
        : weighted(weightsFor(name, 'weights', weights, x), losses, Infinity),
      reduction,
    );
  });
}
