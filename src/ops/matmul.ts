/** The matrix product. */

import { flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { ShapeError } from '../errors.js';
import { type Dim, type Shape, sizeOfDims } from '../graph/dimension.js';
import { input, lift } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Fail, GradientContext, Operand, Sent } from '../graph/op.js';
import { broadcastFrom, type Region } from '../graph/window.js';
import { formatShape } from '../tensor/shape.js';
import { sumTo } from './broadcast.js';
import { declare } from './declare.js';
import { floatingDType } from './rules.js';
import { refusesIntegers } from './samples.js';
import { reshape } from './views.js';

const matmulOptions = declareOptions('matmul', {
  /** If true, the last two axes of `a` are swapped, without a copy. The default is false. */
  transposeA: optional(flag),
  /** If true, the last two axes of `b` are swapped, without a copy. The default is false. */
  transposeB: optional(flag),
});

/** Options of `matmul`, which say which operands are transposed. */
export interface MatmulOptions extends OptionsOf<typeof matmulOptions> {}

type Flags = Readonly<Record<keyof MatmulOptions, boolean>>;

const product = declare<Flags>({
  name: 'matmul',
  arity: 2,
  broadcasts: true,
  dtype: floatingDType,
  shape: ([a, b], { transposeA, transposeB }, fail) => {
    const [left, right] = [(a as Node).shape, (b as Node).shape];
    if (left.length < 2 || right.length < 2) {
      fail.shape(
        `both operands need at least 2 axes: ${formatShape(left)} x ${formatShape(right)}; reshape() a vector to a row or a column`,
      );
    }
    const [m, k] = lastTwo(left, transposeA);
    const [k2, n] = lastTwo(right, transposeB);
    if (k !== k2) {
      const flags = `${transposeA ? ', left transposed' : ''}${transposeB ? ', right transposed' : ''}`;
      fail.shape(`inner dimensions differ: ${formatShape(left)} x ${formatShape(right)}${flags}`);
    }
    return [...batchShape(left.slice(0, -2), right.slice(0, -2), fail), m, n];
  },
  lowering: {
    kind: 'product',
    transposes: ({ transposeA, transposeB }) => ({ a: transposeA, b: transposeB }),
  },
  gradient,
  local: ({ node, inputs, attributes, region }) => {
    const [a, b] = inputs as readonly [Node, Node];
    const { transposeA, transposeB } = attributes;
    return {
      inputs: [
        operandRegion(a.shape, node.shape, region, -2, transposeA ? -1 : -2),
        operandRegion(b.shape, node.shape, region, -1, transposeB ? -2 : -1),
      ],
      attributes,
    };
  },
  label: ({ transposeA, transposeB }) =>
    [transposeA && 'Aᵀ', transposeB && 'Bᵀ'].filter(Boolean).join(' '),
  samples: [
    ...[
      { a: [2, 3], b: [3, 4] },
      { a: [3, 2], b: [3, 4], transposeA: true },
      { a: [2, 3], b: [4, 3], transposeB: true },
      { a: [3, 2], b: [4, 3], transposeA: true, transposeB: true },
      { a: [5, 2, 3], b: [5, 3, 4] },
      { a: [2, 0], b: [0, 3] },
      { a: [0, 2], b: [2, 3] },
      { a: [2, 5, 2, 3], b: [4, 3], transposeB: true, broadcast: true },
      { a: [5, 2, 3], b: [3, 4], broadcast: true },
      { a: [5, 3, 2], b: [3, 4], transposeA: true, broadcast: true },
      { a: [2, 3], b: [5, 3, 4], broadcast: true },
      { a: [3, 2], b: [5, 4, 3], transposeA: true, transposeB: true, broadcast: true },
      { a: [2, 1, 2, 3], b: [5, 3, 4], broadcast: true },
    ].map(({ a, b, broadcast = false, ...flags }) => ({
      inputs: [{ shape: a }, { shape: b }],
      build: (x?: Node, y?: Node) => matmul(x as Node, y as Node, flags),
      broadcast,
    })),
  ],
  refused: [
    {
      build: () => matmul(input('scores', ['batch', 784]), input('w', [50, 10])),
      error: ShapeError,
      message:
        /^\[matmul\] inner dimensions differ: \[batch, 784\] x \[50, 10\] \(operands: \[input 'scores'\], \[input 'w'\]\)$/,
    },
    {
      build: () => matmul(input('x', [3]), input('w', [3, 2])),
      error: ShapeError,
      message: /^\[matmul\] both operands need at least 2 axes: \[3\] x \[3, 2\]/,
    },
    {
      build: () => matmul(input('x', [2, 2, 3]), input('w', [5, 3, 2])),
      error: ShapeError,
      message: /^\[matmul\] batch axes do not broadcast: \[2\] and \[5\]/,
    },
    refusesIntegers('matmul', (x) => matmul(reshape(x, [1, 3]), reshape(x, [3, 1]))),
  ],
});

