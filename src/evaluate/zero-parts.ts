/**
 * Simplifies a matrix product if one of its operands is a concatenation that contains constant zeros. For example, the
 * first time step of an LSTM multiplies the input concatenated with a state of zeros. The interpreter and the compiler
 * both use the simplified product, so no run multiplies by the zeros.
 */

import type { Dim } from '../graph/dimension.js';
import { addDims } from '../graph/dimension.js';
import { Constant, constant } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { broadcastTo, concat, type MatmulOptions, matmul, slice } from '../ops/index.js';

type Side = 'left' | 'right';

/**
 * Returns a node that has the value of the product `node` but is computed without multiplications by concatenated
 * constant zeros. If an operand is concatenated along the axis that the product sums over, its zeros add nothing and
 * are left out. If it is concatenated along the other axis, its zeros become zeros of the result. Returns undefined if
 * `node` is not a product with such zeros.
 */
export function withoutZeroParts(node: Node): Node | undefined {
  return node.op.name === 'matmul' ? (reduced(node, 'left') ?? reduced(node, 'right')) : undefined;
}

/** Returns the product without the zeros of the operand on one side; undefined if that operand has no zeros. */
function reduced(product: Node, side: Side): Node | undefined {
  const flags = product.attributes as Required<MatmulOptions>;
  const operand = product.inputs[side === 'left' ? 0 : 1] as Node;
  const other = product.inputs[side === 'left' ? 1 : 0] as Node;
  if (operand.op.name !== 'concat') return undefined;
  const { axis } = operand.attributes as { readonly axis: number };
  const fromEnd = operand.shape.length - axis;
  const parts = operand.inputs;
  if (fromEnd > 2 || !parts.some(isZero) || parts.every(isZero)) return undefined;

  const multiply = (part: Node, rest: Node) =>
    side === 'left' ? matmul(part, rest, flags) : matmul(rest, part, flags);
  if (fromEnd !== summedFromEnd(side, flags)) {
    const resultAxis = product.shape.length - (side === 'left' ? 2 : 1);
    const blockOf = (part: Node) =>
      isZero(part) ? zeros(product, resultAxis, part.shape[axis] as Dim) : multiply(part, other);
    return concat(parts.map(blockOf), resultAxis);
  }
  const along = other.shape.length - summedFromEnd(side === 'left' ? 'right' : 'left', flags);
  const kept: Node[] = [];
  const facing: Node[] = [];
  let start: Dim = 0;
  for (const part of parts) {
    const end = addDims(start, part.shape[axis] as Dim);
    if (!isZero(part)) {
      kept.push(part);
      facing.push(slice(other, { axis: along, start, end }));
    }
    start = end;
  }
  return multiply(joined(kept, axis), joined(facing, along));
}

/** Returns which axis of an operand the product sums over: 1 for the last axis, 2 for the axis before it. */
function summedFromEnd(side: Side, { transposeA, transposeB }: Required<MatmulOptions>): 1 | 2 {
  return side === 'left' ? (transposeA ? 2 : 1) : transposeB ? 1 : 2;
}

/**
 * Returns whether a node is a constant whose only element is 0, or is made from such a constant by views and aliases.
 */
function isZero(node: Node): boolean {
  let from: Node | undefined = node;
  while (from && (from.op.lowering.kind === 'view' || from.op.lowering.kind === 'alias'))
    from = from.inputs[0];
  return from instanceof Constant && from.value.size === 1 && from.value.data[0] === 0;
}

function joined(nodes: readonly Node[], axis: number): Node {
  return nodes.length === 1 ? (nodes[0] as Node) : concat(nodes, axis);
}

/** Returns zeros in the dtype and the shape of a node, except that one axis has another length. */
function zeros({ dtype, shape }: Node, axis: number, length: Dim): Node {
  return broadcastTo(constant(0, { dtype }), shape.with(axis, length));
}
