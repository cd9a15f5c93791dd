/** The op `takeLabels`, which takes one element of each row: the logit of the row's class. Losses over classes use it. */

import { DTypeError, ShapeError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { none, type Operand } from '../graph/op.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { cast, oneHot, where } from './comparison.js';
import { declare } from './declare.js';
import { reshape } from './views.js';

const chosen = declare({
  name: 'takeLabels',
  arity: 2,
  dtype: ([x, labels], _attributes, fail) => {
    const { dtype } = labels as Node;
    if (dtype !== 'int32') fail.dtype(`expected labels of int32 or uint8, but received ${dtype}`);
    return (x as Node).dtype;
  },
  shape: ([x, labels], _attributes, fail) => {
    const [rows, given] = [(x as Node).shape.slice(0, -1), (labels as Node).shape];
    if ((x as Node).shape.length === 0) fail.shape('expected rows of classes, but x is a scalar');
    if (!sameShape(rows, given)) {
      fail.shape(`expected labels of ${formatShape(rows)}, but received ${formatShape(given)}`);
    }
    return given;
  },
  lowering: {
    kind: 'routine',
    routine: 'takeLabels',
    call: ({ shape, inputShapes: [x] }) => {
      const rows = sizeOf(shape);
      const classes = (x as readonly number[]).at(-1) as number;
      return { reads: [[rows, classes], [rows]], write: [rows], integers: [0] };
    },
  },
  gradient: ({ inputs, gradient }) => {
    const [x, labels] = inputs as [Node, Node];
    const classOf = oneHot(labels, x.shape.at(-1) as number, { dtype: 'bool' });
    return [where(classOf, asColumn(gradient), 0), none];
  },
  samples: [
    {
      inputs: [{ shape: [2, 3] }, { shape: [2], values: [2, 0], dtype: 'int32' }],
      build: (x, labels) => takeLabels(x as Node, labels as Node),
    },
    {
      inputs: [{ shape: [2, 3, 4] }, { shape: [2, 3], values: [3, 0, 1, 1, 2, 0], dtype: 'int32' }],
      build: (x, labels) => takeLabels(x as Node, labels as Node),
    },
    {
      inputs: [{ shape: [3] }, { shape: [], values: [1], dtype: 'int32' }],
      build: (x, labels) => takeLabels(x as Node, labels as Node),
    },
    {
      inputs: [{ shape: [0, 3] }, { shape: [0], values: [], dtype: 'int32' }],
      build: (x, labels) => takeLabels(x as Node, labels as Node),
    },
  ],
  refused: [
    {
      build: () => takeLabels(input('x', [2, 3]), input('labels', [3], { dtype: 'int32' })),
      error: ShapeError,
      message: /^\[takeLabels\] expected labels of \[2\], but received \[3\]/,
    },
    {
      build: () => takeLabels(input('x', [2, 3]), input('labels', [2])),
      error: DTypeError,
      message: /^\[takeLabels\] expected labels of int32 or uint8, but received float32/,
    },
  ],
});

/**
 * Returns the element of each row of x at the row's label.
 * @param x [.., classes], where the number of classes is a number
 * @param labels [..], int32 or uint8, from 0 to classes - 1. A run throws ValueError if a label is not, and writes
 *   nothing
 */
export function takeLabels(x: Operand, labels: Operand): Node {
  const [from, at] = lift('takeLabels', [x, labels]) as [Node, Node];
  return chosen([from, at.dtype === 'uint8' ? cast(at, 'int32') : at], {});
}

/** Returns x with a new last axis of length 1. */
export function asColumn(x: Node): Node {
  return reshape(x, [...x.shape, 1]);
}
