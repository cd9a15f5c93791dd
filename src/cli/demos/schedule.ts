/** Makes a learning rate that decreases during the training. */

import { add, cos, mul, type Node, state, tensor, type Updates } from '../../index.js';

/**
 * Returns a learning rate that falls from `rate` to 0 within `updates` updates, along half a cosine: Loshchilov &
 * Hutter, SGDR (ICLR 2017), without restarts. The rate is part of the graph. It depends on a state that counts the
 * updates of the training. The returned `updates` increment this state.
 */
export function cosineRate(rate: number, updates: number): { rate: Node; updates: Updates } {
  const done = state('rate.updates', tensor(0, { dtype: 'float64' }));
  return {
    rate: mul(rate / 2, add(cos(mul(done, Math.PI / updates)), 1)),
    updates: [[done, add(done, 1)]],
  };
}
