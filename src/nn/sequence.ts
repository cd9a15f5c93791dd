/** Applies a recurrent cell to all time steps of a sequence, in one loop. */

import { DTypeError, ShapeError } from '../errors.js';
import { calledAs } from '../graph/calls.js';
import { addDims, type Dim, sameShape } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import { broadcastTo, less, reshape, where as select } from '../ops/index.js';
import { takeLabels } from '../ops/labels.js';
import { positions } from '../ops/positions.js';
import { type Recompute, scan } from '../ops/scan.js';
import { formatShape } from '../tensor/shape.js';

/** A state record: nodes [batch, units] by name. */
export type State = Readonly<Record<string, Node>>;

/** How a cell is applied to a sequence. */
export interface Sequence {
  /** The name of the loop. */
  readonly name: string;
  /** The inputs: [steps, batch, inputs]. With lengths, those of the padding are finite. */
  readonly xs: Node;
  /** The states before the first step. */
  readonly initial: State;
  /** Whether the steps run from the last to the first. */
  readonly reverse: boolean;
  /** The number of steps of each row, as `checkedLengths` returns it; undefined if all rows have all steps. */
  readonly lengths: Node | undefined;
  /** How training saves memory; undefined if it keeps all steps. */
  readonly recompute?: Recompute | undefined;
  /** Computes a step. */
  step(x: Node, state: State): State;
}

/**
 * Returns the hidden states at all time steps, [steps, batch, units], and the states after the last one. In the steps after
 * the length of a row, its states stay as they are, and its hidden state is 0: the backward direction begins at the last
 * step of the row.
 */
export function applied({ name, xs, initial, reverse, lengths, recompute, step }: Sequence): {
  readonly hidden: Node;
  readonly last: State;
} {
  const { last, ys } = scan(
    (state: State, x: Node, t: Node) => {
      if (lengths === undefined) {
        const next = step(x, state);
        return [next, next.hidden as Node] as const;
      }
      const runs = reshape(less(t, lengths), [lengths.shape[0] as Dim, 1]);
      const next = step(x, state);
      const kept = Object.fromEntries(
        Object.entries(next).map(([key, value]) => [key, select(runs, value, state[key] as Node)]),
      );
      return [kept, select(runs, next.hidden as Node, 0)] as const;
    },
    { over: xs, initial, reverse, name, recompute },
  );
  return { hidden: ys, last };
}

/**
 * Returns xs [steps, batch, inputs] with 0 in the padding, so that it may hold anything. Otherwise a factor of NaN there
 * would make the gradients of weights NaN.
 */
export function withoutPadding(xs: Node, lengths: Node): Node {
  const [steps, batch] = xs.shape as readonly [Dim, Dim];
  const runs = less(reshape(positions(steps), [steps, 1]), lengths);
  return select(reshape(runs, [steps, batch, 1]), xs, 0);
}

/**
 * Checks the numbers of steps of the rows of a sequence, [batch].
 * @param where the beginning of errors
 * @returns the numbers. A run fails with a ValueError if one of them is negative or larger than the number of steps
 * @throws DTypeError if `lengths` is not int32; ShapeError if it has another shape
 */
export function checkedLengths(lengths: Node, xs: Node, where: string): Node {
  const [steps, batch] = xs.shape as readonly [Dim, Dim];
  if (lengths.dtype !== 'int32') {
    throw new DTypeError(`${where}: expected lengths of int32, but received ${lengths.dtype}`);
  }
  if (!sameShape(lengths.shape, [batch])) {
    throw new ShapeError(
      `${where}: expected lengths of shape ${formatShape([batch])}, but received ${formatShape(lengths.shape)}`,
    );
  }
  // A label that is out of range ends the run before it writes anything. Here the label of a row is its length, and the
  // value at each label is the label itself.
  const count = addDims(steps, 1);
  return calledAs(
    'lengths',
    () => takeLabels(broadcastTo(positions(count), [batch, count]), lengths),
    ({ index, bound, value }) =>
      `row ${index} of ${lengths} is ${value}, but the lengths of rows of ${bound - 1} steps are from 0 to ${bound - 1}`,
  );
}
