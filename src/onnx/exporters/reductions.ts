/** Ops that reduce axes, run along an axis, or sort. */

import type { Dim } from '../../graph/dimension.js';
import type { Node } from '../../graph/node.js';
import { type Emitter, valueInfo } from './emitter.js';
import { attributesOf, type Exported, expansion, type Rows, refused, row } from './row.js';

type Axes = { readonly axes: readonly number[] };
type Axis = { readonly axis: number };

/** A reduction over axes, without them in the result. */
const reduction = (type: string, since?: number) =>
  row(type, (exported) => reduced(exported, type, false, since));

/** Emits a reduction. Without axes, the value is that of the input. */
export function reduced(
  exported: Exported,
  type: string,
  keepDims: boolean,
  since?: number,
): string {
  const { emitter, names } = exported;
  const { axes } = attributesOf<Axes>(exported);
  const [x] = names as [string];
  return axes.length === 0 ? x : emitter.reduce(type, x, axes, keepDims, since);
}

/** The reductions that have an operator, with the operator set since which their axes are an input. */
export const reductions: Readonly<Record<string, readonly [type: string, since?: number]>> = {
  sum: ['ReduceSum', 13],
  mean: ['ReduceMean'],
  max: ['ReduceMax'],
  logSumExp: ['ReduceLogSumExp'],
};

/** The position of the largest element along one axis, or in the row-major order of all elements. */
function argmax(exported: Exported): string {
  const { emitter, inputs, names } = exported;
  const { axes } = attributesOf<Axes>(exported);
  const { shape } = inputs[0] as Node;
  const [x] = names as [string];
  const [axis = 0] = axes;
  if (axes.length === 1) return emitter.op('ArgMax', [x], { axis, keepdims: 0 });
  if (axes.length !== shape.length) throw exported.refuse('it has several axes');
  const flat = emitter.op('Reshape', [x, emitter.ints([-1])]);
  return emitter.op('ArgMax', [flat], { axis: 0, keepdims: 0 });
}

/** Emits the largest elements along an axis, or with `largest` 0 the smallest, and their indices. */
function top(
  emitter: Emitter,
  x: string,
  count: Dim,
  axis: number,
  largest: boolean,
): readonly string[] {
  return emitter.ops('TopK', [x, emitter.dim(count)], 2, {
    axis,
    largest: Number(largest),
    sorted: 1,
  });
}

/** Emits the elements of a sort and their indices. */
function sorted(exported: Exported): readonly string[] {
  const { emitter, inputs, names } = exported;
  const { axis, descending } = attributesOf<Axis & { descending: boolean }>(exported);
  const length = (inputs[0] as Node).shape[axis] as Dim;
  return top(emitter, names[0] as string, length, axis, descending);
}

/** Emits the values and the indices of the largest elements, once for both. */
export function largest(exported: Exported, indices: Node): readonly string[] {
  const { axis, k } = indices.attributes as Axis & { k: number };
  return exported.once(indices, () =>
    top(exported.emitter, exported.names[0] as string, k, axis, true),
  );
}

/**
 * The running product. Operator set 26 is the first one with an operator for it. With a number of elements, each product
 * is a node; otherwise a Scan multiplies.
 */
function cumprod(exported: Exported): string {
  const { emitter, node, names } = exported;
  const { axis } = attributesOf<Axis>(exported);
  const [x] = names as [string];
  const length = node.shape[axis] as Dim;
  if (typeof length !== 'number') return scanned(exported, axis);
  if (length < 2) return x;
  const sizes = emitter.ints(new Array<number>(length).fill(1));
  const parts = emitter.ops('Split', [x, sizes], length, { axis });
  const products: string[] = [];
  for (const part of parts) {
    const before = products.at(-1);
    products.push(before === undefined ? part : emitter.op('Mul', [before, part]));
  }
  return emitter.op('Concat', products, { axis });
}

/** Multiplies along a named axis. */
function scanned({ emitter, node, names }: Exported, axis: number): string {
  const rest = node.shape.filter((_, at) => at !== axis);
  const one = emitter.number(1, node.dtype);
  const start = rest.length === 0 ? one : emitter.op('Expand', [one, emitter.dims(rest)]);
  const inside = emitter.inner();
  const [state, factor] = [inside.value('state'), inside.value('row')];
  const next = inside.op('Mul', [state, factor]);
  const result = inside.op('Identity', [next]);
  const infos = (...values: string[]) =>
    values.map((name) => valueInfo(name, { dtype: node.dtype, shape: rest }));
  const body = inside.graph('body', infos(state, factor), infos(next, result));
  const [, products] = emitter.ops('Scan', [start, names[0]], 2, {
    body,
    num_scan_inputs: 1,
    scan_input_axes: [axis],
    scan_output_axes: [axis],
  });
  return products as string;
}

export const reducing: Rows = {
  ...Object.fromEntries(
    Object.entries(reductions).map(([name, [type, since]]) => [name, reduction(type, since)]),
  ),
  argmax: row('ArgMax', argmax),
  argmin: row('ArgMin', (exported) => {
    const { axis } = attributesOf<Axis>(exported);
    return exported.emitter.op('ArgMin', exported.names, { axis, keepdims: 0 });
  }),
  variance: expansion('ReduceMean, Sub, Mul, ReduceSum, Div'),
  norm: expansion('Abs, ReduceMax, Div, Pow, ReduceSum, Mul and others'),

  softmax: row('Softmax', (exported) => {
    const { axis } = attributesOf<Axis>(exported);
    return exported.emitter.op('Softmax', exported.names, { axis });
  }),
  logSoftmax: row('LogSoftmax', (exported) => {
    const { axis } = attributesOf<Axis>(exported);
    return exported.emitter.op('LogSoftmax', exported.names, { axis });
  }),

  cumsum: row('CumSum', (exported) => {
    const { emitter, names } = exported;
    const { axis, reverse } = attributesOf<Axis & { reverse: boolean }>(exported);
    const attributes = { reverse: reverse ? 1 : undefined };
    return emitter.op('CumSum', [names[0], emitter.ints([axis], [])], attributes);
  }),
  cumprod: row('Split, Mul, Concat; Scan', cumprod),
  recurrence: refused('it is the gradient of cumprod'),

  sort: row('TopK', (exported) => {
    const [values, indices] = sorted(exported) as [string, string];
    return { values, indices };
  }),
  argsort: row('TopK', (exported) => sorted(exported)[1] as string),
  topK: row('TopK', (exported) => largest(exported, exported.node)[1] as string),
};