/**
 * Returns the matrix product over the last two axes: [.., M, K] x [.., K, N] gives [.., M, N]. Leading axes broadcast.
 * Both operands must have the same dtype, float32 or float64. The result has this dtype. If an operand is a
 * concatenation that contains constant zeros, such as the initial state of an LSTM, the zeros are not multiplied. So a
 * NaN or Infinity that would be multiplied by such a zero has no effect on the result.
 * @throws ShapeError if an operand has fewer than 2 axes, the inner dimensions differ or the leading axes do not
 *   broadcast; DTypeError if the dtypes differ or are int32; ValueError if an operand is not a Node, Tensor or number,
 *   or if an option is unknown
 */
export function matmul(a: Operand, b: Operand, options?: MatmulOptions): Node {
  const { transposeA = false, transposeB = false } = matmulOptions.read(options, '[matmul]');
  return product(lift('matmul', [a, b]), { transposeA, transposeB });
}

/**
 * The gradient rule. If neither operand is transposed, the gradients of C = A B are dA = dC Bᵀ and dB = Aᵀ dC. The
 * flags of `matmul` transpose the operands without a copy. If B is one matrix and A is a batch of matrices that are not
 * transposed, dB is one product over the rows of the whole batch.
 */
function gradient({ inputs, attributes, gradient: g }: GradientContext<Flags>): readonly Sent[] {
  const [a, b] = inputs as [Node, Node];
  const { transposeA, transposeB } = attributes;
  const forA = transposeA
    ? product([b, g], { transposeA: transposeB, transposeB: true })
    : product([g, b], { transposeA: false, transposeB: !transposeB });
  const folds = b.shape.length === 2 && a.shape.length > 2 && !transposeA;
  const [x, dy] = folds ? [rows(a), rows(g)] : [a, g];
  const forB = transposeB
    ? product([dy, x], { transposeA: true, transposeB: transposeA })
    : product([x, dy], { transposeA: !transposeA, transposeB: false });
  return [sumTo(forA, a), sumTo(forB, b)];
}

/**
 * Returns the region of an operand of shape `from` on which a region of the product, of shape `to`, depends. The axis
 * `at` of the product is the axis `own` of the operand; both count from the end. The operand is read along all of its
 * other matrix axis.
 */
function operandRegion(
  from: Shape,
  to: Shape,
  { start, shape }: Region,
  at: number,
  own: number,
): Region {
  const leading = (list: Shape) => list.slice(0, -2);
  const batch = broadcastFrom(
    { start: leading(start), shape: leading(shape) },
    leading(from),
    leading(to),
  );
  return {
    start: [...batch.start, 0, 0].with(own, start.at(at) as Dim),
    shape: [...batch.shape, ...from.slice(-2)].with(own, shape.at(at) as Dim),
  };
}

/** Reshapes a batch of matrices [.., R, C] to one matrix with C columns, which has the rows of all of them. */
function rows(x: Node): Node {
  return reshape(x, [sizeOfDims(x.shape.slice(0, -1)), x.shape.at(-1) as Dim]);
}

/** Returns the lengths of the last two axes, which are swapped if `transposed` is true. */
function lastTwo(shape: Shape, transposed: boolean): [Dim, Dim] {
  const [rows, columns] = [shape.at(-2), shape.at(-1)] as [Dim, Dim];
  return transposed ? [columns, rows] : [rows, columns];
}

/** Returns the shape to which the leading axes of two operands broadcast. */
function batchShape(a: Shape, b: Shape, fail: Fail): Shape {
  const rank = Math.max(a.length, b.length);
  if (rank === 0) return [];
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      fail.shape(`batch axes do not broadcast: ${formatShape(a)} and ${formatShape(b)}`);
    }
    return left === 1 ? right : left;
  });
}
