/** `result`: the nodes with the results of an op that has several. */

import { describeValue } from '../arguments/describe.js';
import { GraphError, ValueError } from '../errors.js';
import { createNode, isNode, type Node } from './node.js';
import type { GradientContext, Op } from './op.js';
import { type Result, resultsOf } from './results.js';

const infoOf = ([several]: readonly Node[], attributes: object): Result => {
  const { key } = attributes as { key: string };
  return resultsOf(several as Node)?.[key] as Result;
};

/** Like the ops of leaves, this op is not declared. Its samples are those of the ops with several results. */
const resultOp: Op = {
  name: 'result',
  arity: 1,
  interned: true,
  dtype: (inputs, attributes) => infoOf(inputs, attributes).dtype,
  shape: (inputs, attributes) => infoOf(inputs, attributes).shape,
  lowering: { kind: 'result' },
  gradient: ({ gradient }: GradientContext<object>) => [gradient],
  label: (attributes) => (attributes as { key: string }).key,
  samples: [],
  refused: [],
};

/**
 * Returns one result of a node whose op has several results (`defineOp` with `results`). Equal results are one node. Use
 * it in a gradient rule, to read the results of the node that sends gradients: the function of the op itself returns
 * the nodes of all its results.
 * @param key the key of the result
 * @throws GraphError if `node` is not a node, or its op has only one result; ValueError if it has no result with this key
 */
export function result(node: Node, key: string): Node {
  if (!isNode(node)) {
    throw new GraphError(`result: expected a node, but received ${describeValue(node)}`);
  }
  const results = resultsOf(node);
  if (results === undefined) {
    throw new GraphError(`result: ${node} has only one result, which is its own value`);
  }
  if (typeof key !== 'string' || !Object.hasOwn(results, key)) {
    throw new ValueError(
      `result: expected a result of ${node} (${Object.keys(results).join(', ')}), but received ${describeValue(key)}`,
    );
  }
  return createNode(resultOp, [node], { key });
}

/** Returns all results of a node whose op has several results, by key. */
export function allResults(node: Node): Readonly<Record<string, Node>> {
  const keys = Object.keys(resultsOf(node) ?? {});
  return Object.freeze(Object.fromEntries(keys.map((key) => [key, result(node, key)])));
}
