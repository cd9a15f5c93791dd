/** Layers that combine several inputs. */

import { FormatError } from '../../errors.js';
import type { Node } from '../../graph/node.js';
import {
  add,
  concat,
  div,
  expandDims,
  matmul,
  maximum,
  minimum,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  transpose,
} from '../../ops/index.js';
import { type LayerCall, type Rows, row } from '../call.js';
import { axisIn, commonLayout, Value } from '../value.js';

/** The inputs of a layer that needs at least two, in one order of axes. */
function several(call: LayerCall): { nodes: Node[]; result: (node: Node) => Value } {
  const { inputs } = call;
  if (inputs.length < 2) {
    throw new FormatError(`expected at least two inputs, but there is ${inputs.length}`);
  }
  const layout = commonLayout(inputs);
  return {
    nodes: inputs.map((value) => value.in(layout)),
    result: (node) => Value.of(layout, node),
  };
}

/** Combines elements. Inputs with fewer axes get axes of length 1 after the batch. */
const elementwise = (
  combine: (a: Node, b: Node) => Node,
  finish = (x: Node, _count: number) => x,
  most = Infinity,
) =>
  row((call) => {
    const { nodes, result } = several(call);
    if (nodes.length > most) {
      throw new FormatError(`expected ${most} inputs, but there are ${nodes.length}`);
    }
    const rank = Math.max(...nodes.map(({ shape }) => shape.length));
    if (call.layer.operation && nodes.some(({ shape }) => shape.length !== rank)) {
      return call.unsupported('operands with different numbers of axes');
    }
    const alike = nodes.map((node) => {
      const missing = rank - node.shape.length;
      return missing === 0
        ? node
        : expandDims(
            node,
            Array.from({ length: missing }, (_, i) => i + 1),
          );
    });
    return result(finish(alike.reduce(combine), nodes.length));
  });

function concatenated(call: LayerCall): Value {
  const { nodes, result } = several(call);
  const [first] = call.inputs as [Value];
  const axis = call.axis(call.config.axis(-1), first.rank);
  return result(concat(nodes, axisIn(result(nodes[0] as Node).layout, axis, first.rank)));
}

/** The square of the length of the shortest vector that is divided by its length. */
const epsilon = 1e-7;

/** Products of vectors along an axis of each input. The batch is never summed. */
function dot(call: LayerCall): Node {
  const [left, right, ...others] = call.inputs.map(({ plain }) => plain);
  if (left === undefined || right === undefined || others.length > 0) {
    throw new FormatError(`expected two inputs, but there are ${call.inputs.length}`);
  }
  const given = call.config.ints('axes', undefined) ?? [];
  const axes = given.length === 1 ? [given[0] as number, given[0] as number] : given;
  if (axes.length !== 2) throw new FormatError("'axes' must be one axis or two");
  const normal = call.config.flag('normalize', false);
  const [a, b] = [left, right].map((node, index) => {
    const rank = node.shape.length;
    const axis = call.axis(axes[index] as number, rank);
    if (rank > 3 || rank < 2 || axis === 0) {
      return call.unsupported(`axis ${axis} of an input with ${rank} axes`);
    }
    const scaled = normal
      ? div(node, sqrt(maximum(sum(square(node), axis, { keepDims: true }), epsilon)))
      : node;
    if (rank === 2) return { node: expandDims(scaled, 1), kept: false };
    // The axis of the sum is put last.
    return { node: axis === 2 ? scaled : transpose(scaled, [0, 2, 1]), kept: true };
  }) as [{ node: Node; kept: boolean }, { node: Node; kept: boolean }];
  const product = matmul(a.node, b.node, { transposeB: true });
  const shape = product.shape.filter(
    (_, axis) => axis === 0 || (axis === 1 ? a.kept || !b.kept : b.kept),
  );
  return reshape(product, shape);
}

export const merge: Rows = {
  Add: elementwise(add),
  Subtract: elementwise((a, b) => sub(a, b), undefined, 2),
  Multiply: elementwise(mul),
  Average: elementwise(add, (x, count) => mul(x, 1 / count)),
  Maximum: elementwise(maximum),
  Minimum: elementwise(minimum),
  Concatenate: row(concatenated, {
    differs:
      'a negative `axis` is that of Keras; TensorFlow.js takes the last one for each of them',
  }),
  Dot: row(dot, { without: 'inputs with more than three axes' }),
};
