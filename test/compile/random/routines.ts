/** Functions that each add one node to a random graph, which a routine computes: an indexed read, a sort or a pooling. */

import { type Dim, multiplyDims, sizeOfDims } from '../../../src/graph/dimension.js';
import {
  argmin,
  argsort,
  avgPool1d,
  avgPool2d,
  broadcastTo,
  constant,
  cumprod,
  cumsum,
  gather,
  maxPool1d,
  maxPool2d,
  type Node,
  reshape,
  scatterAdd,
  sort,
  sortWithIndices,
  sum,
  Tensor,
  takeAlongAxis,
  topK,
  type Variable,
} from '../../../src/index.js';
import { takeLabels } from '../../../src/ops/labels.js';
import type { Draft } from './draft.js';
import type { Step } from './elementwise.js';

/** Returns a constant of indices for an axis of at least `least` elements: some negative, some equal. */
function indicesFor({ draws }: Draft, least: number, shape: readonly number[]): Node {
  const count = shape.reduce((size, dim) => size * dim, 1);
  const values = Array.from({ length: count }, () => draws.between(-least, least - 1));
  return constant(new Tensor(Int32Array.from(values), shape));
}

/** Returns a node with an axis, and this axis; undefined if the axis may have no elements. */
function along(draft: Draft): { x: Node; axis: number; least: number } | undefined {
  const x = draft.any();
  if (x.shape.length === 0) return undefined;
  const axis = draft.draws.below(x.shape.length);
  const least = draft.least(x.shape[axis] as Dim);
  return least === 0 ? undefined : { x, axis, least };
}

/** Gathers rows. Its gradient is a scatterAdd. */
export const gatherStep: Step = (draft) => {
  const found = along(draft);
  if (!found) return undefined;
  const indices = indicesFor(draft, found.least, [draft.draws.between(1, 5)]);
  return gather(found.x, indices, found.axis);
};

/** Adds several rows for each row of the result, mostly the rows of adjacent indices. */
export const bagStep: Step = (draft) => {
  const { draws, numbers } = draft;
  const x = draft.any();
  const [rows] = x.shape;
  const least = rows === undefined ? 0 : draft.least(rows);
  if (least === 0 || x.dtype !== numbers.dtype) return undefined;
  const indices = indicesFor(draft, least, [draws.between(1, 4), draws.between(2, 4)]);
  return sum(gather(x, indices), draws.chance(0.8) ? 1 : 0);
};

export const scatterStep: Step = (draft) => {
  const found = along(draft);
  if (!found) return undefined;
  const { draws } = draft;
  const { x, axis, least } = found;
  const count = draws.between(1, 5);
  const terms = axis === 0 && draws.chance(0.9) ? draws.between(2, 3) : 1;
  const given = draft.like(x.shape.map((dim, i) => (i === axis ? count : dim)));
  const updates = terms === 1 ? given : repeated(given, terms);
  return scatterAdd(x, indicesFor(draft, least, [count * terms]), updates, axis);
};

/** Returns each row of a node `terms` times, one after the other. */
function repeated(x: Node, terms: number): Node {
  const [count, ...rest] = x.shape as readonly [number, ...Dim[]];
  const each = broadcastTo(reshape(x, [count, 1, ...rest]), [count, terms, ...rest]);
  return reshape(each, [count * terms, ...rest]);
}

/** Returns the leaf, or a node of its shape, to whose rows other nodes are added, once or twice. */
export function scattered(draft: Draft, leaf: Variable): Node | undefined {
  const { draws } = draft;
  const shape = leaf.shape as readonly number[];
  if (shape.length === 0 || leaf.value.size === 0) return undefined;
  const axis = draws.below(shape.length);
  let node = draws.chance(0.8) ? leaf : draft.like(shape);
  for (let times = draws.between(1, 2); times > 0; times--) {
    const count = draws.between(1, 5);
    const updates = draft.like(shape.map((dim, i) => (i === axis ? count : dim)));
    node = scatterAdd(node, indicesFor(draft, shape[axis] as number, [count]), updates, axis);
  }
  return node;
}

