/** Lower: makes IR values from the nodes of a graph, for one binding of the dimension names. */

import { GraphError, ShapeError } from '../../errors.js';
import { expansionOf } from '../../evaluate/lowered.js';
import { type Bindings, bindDim, type Dim } from '../../graph/dimension.js';
import { Leaf } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import type { Bound, Lowering } from '../../graph/op.js';
import type { Sliced } from '../../graph/sliced.js';
import type { DType } from '../../tensor/dtype.js';
import { formatShape } from '../../tensor/shape.js';
import type { Builder } from '../ir/builder.js';
import { type Ref, viewed } from '../ir/value.js';
import { count } from '../ir/view.js';
import { assembleWindows } from '../ir/windows.js';

interface Context {
  readonly build: Builder;
  readonly node: Node;
  readonly bound: Bound<object>;
  readonly args: readonly Ref[];
}

/** The result of a reduction over no elements, by kernel and dtype. It is 0 for kernels that are not in this list. */
const identities: Readonly<Record<string, Readonly<Record<DType, number>>>> = {
  max: { float32: -Infinity, float64: -Infinity, int32: -(2 ** 31) },
};

type Kinds = { [L in Lowering as L['kind']]: (lowering: L, context: Context) => Ref };

const kinds: Omit<Kinds, 'leaf' | 'compose'> = {
  map: ({ kernel }, { build, node, bound: { shape }, args }) => {
    const operands = args.map((arg) => build.stretch(arg, shape));
    return kernel === 'add'
      ? build.sum(node.dtype, shape, operands, node)
      : build.map(kernel, node.dtype, shape, operands, node);
  },
  cast: (_lowering, { build, node, bound: { shape }, args }) =>
    build.map(node.dtype, node.dtype, shape, args, node, true),
  accumulate: (_lowering, { build, node, bound: { shape }, args }) =>
    build.sum(node.dtype, shape, args, node),
  reduce: ({ kernel, axes, notEmpty = false }, { build, node, bound, args: [from] }) => {
    const ref = from as Ref;
    const reduced = axes(bound.attributes);
    const empty = reduced.some((axis) => ref.shape[axis] === 0);
    if (empty && notEmpty) {
      throw new ShapeError(
        `expected at least one element along each reduced axis, but received shape ${formatShape(ref.shape)}`,
      );
    }
    if (empty || count(bound.shape) === 0) {
      return build.filled(identities[kernel]?.[node.dtype] ?? 0, node.dtype, bound.shape);
    }
    const kept = ref.shape.map((_, axis) => axis).filter((axis) => !reduced.includes(axis));
    const terms = count(reduced.map((axis) => ref.shape[axis] as number));
    if (terms === 1 && count(bound.shape) === 1 && kernel !== 'argmax') {
      return build.reshape(ref, bound.shape, node);
    }
    if (kernel === 'sum' && count(bound.shape) === 1) {
      return build.reshape(build.reduce(kernel, node.dtype, ref, 0, node), bound.shape, node);
    }
    // A matrix of one row also becomes a column sum, because `share` can merge the column sums of many time steps.
    if (kernel === 'sum' && kept.length > 0 && reduced.every((axis, i) => axis === i)) {
      const matrix = build.reshape(ref, [terms, count(bound.shape)], node);
      return build.reshape(build.columnSum(matrix, node), bound.shape, node);
    }
    if (terms === 1 && kernel !== 'argmax') return build.reshape(ref, bound.shape, node);
    const order = [...kept, ...reduced];
    const arranged: Ref = {
      value: ref.value,
      offset: ref.offset,
      shape: order.map((axis) => ref.shape[axis] as number),
      strides: order.map((axis) => ref.strides[axis] as number),
    };
    return build.reduce(kernel, node.dtype, arranged, kept.length, node);
  },
  product: ({ transposes }, { build, node, bound, args: [left, right] }) => {
    const flags = transposes(bound.attributes);
    const a = flags.a ? lastTwoSwapped(left as Ref) : (left as Ref);
    const b = flags.b ? lastTwoSwapped(right as Ref) : (right as Ref);
    const { shape } = bound;
    const k = a.shape.at(-1) as number;
    const alone = (ref: Ref) => count(ref.shape.slice(0, -2)) === 1;
    if (alone(b) && (alone(a) || !flags.a)) {
      const rows = build.reshape(a, [count(a.shape.slice(0, -1)), k], node);
      const matrix = build.reshape(b, b.shape.slice(-2), node);
      return build.reshape(build.product(rows, matrix, node), shape, node);
    }
    const batch = shape.slice(0, -2);
    return build.batch(
      build.stretch(a, [...batch, ...a.shape.slice(-2)]),
      build.stretch(b, [...batch, ...b.shape.slice(-2)]),
      node,
    );
  },
  alias: (_lowering, { build, node, bound: { shape }, args: [ref] }) =>
    build.reshape(ref as Ref, shape, node),
  view: ({ view }, { build, node, bound, args: [ref] }) => {
    const { offset, strides } = view(bound);
    return build.through({ offset, shape: bound.shape, strides: [...strides] }, ref as Ref, node);
  },
  place: ({ accumulate, windows }, { build, node, bound, args }) =>
    assembleWindows(build, bound.shape, windows(bound), args, node, accumulate),
  random: ({ kernel, seed }, { build, node, bound: { shape, attributes } }) =>
    build.random(kernel, seed(attributes), node.dtype, shape, node),
  extent: ({ dim }, { build, node, bound }) =>
    build.number(bound.bind(dim(bound.attributes)), node.dtype),
};

