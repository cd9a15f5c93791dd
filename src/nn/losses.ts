/**
 * Loss functions. Each returns a scalar, the mean over examples or elements, except `bernoulliNegativeLogLikelihood`,
 * which returns a number for each element.
 */

import { sameShape } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { failFor } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import {
  add,
  div,
  equal,
  logSoftmax,
  mean,
  mul,
  neg,
  oneHot,
  softplus,
  square,
  sub,
  sum,
  where,
} from '../ops/index.js';
import { formatShape } from '../tensor/shape.js';

/**
 * Returns the mean squared error, a scalar: the mean of (y - target)^2 over all elements. Both operands must have the
 * same shape and the same dtype, float32 or float64. The target may also be a number.
 * @throws ShapeError if the shapes differ; DTypeError if the dtypes differ or are int32; ValueError if an operand is
 *   not a Node, Tensor or number
 */
export function mse(y: Operand, target: Operand): Node {
  const [output, wanted] = pair('mse', y, target);
  return mean(square(sub(output, wanted)));
}

/**
 * Returns the cross-entropy of softmax(logits), a scalar in nats: the mean over examples of
 * -sum(target * logSoftmax(logits)). A class whose target probability is 0 adds 0, even if its logit is -Infinity, for
 * example because the class is masked.
 * @param logits [.., classes], float32 or float64
 * @param target probabilities [.., classes] in the dtype of the logits, or int32 class indices [..]. The loss is NaN if
 *   an index is outside 0 … classes-1
 * @throws ShapeError if the target has neither of these shapes, or if it consists of class indices and the number of
 *   classes is not a number; DTypeError if the logits are int32 or the probabilities have another dtype; ValueError if
 *   an operand is not a Node, Tensor or number
 */
export function softmaxCrossEntropy(logits: Operand, target: Operand): Node {
  const [scores, wanted] = lift('softmaxCrossEntropy', [logits, target]) as [Node, Node];
  const fail = failFor({ name: 'softmaxCrossEntropy' }, [scores, wanted]);
  const classes = scores.shape.at(-1);
  if (wanted.dtype !== 'int32' && wanted.dtype !== 'uint8') {
    if (!sameShape(wanted.shape, scores.shape)) {
      fail.shape(
        `expected probabilities of ${formatShape(scores.shape)}, or class indices of ${formatShape(scores.shape.slice(0, -1))} as int32, but received ${wanted.dtype} ${formatShape(wanted.shape)}; to make class indices int32, write cast(target, 'int32') or feed an Int32Array`,
      );
    }
    const [, probabilities] = pair('softmaxCrossEntropy', scores, wanted);
    return neg(mean(sum(weighted(probabilities, logSoftmax(scores), -Infinity), -1)));
  }
  if (typeof classes !== 'number') {
    return fail.shape(
      `the number of classes must be a number, but logits are ${formatShape(scores.shape)}`,
    );
  }
  if (!sameShape(wanted.shape, scores.shape.slice(0, -1))) {
    return fail.shape(
      `expected class indices of ${formatShape(scores.shape.slice(0, -1))} for logits of ${formatShape(scores.shape)}, but received ${formatShape(wanted.shape)}`,
    );
  }
  // The classes other than the target class are removed with `where` and not by a product, because a masked class has
  // the logit -Infinity, and 0 * -Infinity is NaN.
  const classOf = oneHot(wanted, classes, { dtype: scores.dtype });
  const chosen = sum(where(classOf, logSoftmax(scores), 0), -1);
  // If an index is outside the classes, its row of `classOf` is 0, and this division makes the loss NaN. Without the
  // division, an invalid label would add 0 to the loss.
  return neg(mean(div(chosen, sum(classOf, -1))));
}

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
  return add(
    weighted(sub(1, wanted), softplus(x), Infinity),
    weighted(wanted, softplus(neg(x)), Infinity),
  );
}

/** Returns weight * x, but 0 where the weight is 0 and x is `infinity`, because there the product would be NaN. */
function weighted(weight: Node, x: Node, infinity: number): Node {
  // Only an infinite x is replaced. Where x is finite, the gradient for the weight remains x, even if the weight is 0.
  return mul(weight, where(equal(x, infinity), where(weight, x, 0), x));
}

/**
 * Returns the binary cross-entropy of sigmoid(logits), a scalar in nats: the mean over all elements. An infinite logit
 * adds 0 if the target agrees with its sign (1 for Infinity, 0 for -Infinity).
 * @param logits of any shape, float32 or float64
 * @param target probabilities in the shape and dtype of the logits, or a number
 * @throws ShapeError if the shapes differ; DTypeError if the dtypes differ or are int32; ValueError if an operand is
 *   not a Node, Tensor or number
 */
export function binaryCrossEntropyWithLogits(logits: Operand, target: Operand): Node {
  return mean(bernoulliNegativeLogLikelihood(logits, target));
}

/**
 * Returns the two operands as nodes. Their shapes must be the same, because a loss that broadcasts by accident would
 * train the wrong function.
 * @throws ShapeError if the shapes differ and the target is not a number
 */
function pair(name: string, y: Operand, target: Operand): [Node, Node] {
  const [output, wanted] = lift(name, [y, target]) as [Node, Node];
  if (!sameShape(output.shape, wanted.shape) && typeof target !== 'number') {
    failFor({ name }, [output, wanted]).shape(
      `expected a target of ${formatShape(output.shape)}, but received ${formatShape(wanted.shape)}`,
    );
  }
  return [output, wanted];
}
