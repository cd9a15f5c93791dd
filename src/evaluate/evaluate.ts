/** Evaluation by the reference executor. */

import { describeValue } from '../arguments/describe.js';
import { ValueError } from '../errors.js';
import { Node } from '../graph/node.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Feeds } from './bind.js';
import { Interpreter, type Updates } from './interpreter.js';

/** What `evaluate` may be told. */
export interface EvaluateOptions {
  /** Leaves to write after everything is computed, each with its new value. */
  readonly updates?: Updates | undefined;
  /** The index of this run, on which random draws depend; 0 unless told otherwise. */
  readonly run?: number | undefined;
}

/**
 * Computes nodes from fed inputs and the leaves' values; the reference that programs are compared with. Returns fresh
 * tensors in the form that was asked: one, a list, or a record.
 *
 * @throws ValueError for a feed that is missing, unknown or no tensor; ShapeError or DTypeError for
 *   one that does not fit; GraphError for leaves of one name or updates that do not fit. Leaves are
 *   unchanged then.
 */
export function evaluate(node: Node, feeds?: Feeds, options?: EvaluateOptions): Tensor;
export function evaluate<const T extends readonly Node[]>(
  nodes: T,
  feeds?: Feeds,
  options?: EvaluateOptions,
): { -readonly [I in keyof T]: Tensor };
export function evaluate<K extends string>(
  nodes: Readonly<Record<K, Node>>,
  feeds?: Feeds,
  options?: EvaluateOptions,
): Record<K, Tensor>;
export function evaluate(
  wanted: Node | readonly Node[] | Readonly<Record<string, Node>>,
  feeds: Feeds = {},
  { updates = [], run = 0 }: EvaluateOptions = {},
): Tensor | Tensor[] | Record<string, Tensor> {
  if (wanted instanceof Node) {
    return new Interpreter([wanted], updates).run(feeds, run)[0] as Tensor;
  }
  if (Array.isArray(wanted)) return new Interpreter(wanted, updates).run(feeds, run);
  if (typeof wanted !== 'object' || wanted === null) {
    throw new ValueError(
      `evaluate: expected a node, a list of nodes or a record of nodes, but received ${describeValue(wanted)}`,
    );
  }
  const entries = Object.entries(wanted as Readonly<Record<string, Node>>);
  const tensors = new Interpreter(
    entries.map(([, node]) => node),
    updates,
  ).run(feeds, run);
  return Object.fromEntries(entries.map(([name], index) => [name, tensors[index] as Tensor]));
}
