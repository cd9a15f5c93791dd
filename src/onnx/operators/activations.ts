/** Operators that are used as activations, and softmax. */

import { type Dim, sizeOfDims } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import {
  abs,
  add,
  argmax,
  clamp,
  div,
  elu,
  expm1,
  gelu,
  greater,
  hardSwish,
  leakyRelu,
  less,
  logSoftmax,
  minimum,
  mish,
  mul,
  oneHot,
  relu,
  reshape,
  sigmoid,
  softmax,
  softplus,
  sub,
  transpose,
  where,
} from '../../ops/index.js';
import type { Call } from '../call.js';
import { axisOf, numeric, type Rows, row } from './row.js';

const unary = (apply: (x: Node, call: Call) => Node) => row((call) => apply(call.node(0), call));

/**
 * Applies a function along an axis. Up to version 12, the axes from `axis` on are one, and the default is 1; later, the
 * default is the last axis.
 */
function along(call: Call, apply: (x: Node, axis: number) => Node): Node {
  const x = call.node(0);
  const rank = x.shape.length;
  if (call.version >= 13) return apply(x, axisOf(call.int('axis', -1), rank));
  const axis = axisOf(call.int('axis', 1), rank);
  if (axis === rank - 1) return apply(x, axis);
  const flat = reshape(x, [sizeOfDims(x.shape.slice(0, axis)), sizeOfDims(x.shape.slice(axis))]);
  return reshape(apply(flat, 1), x.shape);
}

/** 1 at the first of the largest elements along an axis, and 0 elsewhere. */
function hardmax(call: Call, x: Node, axis: number): Node {
  const length = x.shape[axis] as Dim;
  if (typeof length !== 'number') return call.unsupported(`an axis of the length '${length}'`);
  const found = oneHot(argmax(x, axis), length, { dtype: x.dtype });
  // The new axis is the last one. It moves to its place.
  const rank = x.shape.length;
  const order = Array.from({ length: rank }, (_, at) =>
    at === axis ? rank - 1 : at > axis ? at - 1 : at,
  );
  return transpose(found, order);
}

export const activations: Rows = {
  Relu: row((call) => {
    const { type } = call.value(0);
    return call.as(type, numeric(type, [call.node(0)], relu));
  }),
  LeakyRelu: unary((x, call) => leakyRelu(x, { slope: call.float('alpha', 0.01) })),
  PRelu: row((call) => {
    const { type } = call.value(0);
    const apply = (x: Node, slope: Node) => where(less(x, 0), mul(slope, x), x);
    return call.as(type, numeric(type, [call.node(0), call.weight(1)], apply));
  }),
  Elu: unary((x, call) => elu(x, { alpha: call.float('alpha', 1) })),
  Selu: unary((x, call) =>
    mul(
      call.float('gamma', 1.0507010221481323),
      elu(x, { alpha: call.float('alpha', 1.6732631921768188) }),
    ),
  ),
  // elu has the right gradient where the exponential overflows. The other form is the definition.
  Celu: unary((x, call) => {
    const alpha = call.float('alpha', 1);
    return alpha > 0
      ? mul(alpha, elu(div(x, alpha)))
      : add(relu(x), minimum(0, mul(alpha, expm1(div(x, alpha)))));
  }),
  ThresholdedRelu: unary((x, call) => where(greater(x, call.float('alpha', 1)), x, 0)),
  Shrink: row((call) => {
    const { type } = call.value(0);
    const [lambda, bias] = [call.float('lambd', 0.5), call.float('bias', 0)];
    const apply = (x: Node) =>
      where(less(x, -lambda), add(x, bias), where(greater(x, lambda), sub(x, bias), 0));
    return call.as(type, numeric(type, [call.node(0)], apply));
  }),
  Sigmoid: unary(sigmoid),
  HardSigmoid: unary((x, call) =>
    clamp(add(mul(x, call.float('alpha', 0.2)), call.float('beta', 0.5)), { min: 0, max: 1 }),
  ),
  HardSwish: unary(hardSwish),
  Softplus: unary(softplus),
  Softsign: unary((x) => div(x, add(1, abs(x)))),
  Gelu: unary((x, call) => {
    const approximate = call.text('approximate', 'none');
    if (approximate !== 'none' && approximate !== 'tanh') {
      return call.unsupported(`approximate '${approximate}'`);
    }
    return gelu(x, { approximate });
  }),
  Mish: unary(mish),
  Swish: unary((x, call) => mul(x, sigmoid(mul(call.float('alpha', 1), x)))),
  SwiGLU: row((call) => {
    const [a, b] = [call.node(0), call.node(1)];
    return mul(mul(a, sigmoid(mul(call.float('alpha', 1), a))), b);
  }),
  Softmax: row((call) => along(call, softmax)),
  LogSoftmax: row((call) => along(call, logSoftmax)),
  Hardmax: row((call) => along(call, (x, axis) => hardmax(call, x, axis))),
};
