/** Losses: each a scalar, the mean over examples. */

import { sameShape } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { failFor } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import {
  add,
  div,
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
 * The mean over all elements of (y - target)^2, a scalar; both of one shape and dtype, float32 or float64.
 * @throws ShapeError for two shapes; DTypeError for two dtypes or int32; ValueError if an operand is not a
 *   node, a tensor or a number
 */
export function mse(y: Operand, target: Operand): Node {
  const [output, wanted] = pair('mse', y, target);
  return mean(square(sub(output, wanted)));
}

/**
 * The mean over examples of -sum(target * logSoftmax(logits)), in nats.
 * @param logits [.., classes]
 * @param target probabilities of the same shape, or class indices (int32) of the leading shape; the
 *   loss is NaN for an index that is no class
 * @throws ShapeError for a target of neither shape, or for class indices when the number of classes is a name;
 *   DTypeError for logits of int32 or probabilities of another dtype; ValueError if an operand is not a
 *   node, a tensor or a number
 */
export function softmaxCrossEntropy(logits: Operand, target: Operand): Node {
  const [scores, wanted] = lift('softmaxCrossEntropy', [logits, target]) as [Node, Node];
  const fail = failFor({ name: 'softmaxCrossEntropy' }, [scores, wanted]);
  const classes = scores.shape.at(-1);
  if (wanted.dtype !== 'int32') {
    if (!sameShape(wanted.shape, scores.shape)) {
      fail.shape(
        `expected probabilities of ${formatShape(scores.shape)}, or class indices of ${formatShape(scores.shape.slice(0, -1))} as int32, but received ${wanted.dtype} ${formatShape(wanted.shape)}; class indices are made int32 by cast(target, 'int32'), or fed as an Int32Array`,
      );
    }
    const [, probabilities] = pair('softmaxCrossEntropy', scores, wanted);
    return neg(mean(sum(mul(probabilities, logSoftmax(scores)), -1)));
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
  // Chosen, not multiplied by 0 and 1: the logit of another class may be -Infinity, as a mask makes it.
  const classOf = oneHot(wanted, classes, { dtype: scores.dtype });
  const chosen = sum(where(classOf, logSoftmax(scores), 0), -1);
  // Divided by 1, or by 0 where the index is no class: a wrong label must not pass for a good answer.
  return neg(mean(div(chosen, sum(classOf, -1))));
}

/**
 * -target log(sigmoid(x)) - (1 - target) log(1 - sigmoid(x)) for each element, in nats, as
 * (1 - target) softplus(x) + target softplus(-x): no logit overflows it, nothing cancels, and its
 * gradient is sigmoid(x) - target.
 */
export function bernoulliNegativeLogLikelihood(logits: Operand, target: Operand): Node {
  const [x, wanted] = pair('binaryCrossEntropyWithLogits', logits, target);
  return add(mul(sub(1, wanted), softplus(x)), mul(wanted, softplus(neg(x))));
}

/**
 * The mean over all elements of the binary cross-entropy of sigmoid(logits), in nats, a scalar.
 * @param target probabilities, of the shape and dtype of the logits, float32 or float64
 * @throws ShapeError for two shapes; DTypeError for two dtypes or int32; ValueError if an operand is not a
 *   node, a tensor or a number
 */
export function binaryCrossEntropyWithLogits(logits: Operand, target: Operand): Node {
  return mean(bernoulliNegativeLogLikelihood(logits, target));
}

/** Two operands of one shape: a loss that broadcast by accident would train the wrong thing. */
function pair(name: string, y: Operand, target: Operand): [Node, Node] {
  const [output, wanted] = lift(name, [y, target]) as [Node, Node];
  if (!sameShape(output.shape, wanted.shape) && typeof target !== 'number') {
    failFor({ name }, [output, wanted]).shape(
      `expected a target of ${formatShape(output.shape)}, but received ${formatShape(wanted.shape)}`,
    );
  }
  return [output, wanted];
}
