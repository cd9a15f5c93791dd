/** The cross-entropy over classes. */

import { describeValue } from '../arguments/describe.js';
import { fraction } from '../arguments/kinds.js';
import { declareOptions, type Kind, type OptionsOf, optional } from '../arguments/options.js';
import { ShapeError } from '../errors.js';
import { calledAs } from '../graph/calls.js';
import { type Dim, sameShape } from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import { failFor, isNode, type Node } from '../graph/node.js';
import type { Fail, Operand } from '../graph/op.js';
import { type Apply, declare } from '../ops/declare.js';
import {
  add,
  cast,
  div,
  equal,
  exp,
  extent,
  log,
  logSoftmax,
  max,
  maximum,
  mul,
  neg,
  softmax,
  sub,
  sum,
  where,
} from '../ops/index.js';
import { asColumn, takeLabels } from '../ops/labels.js';
import { floatingDType } from '../ops/rules.js';
import { formatShape } from '../tensor/shape.js';
import { isTensor } from '../tensor/tensor.js';
import { pair, reduced, reductionOption, weighted, weightsFor, weightsKind } from './shared.js';

const label: Kind<number> = {
  expected: 'a label, an integer from -2^31 to 2^31 - 1',
  accepts: (value) => Number.isInteger(value) && (value as number) === ((value as number) | 0),
};

const crossEntropyOptions = declareOptions('crossEntropy', {
  /** The factor of each class, [classes]: a node, a tensor or a list of numbers. The default is 1. */
  weights: optional(weightsKind, 'weight', 'classWeights'),
  /**
   * The share of each target that is spread evenly over all classes, from 0 to 1. The default is 0. With the share s, the
   * target probability p becomes (1 - s) p + s / classes.
   */
  labelSmoothing: optional(fraction, 'smoothing'),
  /** Rows with this label add 0 to the loss and to the gradients. It need not be a class. By default, no row is left out. */
  ignoreIndex: optional(label, 'ignoreLabel'),
  ...reductionOption,
});

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions extends OptionsOf<typeof crossEntropyOptions> {}

const keepDims = { keepDims: true } as const;

/**
 * The op log(sum(e^x)) - chosen for each row of x, [.., classes], where `chosen` [..] is the logit of the row's class.
 * All logits are reduced by the largest of their row before anything else, so that nothing overflows or cancels.
 */
const likelihood: Apply<object> = declare({
  name: 'negativeLogLikelihood',
  arity: 2,
  dtype: floatingDType,
  shape: ([x, chosen], _attributes, fail) => {
    const [rows, given] = [(x as Node).shape.slice(0, -1), (chosen as Node).shape];
    if (!sameShape(rows, given)) {
      fail.shape(
        `expected logits of the classes ${formatShape(rows)}, received ${formatShape(given)}`,
      );
    }
    return given;
  },
  lowering: {
    kind: 'compose',
    expand: ([x, chosen]) => {
      const [logits, own] = [x as Node, chosen as Node];
      const most = max(logits, -1, keepDims);
      const total = sum(exp(sub(logits, most)), -1, keepDims);
      const losses = add(log(total), sub(most, asColumn(own)));
      return sum(losses, -1);
    },
  },
  gradient: ({ inputs: [x], gradient }) => [
    mul(asColumn(gradient), softmax(x as Node)),
    neg(gradient),
  ],
  samples: [
    {
      inputs: [{ shape: [2, 3] }, { shape: [2] }],
      build: (x, chosen) => likelihood([x as Node, chosen as Node], {}),
    },
    {
      inputs: [{ shape: [2, 3, 4] }, { shape: [2, 3] }],
      build: (x, chosen) => likelihood([x as Node, chosen as Node], {}),
    },
    {
      inputs: [{ shape: [0, 3] }, { shape: [0] }],
      build: (x, chosen) => likelihood([x as Node, chosen as Node], {}),
    },
  ],
  refused: [
    {
      build: () => likelihood([input('x', [2, 3]), input('chosen', [3])], {}),
      error: ShapeError,
      message: /^\[negativeLogLikelihood\] expected logits of the classes \[2\], received \[3\]/,
    },
  ],
});

