/** Learning rates. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { DTypeError, GraphError, ShapeError } from '../errors.js';
import { assertValue, isNode, type Node } from '../graph/node.js';
import { formatShape } from '../tensor/shape.js';

/**
 * A learning rate: a finite number of at least 0; a node of shape [], such as a state that changes during training; or a
 * function that returns a node of shape [], such as one of `schedules`. The function gets the number of the step, which
 * is a float64 node of shape []. It is 0 at the first step. The rule counts the steps itself: steps that only accumulate
 * gradients and steps that are skipped do not count.
 */
export type Rate = number | Node | ((step: Node) => Node);

/** The `Kind` of an option whose value is a learning rate. */
export const rateKind: Kind<Rate> = {
  expected:
    'a finite number of at least 0, or a node of shape [], or a function that returns such a node (of any dtype but bool)',
  accepts: (value) => {
    if (isNode(value)) return value.shape.length === 0 && value.dtype !== 'bool';
    return (
      typeof value === 'function' || (typeof value === 'number' && value >= 0 && value < Infinity)
    );
  },
};

/**
 * Returns the result of a rate that is a function.
 * @throws GraphError if it is not a node with a value; ShapeError if its shape is not []; DTypeError if it is bool
 */
export function rateAt(rate: (step: Node) => Node, step: Node, context: string): Node {
  const node = rate(step);
  const what = `${context}: the rate: expected the function to return a node of shape []`;
  if (!isNode(node)) throw new GraphError(`${what}, but it returned ${describeValue(node)}`);
  assertValue(node, `${what}, but`);
  if (node.shape.length > 0) {
    throw new ShapeError(`${what}, but ${node} has shape ${formatShape(node.shape)}`);
  }
  if (node.dtype === 'bool') throw new DTypeError(`${what} of numbers, but ${node} is bool`);
  return node;
}
