/** Batch and layer normalisation. */

import { constant, type Variable } from '../../graph/leaf.js';
import { isTraining } from '../../graph/mode.js';
import type { Node } from '../../graph/node.js';
import { sideUpdate } from '../../graph/side-updates.js';
import {
  add,
  div,
  extent,
  greater,
  mean,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  where,
} from '../../ops/index.js';
import { countOf, normalized } from '../../ops/normalization.js';
import { type LayerCall, type Rows, row } from '../call.js';
import { axisIn, Value } from '../value.js';

/**
 * Batch normalisation: Ioffe & Szegedy, ICML 2015. In training, if the layer is not frozen, it uses the statistics of
 * the batch, and updates the moving ones as Keras does: by the share 1 - momentum, with the biased variance.
 */
function batchNormalization(call: LayerCall): Value {
  const { config } = call;
  const axis = config.axis(-1);
  const at = call.nativeAxis(axis);
  const dims = call.input.native.shape;
  const features = call.size(dims[at], `dimension ${axis} of its input`);
  const epsilon = config.number('epsilon', 1e-3);
  const momentum = config.number('momentum', 0.99);
  config.raw('renorm_momentum'); // used with renorm only, which is refused
  const gamma = config.flag('scale', true) ? call.weight('gamma', [features]) : undefined;
  const beta = config.flag('center', true) ? call.weight('beta', [features]) : undefined;
  const movingMean = call.state('moving_mean', [features]);
  const movingVariance = call.state('moving_variance', [features]);
  const along = (vector: Node) =>
    reshape(
      vector,
      dims.map((_, i) => (i === at ? features : 1)),
    );
  const weights = [gamma, beta].filter((weight) => weight !== undefined);
  return call.input.map((x) => {
    if (!isTraining() || call.variables.frozen(weights)) {
      const deviation = sqrt(add(movingVariance, epsilon));
      const factor = div(gamma ?? constant(1, { dtype: x.dtype }), deviation);
      const shift = mul(movingMean, factor);
      const offset = beta === undefined ? mul(shift, -1) : sub(beta, shift);
      return add(mul(x, along(factor)), along(offset));
    }
    const axes = dims.flatMap((_, i) => (i === at ? [] : [i]));
    const scale = gamma === undefined ? constant(1, { dtype: x.dtype }) : along(gamma);
    const normal = normalized(x, scale, { axes, epsilon, centered: true });
    const result = beta === undefined ? normal : add(normal, along(beta));
    return updating(result, x, axes, momentum, [movingMean, movingVariance] as Variable[]);
  });
}

/** Returns `result`, with the side updates of the moving statistics from the batch x. */
function updating(
  result: Node,
  x: Node,
  axes: readonly number[],
  momentum: number,
  [movingMean, movingVariance]: readonly Variable[],
): Node {
  const some = greater(extent(countOf(x, axes), x.dtype), 0);
  // A batch without elements has no statistics.
  const mixed = (old: Node, batch: Node) =>
    where(some, add(mul(old, momentum), mul(batch, 1 - momentum)), old);
  const withMean = sideUpdate(result, movingMean as Variable, (old) => mixed(old, mean(x, axes)));
  return sideUpdate(withMean, movingVariance as Variable, (old) => {
    const deviations = sub(x, mean(x, axes, { keepDims: true }));
    return mixed(old, mean(square(deviations), axes));
  });
}

/** Layer normalisation: Ba, Kiros & Hinton, 2016. Its weights have the axes over which it takes means. */
function layerNormalization(call: LayerCall): Value {
  const { config, input } = call;
  const axes = config.ints('axis', [-1]).map((axis) => call.axis(axis, input.rank));
  if (axes.some((axis, i) => i > 0 && axis <= (axes[i - 1] as number))) {
    return call.unsupported(`axis [${axes.join(', ')}]`);
  }
  // The weights of several axes have them in the order of the model.
  const layout = axes.length === 1 ? input.layout : 'plain';
  const native = axes.map((axis) => axisIn(layout, axis, input.rank));
  const x = input.in(layout);
  const shape = native.map((axis) => call.size(x.shape[axis], 'a dimension of its input'));
  const epsilon = config.number('epsilon', 1e-3);
  const along = (weights: Node) =>
    reshape(
      weights,
      x.shape.map((_, axis) => shape[native.indexOf(axis)] ?? 1),
    );
  const scale = config.flag('scale', true)
    ? along(call.weight('gamma', shape))
    : constant(1, { dtype: x.dtype });
  const normal = normalized(x, scale, { axes: native, epsilon, centered: true });
  const result = config.flag('center', true)
    ? add(normal, along(call.weight('beta', shape)))
    : normal;
  return Value.of(layout, result);
}

export const normalization: Rows = {
  BatchNormalization: row(batchNormalization, {
    mask: 'pass',
    differs:
      'an `axis` that is not the last one is that of Keras; TensorFlow.js takes wrong elements',
  }),
  LayerNormalization: row(layerNormalization, { mask: 'pass', without: 'axes that do not ascend' }),
};