/**
 * Returns the cross-entropy of softmax(logits), in nats. The classes are the last axis. The target is either a label or
 * a probability of each class for each row. The loss of a row is
 *
 *     -log(softmax(logits)[label]) weights[label]
 *     -sum(target log(softmax(logits)) weights)
 *
 * With `reduction: 'mean'`, the default, the sum over the rows is divided by the sum of the labels' weights or, if the
 * target consists of probabilities, by the number of rows, as in PyTorch. Rows that `ignoreIndex` leaves out add 0 to
 * the loss, to its divisor and to the gradients, whatever their logits are. If all rows are left out, the loss and its
 * gradients are 0, where PyTorch gives NaN. Without `ignoreIndex`, the mean over no rows is NaN.
 *
 * A class whose probability or weight is 0 adds 0, even if its logit is -Infinity, for example because the class is
 * masked; PyTorch gives NaN. With `labelSmoothing`, the part of the loss that is spread evenly over the classes has the
 * same divisor.
 *
 * The result is a scalar or, with the reduction `'none'`, has the shape [..]; it has the dtype of the logits.
 * @param logits [.., classes], float32 or float64. For labels, the number of classes must be a number
 * @param target labels [..], int32 or uint8, from 0 to classes - 1; or probabilities [.., classes] in the dtype of the
 *   logits
 * @throws ShapeError if the target has neither of these shapes, if it consists of labels and the number of classes is
 *   not a number, or if the weights do not have the shape [classes]; DTypeError if the logits are int32, or the
 *   probabilities or the weights have another dtype than the logits; ValueError if an operand is not a Node, Tensor or
 *   number, if an option is unknown or invalid, or if `ignoreIndex` is given for probabilities. A run throws ValueError
 *   if a label is not a class; the error names the row and the label, and the run writes nothing
 */
export function crossEntropy(
  logits: Operand,
  target: Operand,
  options?: CrossEntropyOptions,
): Node {
  return calledAs('crossEntropy', () => {
    const name = 'crossEntropy';
    const read = crossEntropyOptions.read(options, `[${name}]`);
    const [scores, wanted] = lift(name, [logits, target]) as [Node, Node];
    const fail = failFor({ name }, [scores, wanted]);
    if (scores.shape.length === 0)
      fail.shape('expected logits [.., classes], but received a scalar');
    floatingDType([scores], {}, fail);
    const weights =
      read.weights === undefined ? undefined : classWeights(read.weights, scores, fail);
    const isLabels = wanted.dtype === 'int32' || wanted.dtype === 'uint8';
    return isLabels
      ? ofLabels(scores, wanted, { ...read, weights }, fail)
      : ofProbabilities(scores, wanted, { ...read, weights }, fail);
  });
}

/**
 * The same function as `crossEntropy`, under its name in TensorFlow.
 * @throws ShapeError, DTypeError or ValueError where `crossEntropy` does
 */
export function softmaxCrossEntropy(
  logits: Operand,
  target: Operand,
  options?: CrossEntropyOptions,
): Node {
  return calledAs('softmaxCrossEntropy', () => {
    return crossEntropy(logits, target, options);
  });
}

interface Read extends Omit<CrossEntropyOptions, 'weights'> {
  /** The weights of the classes, broadcast to the shape of the logits. */
  readonly weights: Node | undefined;
}

/** Returns the weights of the classes, broadcast to the shape of the logits. */
function classWeights(
  weights: NonNullable<CrossEntropyOptions['weights']>,
  scores: Node,
  fail: Fail,
): Node {
  if (typeof weights === 'number') {
    fail.value(
      `expected weights [classes], a list or a tensor, but received ${describeValue(weights)}`,
    );
  }
  const given = isNode(weights) || isTensor(weights) ? weights.shape : undefined;
  if (given !== undefined && given.length !== 1) {
    fail.shape(
      `expected weights of ${formatShape(scores.shape.slice(-1))}, one for each class, but their rank is ${given.length}`,
    );
  }
  const whole = weightsFor('crossEntropy', 'weights', weights, scores);
  const [count] = given ?? [(weights as readonly number[]).length];
  if (count !== scores.shape.at(-1)) {
    fail.shape(
      `expected weights of ${formatShape(scores.shape.slice(-1))}, one for each class, but received ${formatShape([count as Dim])}`,
    );
  }
  return whole;
}