/** Takes an element for each index. Its gradient is a scatterAdd for each line. */
export const takeStep: Step = (draft) => {
  const found = along(draft);
  if (!found) return undefined;
  const { x, axis, least } = found;
  if (draft.draws.chance(0.5)) return takeAlongAxis(x, argsort(draft.like(x.shape), axis), axis);
  const shape = x.shape.map((dim, i) => (i === axis ? draft.draws.between(1, 4) : dim));
  if (shape.some((dim) => typeof dim !== 'number')) return undefined;
  return takeAlongAxis(x, indicesFor(draft, least, shape as number[]), axis);
};

/** Adds or multiplies along an axis. In an exact graph, products would need too many digits. */
export const cumsumStep: Step = (draft) => {
  const { draws, numbers } = draft;
  const x = draft.any();
  if (x.shape.length === 0) return undefined;
  const axis = draws.below(x.shape.length);
  const multiplies = !numbers.exact && x.dtype === numbers.dtype && draws.chance(0.5);
  return multiplies ? cumprod(x, axis) : cumsum(x, axis);
};

/** Takes the element of a class from each row, as cross-entropies do. */
export const labelsStep: Step = (draft) => {
  const { draws, numbers } = draft;
  const x = draft.any();
  const classes = x.shape.at(-1);
  const rows = x.shape.slice(0, -1);
  if (x.dtype !== numbers.dtype || typeof classes !== 'number' || classes === 0) return undefined;
  if (rows.some((dim) => typeof dim !== 'number')) return undefined;
  const count = (rows as number[]).reduce((size, dim) => size * dim, 1);
  const labels = Int32Array.from({ length: count }, () => draws.below(classes));
  return takeLabels(x, constant(new Tensor(labels, rows as number[])));
};

export const sortStep: Step = (draft) => {
  const { draws } = draft;
  const found = along(draft);
  if (!found) return undefined;
  const { x, axis, least } = found;
  const descending = draws.chance(0.5);
  return draws.pick<() => Node>([
    () => sort(x, axis, { descending }),
    () => sort(x, axis, { descending }),
    () => argsort(x, axis, { descending }),
    () => sortWithIndices(x, axis, { descending }).indices,
    () => {
      const { values, indices } = sortWithIndices(x, axis, { descending });
      return takeAlongAxis(values, indices, axis);
    },
    () => argmin(x, axis, { keepDims: descending }),
    () => topK(x, draws.between(0, least), axis).values,
    () => topK(x, draws.between(1, least), axis).indices,
  ])();
};

/** Pools a node as images, or as sequences. */
export const poolStep: Step = (draft) => {
  const { draws, numbers } = draft;
  const x = draft.any();
  const [height, width] = x.shape.slice(-2);
  if (typeof height !== 'number' || typeof width !== 'number' || height * width === 0) return;
  const lead = x.shape.slice(0, -2);
  const images = reshape(x, [1, sizeOfDims(lead), height, width]);
  const size = [height, width].map((length) => draws.between(1, Math.min(3, length)));
  const stride = [draws.between(1, 3), draws.between(1, 3)];
  // Padding of half a window at most, so that no window is only padding.
  const padding = size.map((length) => draws.below(Math.floor(length / 2) + 1));
  const options = { size, stride, padding } as unknown as {
    size: [number, number];
    stride: [number, number];
    padding: [number, number];
  };
  if (draws.chance(0.3)) {
    const [one] = [draws.between(1, Math.min(3, width))];
    const sequences = reshape(x, [sizeOfDims(lead), height, width]);
    return draws.chance(0.5) && !numbers.exact
      ? avgPool1d(sequences, { size: one, stride: stride[0] as number })
      : maxPool1d(sequences, { size: one, stride: stride[0] as number });
  }
  if (draws.chance(0.5)) return maxPool2d(images, options);
  // In an exact graph, a mean must be over 1, 2 or 4 elements.
  const even = { size: Math.min(height, width) > 1 ? 2 : 1, stride: options.stride };
  const pooled = numbers.exact
    ? avgPool2d(images, even)
    : avgPool2d(images, { ...options, countPadding: draws.chance(0.5) });
  return reshape(pooled, [
    sizeOfDims(lead),
    multiplyDims(pooled.shape[2] as Dim, pooled.shape[3] as Dim),
  ]);
};
