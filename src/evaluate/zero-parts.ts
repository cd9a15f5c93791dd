/**
 * Products of a concatenation with constant zeros, such as that of an input and the zero state that an LSTM starts
 * from. Both executors leave the zeros out, so that no run multiplies by them.
 */

import type { Dim } from '../graph/dimension.js';
import { addDims } from '../graph/dimension.js';
import { Constant, constant } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { broadcastTo, concat, type MatmulOptions, matmul, slice } from '../ops/index.js';

type Side = 'left' | 'right';

/**
 * A product without the constant zeros that are concatenated to one of its operands: along the summed axis they add
 * nothing, along the other axis they are zeros of the result. Undefined for a node without such zeros.
 */
export function withoutZeroParts(node: Node): Node | undefined {
  return node.op.name === 'matmul' ? (reduced(node, 'left') ?? reduced(node, 'right')) : undefined;
}

function reduced(product: Node, side: Side): Node | undefined {
  const flags = product.attributes as Required<MatmulOptions>;
  const [a, b] = product.inputs as readonly [Node, Node];
  const [operand, other] = side === 'left' ? [a, b] : [b, a];
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

/** The axis that a product sums over, counted from the end of an operand's shape. */
function summedFromEnd(side: Side, { transposeA, transposeB }: Required<MatmulOptions>): 1 | 2 {
  return side === 'left' ? (transposeA ? 2 : 1) : transposeB ? 1 : 2;
}

/** Whether a node is a view of the constant 0. */
function isZero(node: Node): boolean {
  let from: Node | undefined = node;
  while (from && (from.op.lowering.kind === 'view' || from.op.lowering.kind === 'alias'))
    from = from.inputs[0];
  return from instanceof Constant && from.value.size === 1 && from.value.data[0] === 0;
}

function joined(nodes: readonly Node[], axis: number): Node {
  return nodes.length === 1 ? (nodes[0] as Node) : concat(nodes, axis);
}

/** Zeros of a node's dtype, and of its shape but for one axis. */
function zeros({ dtype, shape }: Node, axis: number, length: Dim): Node {
  return broadcastTo(constant(0, { dtype }), shape.with(axis, length));
}