function ofProbabilities(scores: Node, wanted: Node, read: Read, fail: Fail): Node {
  const { weights, labelSmoothing = 0, ignoreIndex, reduction } = read;
  if (!sameShape(wanted.shape, scores.shape)) {
    fail.shape(
      `expected probabilities of ${formatShape(scores.shape)}, or labels of ${formatShape(scores.shape.slice(0, -1))} as int32, but received ${wanted.dtype} ${formatShape(wanted.shape)}; to make labels int32, write cast(target, 'int32') or feed an Int32Array`,
    );
  }
  if (ignoreIndex !== undefined) {
    fail.value(
      'ignoreIndex leaves out rows by their label, but the target consists of probabilities; to leave out a row, set its probabilities to 0',
    );
  }
  const [, probabilities] = pair('crossEntropy', scores, wanted);
  const classes = extent(scores.shape.at(-1) as number, scores.dtype);
  const target =
    labelSmoothing === 0
      ? probabilities
      : add(mul(probabilities, 1 - labelSmoothing), div(labelSmoothing, classes));
  const factors = weights === undefined ? target : mul(target, weights);
  return reduced(neg(sum(weighted(factors, logSoftmax(scores), -Infinity), -1)), reduction);
}

function ofLabels(scores: Node, wanted: Node, read: Read, fail: Fail): Node {
  const { weights, labelSmoothing = 0, ignoreIndex, reduction = 'mean' } = read;
  const classes = scores.shape.at(-1);
  if (typeof classes !== 'number') {
    return fail.shape(
      `the number of classes must be a number, but logits are ${formatShape(scores.shape)}`,
    );
  }
  const rows = scores.shape.slice(0, -1);
  if (!sameShape(wanted.shape, rows)) {
    fail.shape(
      `expected labels of ${formatShape(rows)} for logits of ${formatShape(scores.shape)}, but received ${formatShape(wanted.shape)}`,
    );
  }
  const labels = cast(wanted, 'int32');
  const ignored = ignoreIndex === undefined ? undefined : equal(labels, ignoreIndex);
  /** Returns x, but 0 in the rows that are left out. They are selected, so that x may be NaN there. */
  const kept = (x: Node) => (ignored === undefined ? x : where(ignored, 0, x));
  const used = kept(labels);
  const logits = ignored === undefined ? scores : where(asColumn(ignored), 0, scores);
  const own = weights === undefined ? undefined : kept(takeLabels(weights, used));
  const likelihoods = kept(likelihood([logits, takeLabels(scores, used)], {}));
  const losses = own === undefined ? likelihoods : weighted(own, likelihoods, Infinity);
  const smoothed =
    labelSmoothing === 0
      ? losses
      : add(
          mul(losses, 1 - labelSmoothing),
          mul(kept(ofEvenTarget(logits, weights)), labelSmoothing / classes),
        );
  if (reduction !== 'mean' || (own === undefined && ignored === undefined)) {
    return reduced(smoothed, reduction);
  }
  return div(sum(smoothed), divisor(own, ignored, scores));
}

/** Returns the loss of each row for a target that is 1 for each class. */
function ofEvenTarget(logits: Node, weights: Node | undefined): Node {
  const logarithms = logSoftmax(logits);
  return neg(
    sum(weights === undefined ? logarithms : weighted(weights, logarithms, -Infinity), -1),
  );
}

/** Returns the divisor of the mean: the sum of the weights of the rows that are not left out; 1 if there are none. */
function divisor(own: Node | undefined, ignored: Node | undefined, { dtype }: Node): Node {
  if (ignored === undefined) return sum(own as Node);
  const count = sum(sub(1, cast(ignored, dtype)));
  return own === undefined ? maximum(count, 1) : where(count, sum(own), 1);
}
