/** Activation functions, and the layers that are one. */

import { describeValue } from '../../arguments/describe.js';
import type { Node } from '../../graph/node.js';
import {
  abs,
  add,
  clamp,
  div,
  elu,
  gelu,
  greater,
  leakyRelu,
  logSoftmax,
  mish,
  mul,
  relu,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
  transpose,
  where,
} from '../../ops/index.js';
import { type LayerCall, type Rows, row } from '../call.js';
import { isJson, member } from '../config.js';
import { axesTo, type Value } from '../value.js';

/** A function of a node and of the axis of its channels, which is the last one of the model. */
export type Activation = (x: Node, channels: number) => Node;

const plain =
  (apply: (x: Node) => Node): Activation =>
  (x) =>
    apply(x);

/** Activations by their names, in small letters and without underscores. */
const named: Readonly<Record<string, Activation>> = {
  linear: (x) => x,
  relu: plain(relu),
  relu6: (x) => clamp(x, { min: 0, max: 6 }),
  elu: plain((x) => elu(x)),
  selu: plain(selu),
  sigmoid: plain(sigmoid),
  // That of TensorFlow.js and Keras 2. In forebay, PyTorch and Keras 3, the slope is 1 / 6.
  hardsigmoid: (x) => clamp(add(mul(0.2, x), 0.5), { min: 0, max: 1 }),
  softmax: (x, axis) => softmax(x, axis),
  logsoftmax: (x, axis) => logSoftmax(x, axis),
  softplus: plain(softplus),
  softsign: (x) => div(x, add(1, abs(x))),
  tanh: plain(tanh),
  swish: plain(silu),
  silu: plain(silu),
  mish: plain(mish),
  gelu: plain((x) => gelu(x)),
  gelunew: plain((x) => gelu(x, { approximate: 'tanh' })),
};

/** Returns the activation of a layer. @param otherwise the one of a layer that says none */
export function activationOf(
  call: LayerCall,
  key = 'activation',
  otherwise = 'linear',
): Activation {
  const given = call.config.raw(key);
  // Keras 3 writes functions as records.
  const found =
    isJson(given) && member(given, 'class_name') === 'function' ? member(given, 'config') : given;
  const name = found === undefined ? otherwise : found === null ? 'linear' : found;
  const plainName = typeof name === 'string' ? name.toLowerCase().replaceAll('_', '') : '';
  if (Object.hasOwn(named, plainName)) return named[plainName] as Activation;
  const what = typeof name === 'string' ? `'${name}'` : describeValue(name);
  return call.unsupported(`the activation ${what}`);
}

/** Applies an activation to a value, along its channels. */
export function activated(value: Value, activation: Activation): Value {
  const channels = value.layout === 'first' ? 1 : value.rank - 1;
  return value.map((x) => activation(x, channels));
}

/** A layer that applies a function to each element. */
const each = (make: (call: LayerCall) => (x: Node) => Node) =>
  row((call) => call.input.map(make(call)), { mask: 'pass' });

function rectified(call: LayerCall): (x: Node) => Node {
  const { config } = call;
  const most = config.raw('max_value') == null ? undefined : config.number('max_value', 0);
  for (const key of ['negative_slope', 'threshold']) {
    if (config.number(key, 0) !== 0) call.unsupported(`${key}, which TensorFlow.js ignores`);
  }
  return (x) => (most === undefined ? relu(x) : clamp(relu(x), { min: 0, max: most }));
}

/** The slopes for negative elements are weights, one for each element of an image or a sequence, or shared along axes. */
function parametric(call: LayerCall): Value {
  const { input } = call;
  const shared: readonly number[] = call.config.ints('shared_axes', undefined) ?? [];
  const dims = input.layout === 'first' ? input.first.shape : input.plain.shape;
  const own = call.input.rank;
  const order = input.layout === 'first' ? axesTo('plain', own) : dims.map((_, axis) => axis);
  const shape = order.slice(1).map((axis, index) => {
    const dim = dims[axis];
    return shared.includes(index + 1) ? 1 : call.size(dim, `dimension ${index + 1} of its input`);
  });
  const alpha = call.weight('alpha', shape);
  const slopes =
    input.layout === 'first'
      ? transpose(alpha, [own - 2, ...shape.slice(1).map((_, i) => i)])
      : alpha;
  return input.map((x) => where(greater(x, 0), x, mul(slopes, x)));
}

export const activations: Rows = {
  Activation: row((call) => activated(call.input, activationOf(call)), {
    mask: 'pass',
    differs:
      '`hard_sigmoid` is that of TensorFlow.js, also within other layers; Keras 3 has the slope 1/6',
  }),
  ReLU: row((call) => call.input.map(rectified(call)), {
    mask: 'pass',
    without: '`negative_slope`, `threshold`',
  }),
  LeakyReLU: each(({ config }) => {
    const slope = config.number('alpha', config.number('negative_slope', 0.3));
    return (x) => leakyRelu(x, { slope });
  }),
  PReLU: row(parametric, { mask: 'pass' }),
  ELU: each(({ config }) => {
    const alpha = config.number('alpha', 1);
    return (x) => elu(x, { alpha });
  }),
  ThresholdedReLU: each(({ config }) => {
    const theta = config.number('theta', 1);
    return (x) => where(greater(x, theta), x, 0);
  }),
  Softmax: row(
    (call) => {
      const axes = call.config.ints('axis', [1]);
      if (axes.length !== 1) return call.unsupported(`a softmax along ${axes.length} axes`);
      const axis = call.nativeAxis(axes[0] as number);
      return call.input.map((x) => softmax(x, axis));
    },
    { without: 'several axes' },
  ),
};
