/** Applies recurrent layers step by step, with nodes of its own for each step: the graph to which a loop must be equal. */

import { type Dim, isDimensionName } from '../src/graph/dimension.js';
import { isNode } from '../src/graph/node.js';
import {
  broadcastTo,
  constant,
  type GRU,
  LSTM,
  type Node,
  reshape,
  type SimpleRNN,
  slice,
  stack,
} from '../src/index.js';

type StateOf<L extends LSTM | GRU | SimpleRNN> = ReturnType<L['unroll']>['last'];

/**
 * Returns what `unroll` of one layer of one direction returns, without a loop.
 * @param xs a node [steps, batch, inputs], whose number of steps is no name, or a node [batch, inputs] for each step
 * @param initial the state before the first step; zeros by default
 */
export function unrolled<L extends LSTM | GRU | SimpleRNN>(
  layer: L,
  xs: Node | readonly Node[],
  initial: StateOf<L> = zerosOf(layer, isNode(xs) ? xs : stack(xs, 0)),
): { hidden: Node; last: StateOf<L> } {
  const step = layer.step.bind(layer) as (x: Node, state: StateOf<L>) => StateOf<L>;
  let last = initial;
  const hidden = (isNode(xs) ? rowsOf(xs) : xs).map((x) => {
    last = step(x, last);
    return last.hidden;
  });
  return { hidden: stack(hidden, 0), last };
}

function zerosOf<L extends LSTM | GRU | SimpleRNN>(layer: L, xs: Node): StateOf<L> {
  const [, batch] = xs.shape as readonly [Dim, Dim];
  const hidden = broadcastTo(constant(0, { dtype: xs.dtype }), [batch, layer.units]);
  return (layer instanceof LSTM ? { hidden, cell: hidden } : { hidden }) as StateOf<L>;
}

/** Returns a node for each element along axis 0. */
function rowsOf(xs: Node): Node[] {
  const [steps, ...rest] = xs.shape as readonly [Dim, ...Dim[]];
  if (isDimensionName(steps)) throw new Error(`${xs} has no number of steps`);
  return Array.from({ length: steps as number }, (_, t) =>
    reshape(slice(xs, { axis: 0, start: t, end: t + 1 }), rest),
  );
}
