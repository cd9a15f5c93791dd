/** What several losses share: operands of one shape, the option `reduction`, and products without 0 * Infinity. */

import { describeValue } from '../arguments/describe.js';
import { oneOf } from '../arguments/kinds.js';
import { type Kind, optional } from '../arguments/options.js';
import { assertList, isList } from '../arguments/read.js';
import { sameShape } from '../graph/dimension.js';
import { lift } from '../graph/leaf.js';
import { failFor, isNode, type Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { broadcastTo, equal, mean, mul, sum, where } from '../ops/index.js';
import { formatShape } from '../tensor/shape.js';
import { isTensor, tensor } from '../tensor/tensor.js';

/** How a loss is reduced: to the mean or the sum of its elements, or not at all. */
export type Reduction = 'mean' | 'sum' | 'none';

/** The options that all losses share. */
export const reductionOption = {
  /** `'mean'` (the default) or `'sum'` of the elements, or `'none'` for the elements themselves. */
  reduction: optional(oneOf('mean', 'sum', 'none')),
} as const;

/** Reduces the elements of a loss. The mean of no elements is NaN. */
export function reduced(losses: Node, reduction: Reduction = 'mean'): Node {
  if (reduction === 'none') return losses;
  return reduction === 'sum' ? sum(losses) : mean(losses);
}

/** Weights: an operand, or a list of numbers, which takes the dtype of what it weights. */
export type Weights = Operand | readonly number[];

/** The `Kind` of an option whose value is a node, a tensor or numbers. */
export const weightsKind: Kind<Weights> = {
  expected: 'a node, a tensor, a number or a list of numbers',
  accepts: (value) =>
    typeof value === 'number' || isNode(value) || isTensor(value) || isList(value),
};

/**
 * Returns weights, which broadcast to the shape of x.
 * @throws ShapeError if they do not broadcast to it; DTypeError if they have another dtype than x; ValueError if they
 *   are a list that does not consist of numbers
 */
export function weightsFor(name: string, option: string, weights: Weights, x: Node): Node {
  const [, node] = lift(name, [
    x,
    isList(weights) ? listed(name, option, weights, x) : weights,
  ]) as [Node, Node];
  const fail = failFor({ name }, [x]);
  if (node.dtype !== x.dtype) {
    fail.dtype(`expected ${option} of ${x.dtype}, but received ${node.dtype}; cast() one of them`);
  }
  const lead = x.shape.length - node.shape.length;
  if (lead < 0 || node.shape.some((dim, axis) => dim !== 1 && dim !== x.shape[axis + lead])) {
    fail.shape(
      `expected ${option} that broadcast to ${formatShape(x.shape)}, but received ${formatShape(node.shape)}`,
    );
  }
  return broadcastTo(node, x.shape);
}

function listed(name: string, option: string, weights: Weights, { dtype }: Node) {
  const numbers = assertList(weights as readonly number[], `[${name}] expected ${option},`);
  const odd = numbers.find((value) => typeof value !== 'number');
  if (odd !== undefined) {
    failFor({ name }, []).value(
      `expected ${option} to be numbers, but received ${describeValue(odd)}`,
    );
  }
  return tensor([...numbers], { dtype });
}

/**
 * Returns weight * x, but 0 where the weight is 0 and x is `infinity`, because there the product would be NaN.
 */
export function weighted(weight: Node, x: Node, infinity: number): Node {
  // Only an infinite x is replaced. Where x is finite, the gradient for the weight remains x, even if the weight is 0.
  return mul(weight, where(equal(x, infinity), where(weight, x, 0), x));
}

/**
 * Returns the two operands as nodes. Their shapes must be the same, because a loss that broadcasts by accident would
 * train the wrong function.
 * @throws ShapeError if the shapes differ and the target is not a number
 */
export function pair(name: string, y: Operand, target: Operand): [Node, Node] {
  const [output, wanted] = lift(name, [y, target]) as [Node, Node];
  if (!sameShape(output.shape, wanted.shape) && typeof target !== 'number') {
    failFor({ name }, [output, wanted]).shape(
      `expected a target of ${formatShape(output.shape)}, but received ${formatShape(wanted.shape)}`,
    );
  }
  return [output, wanted];
}
