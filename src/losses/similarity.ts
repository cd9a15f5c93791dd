/** Divergences of distributions, and similarities of vectors. */

import { positiveNumber } from '../arguments/kinds.js';
import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { calledAs } from '../graph/calls.js';
import { failFor, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { div, log, maximum, mul, norm, sub, sum, where } from '../ops/index.js';
import { resolveAxis } from '../tensor/shape.js';
import { type ReductionOptions, reductionOf } from './differences.js';
import { pair, reduced, weighted } from './shared.js';

/**
 * Returns the Kullback-Leibler divergence of q from p, in nats: by default the mean over all elements of p (log(p) -
 * logQ), as PyTorch's kl_div. (The divergence of distributions in rows is the sum of a row; for their mean, divide the
 * sum by the number of rows.) An element where p is 0 is 0, even if logQ is -Infinity, where PyTorch gives NaN. The
 * gradient for p is log(p) + 1 - logQ; where p is 0, it is -logQ or, if logQ is -Infinity, 0, so that it is finite. The
 * mean of no elements is NaN.
 *
 * The result is a scalar or, with the reduction `'none'`, has the shape of logQ; it has its dtype.
 * @param logQ the logarithms of the probabilities q, such as `logSoftmax(logits)`; float32 or float64
 * @param p probabilities in the shape and dtype of logQ
 * @throws ShapeError if the shapes differ; DTypeError if the dtypes differ or are int32; ValueError if an operand is
 *   not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function klDivergence(logQ: Operand, p: Operand, options?: ReductionOptions): Node {
  return calledAs('klDivergence', () => {
    const reduction = reductionOf('klDivergence', options);
    const [logarithms, probabilities] = pair('klDivergence', logQ, p);
    // log(0) is not computed, because its product with 0, and the gradient of that, would be NaN.
    const own = log(where(probabilities, probabilities, 1));
    return reduced(
      sub(mul(probabilities, own), weighted(probabilities, logarithms, -Infinity)),
      reduction,
    );
  });
}

const axisKind: Kind<number> = {
  expected: 'an axis, an integer',
  accepts: (value) => Number.isSafeInteger(value),
};

const similarityOptions = declareOptions('cosineSimilarity', {
  /** The axis of the vectors; the last one by default. A negative axis counts from the end. */
  axis: optional(axisKind, 'dim'),
  /** The least norm by which a vector is divided. The default is 1e-8. */
  epsilon: optional(positiveNumber, 'eps'),
});

/** Options of `cosineSimilarity`. */
export interface CosineSimilarityOptions extends OptionsOf<typeof similarityOptions> {}

/**
 * Returns the cosine of the angle between vectors: the sum over an axis of a / max(|a|, epsilon) times
 * b / max(|b|, epsilon). With a zero vector, it is 0. The result is not reduced: it has the shape of a without the axis,
 * and the dtype of a. The gradient is exact also for vectors that are shorter than epsilon, where the divisor is
 * constant; PyTorch differentiates the norm there, too. At a zero vector, both have the gradient of the constant divisor.
 * @param a float32 or float64, of rank 1 or more
 * @param b in the shape and dtype of a
 * @throws ShapeError if the shapes differ or the axis is out of range; DTypeError if the dtypes differ or are int32;
 *   ValueError if an operand is not a Node, Tensor or number, or if an option is unknown or invalid
 */
export function cosineSimilarity(a: Operand, b: Operand, options?: CosineSimilarityOptions): Node {
  return calledAs('cosineSimilarity', () => {
    const name = 'cosineSimilarity';
    const { axis = -1, epsilon = 1e-8 } = similarityOptions.read(options, `[${name}]`);
    const [left, right] = pair(name, a, b);
    const rank = left.shape.length;
    if (rank === 0)
      failFor({ name }, [left, right]).shape('expected vectors, but received scalars');
    const along = resolveAxis(axis, rank, `[${name}]`);
    const unit = (x: Node) => div(x, maximum(norm(x, { axes: along, keepDims: true }), epsilon));
    return sum(mul(unit(left), unit(right)), along);
  });
}
