/** Checks outputs, updates and run indices, for the interpreter and for the compiler. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import type { Kind } from '../arguments/options.js';
import { assertList } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { assertValue, isNode, type Node } from '../graph/node.js';
import { joined, omittedStates } from '../graph/side-updates.js';
import { formatShape } from '../tensor/shape.js';

/** [leaf, value] pairs. At the end of a run, the value of each node `value` is written to its leaf. */
export type Updates = readonly (readonly [leaf: Variable, value: Node])[];

/**
 * Returns a copy of the list of outputs.
 * @throws ValueError if `outputs` is not a list of nodes; GraphError if an output has several results
 */
export function checkOutputs(outputs: readonly Node[]): readonly Node[] {
  const list = assertList(outputs, 'expected a list of nodes,');
  for (const output of list) {
    if (!isNode(output)) {
      throw new ValueError(`expected a node to evaluate, but received ${describeValue(output)}`);
    }
    assertValue(output, 'expected a node with a value, but');
  }
  return list;
}

/**
 * Returns the updates as a new list with one pair for each leaf. The same pair may be given several times. If a state
 * gets several values that are all results of side updates, it gets the result of all these side updates together.
 * @param outputs the nodes that are computed in the same run. If there are updates, they must include the side updates
 *   of these nodes
 * @throws ValueError if `updates` is not a list of pairs; GraphError if a leaf is neither a parameter nor a state, if a
 *   leaf gets two different values, if a value is not a Node, or if a side update of an output is omitted; DTypeError or
 *   ShapeError if a value does not fit its leaf
 */
export function checkUpdates(updates: Updates, outputs: readonly Node[] = []): Updates {
  const values = new Map<Variable, Node>();
  const list = assertList(updates, 'updates: expected [leaf, value] pairs,').map(
    (update) =>
      assertList(update, 'updates: expected a [leaf, value] pair,') as (typeof updates)[number],
  );
  for (const [leaf, value] of list) {
    if (!isVariable(leaf)) {
      const what = isNode(leaf) ? `${leaf}` : describeValue(leaf);
      throw new GraphError(`only parameters and states can be updated, but ${what} is neither`);
    }
    if (!isNode(value)) {
      throw new GraphError(
        `update of ${leaf}: expected a node, but received ${describeValue(value)}`,
      );
    }
    assertValue(value, `update of ${leaf}: expected a node with a value, but`);
    const other = values.get(leaf);
    const only = other === undefined || other === value ? value : joined(leaf, other, value);
    if (only === undefined) throw new GraphError(`${leaf} is updated twice in one run`);
    values.set(leaf, only);
    if (value.dtype !== leaf.dtype) {
      throw new DTypeError(
        `update of ${leaf}: expected ${leaf.dtype}, but ${value} is ${value.dtype}`,
      );
    }
    const known = value.shape.every((dim) => typeof dim === 'number');
    if (known && !sameShape(value.shape, leaf.shape)) {
      throw new ShapeError(
        `update of ${leaf}: expected shape ${formatShape(leaf.shape)}, but ${value} has ${formatShape(value.shape)}`,
      );
    }
  }
  assertSideUpdates(outputs, values);
  return [...values];
}

/** @throws GraphError if the updates omit a side update of an output */
function assertSideUpdates(outputs: readonly Node[], values: ReadonlyMap<Variable, Node>): void {
  const omitted = omittedStates(outputs, values);
  if (omitted.length === 0) return;
  throw new GraphError(
    `updates: the outputs carry side updates of ${omitted.join(', ')}, which the updates omit; add them: updates: [...updates, ...sideUpdates(loss)], where loss is the output that carries them`,
  );
}

/**
 * Checks the shapes of the updates when the dimension names are bound. `shapeOf` returns the bound shape of a node.
 * @throws ShapeError if a value has another shape than its leaf
 */
export function checkBoundUpdates(
  updates: Updates,
  shapeOf: (node: Node) => readonly number[],
): void {
  for (const [leaf, value] of updates) {
    if (!sameShape(shapeOf(value), leaf.shape)) {
      throw new ShapeError(
        `update of ${leaf}: expected shape ${formatShape(leaf.shape)}, but ${value} is ${formatShape(shapeOf(value))}`,
      );
    }
  }
}

/** The `Kind` of an option whose value is the index of a run. */
export const runIndex: Kind<number> = {
  expected: 'an integer from 0 to 2^53 - 1',
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
};

/** @throws ValueError if `run` is not an integer from 0 to 2^53 - 1 */
export function assertRun(run: unknown): asserts run is number {
  if (!runIndex.accepts(run)) {
    throw new ValueError(`run must be ${runIndex.expected}, but is ${describeValue(run)}`);
  }
}

/**
 * The `Kind` of an option whose value is a list of updates. It accepts every value, because `checkUpdates` checks it
 * later.
 */
export const updatesKind: Kind<Updates> = checkedLater('a list of [leaf, value] pairs');