/**
 * Lowers the nodes of `order`, which are in the order of execution.
 * @returns for each node, the ref that has its elements
 * @throws ShapeError if the shape of a node is not valid under this binding; the message names the node
 */
export function* lower(
  order: readonly Node[],
  bindings: Bindings,
  build: Builder,
): Sliced<Map<Node, Ref>> {
  const refs = new Map<Node, Ref>();
  for (const node of order) {
    const shape: number[] = [];
    let negative = false;
    for (let axis = 0; axis < node.shape.length; axis++) {
      const dim = node.shape[axis] as Dim;
      const known = typeof dim === 'number' ? dim : bindings.get(dim);
      const size = known ?? bindDim(dim, bindings, `${node} `);
      negative ||= size < 0;
      shape.push(size);
    }
    if (negative) {
      throw new ShapeError(
        `${node} has shape ${formatShape(node.shape)}, which is ${formatShape(shape)} in this run`,
      );
    }
    refs.set(node, lowered(node, shape.slice(), refs, bindings, build));
    if (build.pace.due(1 + node.inputs.length)) yield;
  }
  return refs;
}

function lowered(
  node: Node,
  shape: readonly number[],
  refs: ReadonlyMap<Node, Ref>,
  bindings: Bindings,
  build: Builder,
): Ref {
  if (node instanceof Leaf) return build.leaf(node, shape);
  const expansion = expansionOf(node);
  if (expansion) return refs.get(expansion) as Ref;
  const { lowering } = node.op;
  if (!Object.hasOwn(kinds, lowering.kind))
    throw new GraphError(`there is no lowering of kind '${lowering.kind}'`);
  const args = node.inputs.map((input) => refs.get(input) as Ref);
  const bound = {
    attributes: node.attributes,
    shape,
    inputShapes: args.map((arg) => arg.shape),
    bind: (dim: Dim) => bindDim(dim, bindings),
    bindings,
  };
  // The type of `kinds` ensures that each rule receives a lowering of its kind. TypeScript cannot infer this here.
  const rule = kinds[lowering.kind as keyof typeof kinds] as (l: Lowering, c: Context) => Ref;
  try {
    return rule(lowering, { build, node, bound, args });
  } catch (cause) {
    if (cause instanceof ShapeError) throw new ShapeError(`${node} ${cause.message}`, { cause });
    throw cause;
  }
}

/** Returns the ref with its last two axes exchanged. */
function lastTwoSwapped(ref: Ref): Ref {
  const swap = (list: readonly number[]) => [
    ...list.slice(0, -2),
    list.at(-1) as number,
    list.at(-2) as number,
  ];
  const { value, offset, shape, strides } = ref;
  return viewed(value, { offset, shape: swap(shape), strides: swap(strides) });
}
