/** Losses of classifiers. The classes are axis 1. */

import type { Dim } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import {
  cast,
  div,
  equal,
  gather,
  logSoftmax,
  mean,
  mul,
  neg,
  reshape,
  sum,
  takeAlongAxis,
  where,
} from '../../ops/index.js';
import type { Call } from '../call.js';
import { elementTypes } from '../elements.js';
import { numeric, type Rows, row } from './row.js';

/** The negative logarithms of the probabilities of the labels, reduced as the node says. */
function likelihoodLoss(call: Call, logProbabilities: Node): Node {
  const labels = call.node(1);
  const weights = call.optional(2);
  const reduction = call.text('reduction', 'mean');
  const ignored = call.int('ignore_index', undefined);
  const { dtype } = logProbabilities;
  const isIgnored = ignored === undefined ? undefined : equal(labels, ignored);
  // An ignored label need not be a class.
  const safe =
    isIgnored === undefined
      ? labels
      : numeric(elementTypes.int64, [labels], (label) => where(isIgnored, 0, label));
  const [batch, , ...rest] = logProbabilities.shape as [Dim, Dim, ...Dim[]];
  const chosen = takeAlongAxis(logProbabilities, reshape(safe, [batch, 1, ...rest]), 1);
  const losses = neg(reshape(chosen, [batch, ...rest]));
  const own = weights && cast(gather(weights, safe, 0), dtype);
  const shares = isIgnored === undefined ? own : where(isIgnored, 0, own ?? 1);
  const products = shares === undefined ? losses : mul(losses, shares);
  // An ignored label counts as 0, also where the logarithm of the first class is infinite.
  const weighted = isIgnored === undefined ? products : where(isIgnored, 0, products);
  if (reduction === 'none') return weighted;
  if (reduction === 'sum') return sum(weighted);
  if (reduction !== 'mean') return call.unsupported(`reduction '${reduction}'`);
  return shares === undefined ? mean(weighted) : div(sum(weighted), sum(shares));
}

export const losses: Rows = {
  NegativeLogLikelihoodLoss: row((call) => likelihoodLoss(call, call.node(0))),
  SoftmaxCrossEntropyLoss: row((call) => {
    const logProbabilities = logSoftmax(call.node(0), 1);
    return [likelihoodLoss(call, logProbabilities), logProbabilities];
  }),
};
