/** Layers that change their input at random in training, and not at all in inference. */

import { FormatError } from '../../errors.js';
import type { Dim, Shape } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import { isTraining } from '../../graph/mode.js';
import type { Node } from '../../graph/node.js';
import {
  add,
  broadcastTo,
  cast,
  dropout,
  greaterEqual,
  mul,
  randomNormal,
  randomUniform,
} from '../../ops/index.js';
import { isFloating } from '../../tensor/dtype.js';
import { type LayerCall, type Rows, row } from '../call.js';
import { axesTo, type Value } from '../value.js';

/**
 * Returns a factor for dropout that is the same along some axes: 0 with the probability `rate`, otherwise
 * 1 / (1 - rate); undefined in inference.
 */
export function dropped(shape: Shape, like: Node, rate: number): Node | undefined {
  return isTraining() && rate !== 0 ? factorOf(shape, like, rate) : undefined;
}

function factorOf(shape: Shape, like: Node, rate: number): Node {
  return dropout(broadcastTo(constant(1, { dtype: like.dtype }), shape), { rate });
}

/** Drops elements of a value. @param noise the shape of what is drawn; by default, each element is drawn by itself */
function droppedOut(call: LayerCall, noise?: (x: Node) => readonly (Dim | null)[]): Value {
  const rate = call.config.rate('rate');
  return call.input.map((x) => {
    if (!isTraining() || rate === 0 || !isFloating(x.dtype)) return x;
    if (noise === undefined) return dropout(x, { rate });
    const shape = noise(x).map((dim, axis) => dim ?? (x.shape[axis] as Dim));
    return mul(x, factorOf(shape, x, rate));
  });
}

const normal = (x: Node) => randomNormal(x.shape, { dtype: x.dtype });

/** A layer that computes something in training only. */
const training = (key: string, change: (x: Node, amount: number) => Node) =>
  row(
    (call) => {
      const amount = key === 'rate' ? call.config.rate(key) : call.config.number(key, 0);
      return call.input.map((x) => (isTraining() && amount !== 0 ? change(x, amount) : x));
    },
    { mask: 'pass' },
  );

/** Klambauer et al., "Self-Normalizing Neural Networks", NIPS 2017: what is dropped is set to the limit of selu. */
function alphaDropped(x: Node, rate: number): Node {
  const limit = -1.0507009873554805 * 1.6732632423543772;
  const kept = cast(greaterEqual(randomUniform(x.shape, { dtype: x.dtype }), rate), x.dtype);
  const scale = ((1 - rate) * (1 + rate * limit ** 2)) ** -0.5;
  const changed = add(mul(x, kept), mul(add(mul(kept, -1), 1), limit));
  return add(mul(changed, scale), -scale * limit * rate);
}

export const noise: Rows = {
  Dropout: row(
    (call) => {
      const given = call.config.raw('noise_shape');
      if (given == null) return droppedOut(call);
      const { layout, rank } = call.input;
      const isDim = (dim: unknown) => dim === null || Number.isSafeInteger(dim);
      if (!Array.isArray(given) || given.length !== rank || !given.every(isDim)) {
        throw new FormatError(`'noise_shape' must be a list of ${rank} integers`);
      }
      const dims = given.map((dim: number | null) => (dim === -1 ? null : dim));
      const order = layout === 'first' ? axesTo('first', rank) : dims.map((_, axis) => axis);
      return droppedOut(call, () => order.map((axis) => dims[axis] ?? null));
    },
    { mask: 'pass' },
  ),
  SpatialDropout1D: row(
    (call) => {
      const { layout } = call.input;
      return droppedOut(call, () => (layout === 'first' ? [null, null, 1] : [null, 1, null]));
    },
    { mask: 'pass' },
  ),
  GaussianNoise: training('stddev', (x, deviation) => add(x, mul(normal(x), deviation))),
  GaussianDropout: training('rate', (x, rate) =>
    mul(x, add(1, mul(normal(x), Math.sqrt(rate / (1 - rate))))),
  ),
  AlphaDropout: training('rate', alphaDropped),
};
