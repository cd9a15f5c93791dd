/** Products, normalisation, attention and losses. */

import type { Node } from '../../graph/node.js';
import { wholeAttention } from '../../ops/attention.js';
import type { Emitter } from './emitter.js';
import { expansion, Float, fitsAttribute, type Rows, refused, row } from './row.js';

interface Flags {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** Emits the product of a node of the graph. @param operands the names of both operands, and perhaps of a bias */
export function product(emitter: Emitter, node: Node, operands: readonly string[]): string {
  const { transposeA, transposeB } = node.attributes as Flags;
  const [a, b, bias] = operands as [string, string, string?];
  const isMatrices = node.inputs.every(({ shape }) => shape.length === 2);
  if (isMatrices && (transposeA || transposeB || bias !== undefined)) {
    return emitter.op('Gemm', operands, {
      transA: transposeA ? 1 : undefined,
      transB: transposeB ? 1 : undefined,
    });
  }
  const turned = (x: string, { shape }: Node, transposed: boolean) => {
    if (!transposed) return x;
    const axes = shape.map((_, axis) => axis);
    const [rows, columns] = axes.splice(-2) as [number, number];
    return emitter.op('Transpose', [x], { perm: [...axes, columns, rows] });
  };
  const [left, right] = node.inputs as [Node, Node];
  return emitter.op('MatMul', [turned(a, left, transposeA), turned(b, right, transposeB)]);
}

interface Normalization {
  readonly axes: readonly number[];
  readonly epsilon: number;
  readonly centered: boolean;
}

/** Whether a node normalises its last axes, with a weight of their shape, so that there is an operator for it. */
export function normalizesRows(node: Node, opset: number): boolean {
  const { axes, epsilon, centered } = node.attributes as Normalization;
  const [x, weight] = node.inputs as [Node, Node];
  const first = x.shape.length - axes.length;
  return (
    opset >= (centered ? 17 : 23) &&
    axes.length > 0 &&
    axes.every((axis, index) => axis === first + index) &&
    weight.shape.length === axes.length &&
    weight.shape.every((dim, index) => dim === x.shape[first + index]) &&
    fitsAttribute(epsilon, x)
  );
}

/** Emits the normalisation of a node. @param operands the names of x, the weight and perhaps a bias */
export function normalization(emitter: Emitter, node: Node, operands: readonly string[]): string {
  const { axes, epsilon, centered } = node.attributes as Normalization;
  return emitter.op(centered ? 'LayerNormalization' : 'RMSNormalization', operands, {
    axis: -axes.length,
    epsilon: new Float(epsilon),
  });
}

/**
 * Whether the rows of scores cannot all be -Infinity, because nothing masks them, or only keys that come later. Then the
 * softmax of the rows is that of ONNX.
 */
function hasOpenRows(node: Node): boolean {
  const [scores] = node.inputs as [Node];
  if (scores.op.name === 'mul') return true;
  const [masked, , rest] = scores.inputs as [Node?, Node?, Node?];
  if (scores.op.name !== 'where' || masked?.op.name !== 'greater') return false;
  const [columns, rows] = masked.inputs.map(firstPosition);
  // The condition is true right of the diagonal, so the first key is open to all queries.
  return columns === 0 && rows !== undefined && rows >= 0 && rest?.op.name === 'mul';
}

/** Returns the first of the positions that a node has, if it is these positions in another shape. */
function firstPosition({ op, inputs: [x], attributes }: Node): number | undefined {
  if (op.name === 'positions') return (attributes as { first: number }).first;
  return op.name === 'reshape' ? firstPosition(x as Node) : undefined;
}

export const composed: Rows = {
  matmul: row('MatMul, Gemm, Transpose', ({ emitter, node, names }) =>
    product(emitter, node, names),
  ),
  normalization: row(
    'LayerNormalization, RMSNormalization',
    ({ emitter, node, names }) => normalization(emitter, node, names),
    normalizesRows,
  ),
  maskedSoftmax: row(
    'Softmax',
    ({ emitter, node, names }) => emitter.op('Softmax', names, { axis: node.shape.length - 1 }),
    hasOpenRows,
  ),
  // Blocks save memory in training. A file has all scores at once.
  blockedAttention: expansion('MatMul, Mul, Softmax', ({ inputs, attributes }, key) => {
    if (key !== 'output') return undefined;
    const operands = inputs as readonly [Node, Node, Node, Node?];
    return wholeAttention(operands, attributes as { causal: boolean; scale: number });
  }),
  negativeLogLikelihood: expansion('ReduceMax, Sub, Exp, ReduceSum, Log, Add'),
  trainingBatch: refused('it is part of a batch normalisation in training'),
  randomNormal: refused('it draws random numbers'),
  randomUniform: refused('it draws random numbers'),
  randomTruncatedNormal: refused('it draws random numbers'),
};
