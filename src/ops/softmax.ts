/** The ops `softmax` and `logSoftmax`, which work along one axis. */

import { ShapeError } from '../errors.js';
import { input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { OpDeclaration, Operand } from '../graph/op.js';
import { resolveAxis } from '../tensor/shape.js';
import { div, exp, log, mul, sub } from './arithmetic.js';
import { sum } from './broadcast.js';
import { declare } from './declare.js';
import { max } from './extrema.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';

interface AlongAxis {
  readonly axis: number;
}

/** Returns the fields that the declarations of `softmax` and `logSoftmax` share. */
function alongAxis(
  name: string,
  op: (x: Operand, axis?: number) => Node,
): Omit<OpDeclaration<AlongAxis>, 'lowering' | 'gradient'> {
  return {
    name,
    arity: 1,
    dtype: floatingDType,
    shape: ([x]) => (x as Node).shape,
    label: ({ axis }) => `${axis}`,
    samples: [
      { inputs: [{ shape: [2, 3] }], build: (x) => op(x as Node) },
      { inputs: [{ shape: [2, 3, 4] }], build: (x) => op(x as Node, 1) },
      { inputs: [{ shape: [3, 2] }], build: (x) => op(x as Node, 0) },
      { inputs: [{ shape: [0, 3] }], build: (x) => op(x as Node) },
      { inputs: [{ shape: [2, 0] }], build: (x) => op(x as Node) },
    ],
    refused: [
      {
        build: () => op(input('x', [2, 3]), 2),
        error: ShapeError,
        message: new RegExp(`^\\[${name}\\] axis 2 is out of range`),
      },
      refusesIntegers(name, (x) => op(x)),
    ],
  };
}

const keepDims = { keepDims: true } as const;

/** Returns x minus its maximum along the axis. The exponential of the result cannot overflow. */
function shifted(x: Node, axis: number): Node {
  return sub(x, max(x, axis, keepDims));
}

const normalize = declare<AlongAxis>({
  ...alongAxis('softmax', (x, axis) => softmax(x, axis)),
  lowering: {
    kind: 'compose',
    expand: ([x], { axis }) => {
      const powers = exp(shifted(x as Node, axis));
      return div(powers, sum(powers, axis, keepDims));
    },
  },
  gradient: ({ node, attributes: { axis }, gradient: g }) => [
    mul(node, sub(g, sum(mul(g, node), axis, keepDims))),
  ],
});

/**
 * Returns the softmax, e^x / sum(e^x), along an axis, which is the last one by default. The result has the shape and
 * dtype of x, which is float32 or float64.
 * @throws ShapeError if the axis is out of range; DTypeError if x is int32; ValueError if x is not a Node, Tensor or
 *   number
 */
export function softmax(x: Operand, axis = -1): Node {
  const [node] = lift('softmax', [x]) as [Node];
  return normalize([node], { axis: resolveAxis(axis, node.shape.length, '[softmax]') });
}

const logNormalize = declare<AlongAxis>({
  ...alongAxis('logSoftmax', (x, axis) => logSoftmax(x, axis)),
  lowering: {
    kind: 'compose',
    expand: ([x], { axis }) => {
      const logits = shifted(x as Node, axis);
      return sub(logits, log(sum(exp(logits), axis, keepDims)));
    },
  },
  gradient: ({ node, attributes: { axis }, gradient: g }) => [
    sub(g, mul(exp(node), sum(g, axis, keepDims))),
  ],
});

/**
 * Returns the logarithm of the softmax, x - log(sum(e^x)), along an axis, which is the last one by default. It is
 * accurate even where `softmax` underflows to 0. The result has the shape and dtype of x, which is float32 or float64.
 * @throws ShapeError if the axis is out of range; DTypeError if x is int32; ValueError if x is not a Node, Tensor or
 *   number
 */
export function logSoftmax(x: Operand, axis = -1): Node {
  const [node] = lift('logSoftmax', [x]) as [Node];
  return logNormalize([node], { axis: resolveAxis(axis, node.shape.length, '[logSoftmax]') });
}
