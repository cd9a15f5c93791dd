/** A learning rate that decreases during the training. */

import { add, cos, mul, type Node, state, tensor, type Updates } from '../../index.js';

/**
 * Half a cosine, from `rate` to 0 within `updates` updates: Loshchilov & Hutter, SGDR (ICLR 2017), without restarts.
 * The schedule is part of the graph. It counts the updates in a state of its own, which `updates` increments.
 */
export function cosineRate(rate: number, updates: number): { rate: Node; updates: Updates } {
  const done = state('rate.updates', tensor(0, { dtype: 'float64' }));
  return {
    rate: mul(rate / 2, add(cos(mul(done, Math.PI / updates)), 1)),
    updates: [[done, add(done, 1)]],
  };
}
