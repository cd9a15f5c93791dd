/** `evaluate` runs a graph with the interpreter, without compiling it. */

import { describeValue } from '../arguments/describe.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertRecord, isList, isRecord } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { isNode, type Node } from '../graph/node.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Feeds } from './bind.js';
import { Interpreter } from './interpreter.js';
import { runIndex, updatesKind } from './updates.js';

const evaluateOptions = declareOptions('evaluate', {
  /** [leaf, value] pairs. When all values are computed, each leaf gets its new value. */
  updates: optional(updatesKind),
  /** The index of this run, on which random draws depend; 0 by default. */
  run: optional(runIndex),
});

/** Options of `evaluate`. */
export interface EvaluateOptions extends OptionsOf<typeof evaluateOptions> {}

/**
 * Computes nodes from the feeds and the values of the leaves, one node after the other. The results of compiled
 * programs are tested against those of `evaluate`. Returns new tensors in the form of the first argument: one tensor, a
 * list of tensors, or a record of tensors.
 *
 * @param feeds the values of the inputs, by input name
 * @throws ValueError if a feed is missing, unknown or not a tensor, or if an option is unknown; ShapeError or
 *   DTypeError if a feed or an update does not fit; GraphError if two leaves have the same name or an update is
 *   invalid. A call that throws changes no leaf.
 */
export function evaluate<N extends Node>(
  node: N,
  feeds?: Feeds,
  options?: EvaluateOptions,
): Tensor<N['dtype']>;
export function evaluate<const L extends readonly Node[]>(
  nodes: L,
  feeds?: Feeds,
  options?: EvaluateOptions,
): { -readonly [I in keyof L]: Tensor<L[I]['dtype']> };
export function evaluate<R extends Readonly<Record<string, Node>>>(
  nodes: R,
  feeds?: Feeds,
  options?: EvaluateOptions,
): { [K in keyof R]: Tensor<R[K]['dtype']> };
export function evaluate(
  wanted: Node | readonly Node[] | Readonly<Record<string, Node>>,
  feeds: Feeds = {},
  options?: EvaluateOptions,
): Tensor | Tensor[] | Record<string, Tensor> {
  const { updates, run = 0 } = evaluateOptions.read(options);
  if (isNode(wanted)) {
    return new Interpreter([wanted], updates).run(feeds, run)[0] as Tensor;
  }
  if (isList(wanted)) return new Interpreter(wanted as readonly Node[], updates).run(feeds, run);
  const expected = 'evaluate: expected a node, a list of nodes or a record of nodes,';
  if (!isRecord(wanted)) {
    throw new ValueError(`${expected} but received ${describeValue(wanted)}`);
  }
  const entries = assertRecord(wanted as Readonly<Record<string, Node>>, expected);
  const tensors = new Interpreter(
    entries.map(([, node]) => node),
    updates,
  ).run(feeds, run);
  return Object.fromEntries(entries.map(([name], index) => [name, tensors[index] as Tensor]));
}
