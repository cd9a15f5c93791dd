/**
 * Ops with several results. A node of such an op has no value of its own. Each of its results is the value of another
 * node, which the function `result` makes.
 */

import type { DType } from '../tensor/dtype.js';
import type { Bindings, Dim, Shape } from './dimension.js';
import type { Node } from './node.js';

/** The dtype and the shape of one result of an op with several results. */
export interface Result {
  /** The dtype of its elements. */
  readonly dtype: DType;
  /** Its dimensions. Each is a number, a name, or a polynomial over names. */
  readonly shape: Shape;
}

/** The results of one node, by key. The order of the keys is the order in which a routine writes the results. */
export type Results = Readonly<Record<string, Result>>;

const known = new WeakMap<Node, Results>();

/** Records the results of a node, when it is made. */
export function recordResults(node: Node, results: Results): void {
  known.set(node, results);
}

/** Returns the results of a node, by key. Returns undefined for a node with a value of its own. */
export function resultsOf(node: Node): Results | undefined {
  return node.op.results === undefined ? undefined : known.get(node);
}

/** If the node is a result of another node, returns this other node and the key of the result. */
export function resultIn(node: Node): { readonly several: Node; readonly key: string } | undefined {
  if (node.op.lowering.kind !== 'result') return undefined;
  return { several: node.inputs[0] as Node, key: (node.attributes as { key: string }).key };
}

/** The shapes of the results of a node during one run, by key. */
export type BoundResults = Readonly<Record<string, readonly number[]>>;

const noResults: BoundResults = Object.freeze({});

/** Returns the shapes of the results of a node during one run; no shapes if the node has a value of its own. */
export function boundResults(
  node: Node,
  bindings: Bindings,
  bind: (dim: Dim, bindings: Bindings) => number,
): BoundResults {
  const results = resultsOf(node);
  if (results === undefined) return noResults;
  return Object.fromEntries(
    Object.entries(results).map(([key, { shape }]) => [
      key,
      shape.map((dim) => bind(dim, bindings)),
    ]),
  );
}
