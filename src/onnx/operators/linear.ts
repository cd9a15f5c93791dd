/** Products of matrices. */

import type { Node } from '../../graph/node.js';
import { add, einsum, matmul, mul, reshape } from '../../ops/index.js';
import type { Call } from '../call.js';
import { numeric, type Rows, row } from './row.js';

/** A product as NumPy's `matmul`: an operand with one axis is a row on the left, and a column on the right. */
export function product(a: Node, b: Node): Node {
  const [left, right] = [a.shape.length === 1, b.shape.length === 1];
  const rows = left ? reshape(a, [1, ...a.shape]) : a;
  const columns = right ? reshape(b, [...b.shape, 1]) : b;
  const result = matmul(rows, columns);
  if (!left && !right) return result;
  const { shape } = result;
  const kept = shape.filter(
    (_, axis) => !(left && axis === shape.length - 2) && !(right && axis === shape.length - 1),
  );
  return reshape(result, kept);
}

function gemm(call: Call): Node {
  const [alpha, beta] = [call.float('alpha', 1), call.float('beta', 1)];
  const transposeA = call.flag('transA');
  const transposeB = call.flag('transB');
  const [a, b] = [call.node(0), call.weight(1)];
  const c = call.has(2) ? call.vector(2) : undefined;
  const { type } = call.value(0);
  const apply = (x: Node, w: Node, bias?: Node) => {
    const result = matmul(x, w, { transposeA, transposeB });
    const scaled = alpha === 1 ? result : mul(alpha, result);
    if (bias === undefined || beta === 0) return scaled;
    return add(scaled, beta === 1 ? bias : mul(beta, bias));
  };
  return numeric(type, c === undefined ? [a, b] : [a, b, c], apply);
}

export const linear: Rows = {
  MatMul: row((call) => {
    const { type } = call.value(0);
    return call.as(type, numeric(type, call.nodes(), product));
  }),
  Gemm: row((call) => call.as(call.value(0).type, gemm(call))),
  Einsum: row((call) => {
    const { type } = call.value(0);
    const subscripts = call.text('equation', '');
    const apply = (...nodes: Node[]) => einsum(subscripts, ...nodes);
    return call.as(type, numeric(type, call.nodes(), apply));
  }),
};
