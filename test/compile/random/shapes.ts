/** Functions that each add one node to a random graph: a view, a concatenation, a reduction or a product. */

import { type Dim, multiplyDims, sizeOfDims } from '../../../src/graph/dimension.js';
import {
  add,
  broadcastTo,
  concat,
  constant,
  flip,
  logSoftmax,
  matmul,
  max,
  mean,
  mul,
  type Node,
  reshape,
  slice,
  softmax,
  stack,
  sub,
  sum,
  tensor,
  transpose,
} from '../../../src/index.js';
import type { Draft } from './draft.js';
import type { Step } from './elementwise.js';

export const transposeStep: Step = (draft) => {
  const x = draft.any();
  if (x.shape.length < 2) return undefined;
  return transpose(x, draft.draws.shuffled(x.shape.map((_, axis) => axis)));
};

export const reshapeStep: Step = (draft) => {
  const { draws } = draft;
  const x = draft.any();
  const { shape } = x;
  const at = draws.below(shape.length + 1);
  return draws.pick<() => Node | undefined>([
    () => reshape(x, [sizeOfDims(shape)]),
    () => reshape(x, [...shape.slice(0, at), 1, ...shape.slice(at)]),
    () =>
      reshape(
        x,
        shape.filter((dim) => dim !== 1),
      ),
    () => {
      const [first, second] = shape.slice(at, at + 2);
      if (first === undefined || second === undefined) return undefined;
      return reshape(x, [
        ...shape.slice(0, at),
        multiplyDims(first, second),
        ...shape.slice(at + 2),
      ]);
    },
    () => {
      const dim = shape[at];
      if (typeof dim !== 'number') return undefined;
      const factor = [2, 3, 5].find((divisor) => dim > divisor && dim % divisor === 0);
      if (factor === undefined) return undefined;
      return reshape(x, [...shape.slice(0, at), factor, dim / factor, ...shape.slice(at + 1)]);
    },
    () => reshape(x, [...shape].reverse()),
  ])();
};

export const broadcastStep: Step = (draft) => {
  const { draws } = draft;
  const x = draft.any();
  const stretched = x.shape.map((dim) => (dim === 1 && draws.chance(0.7) ? draft.dim() : dim));
  const lead = draws.chance(0.4) ? [draft.dim()] : [];
  return broadcastTo(x, [...lead, ...stretched]);
};

export const sliceStep: Step = (draft) => {
  const { draws } = draft;
  const x = draft.any();
  if (x.shape.length === 0) return undefined;
  const axis = draws.below(x.shape.length);
  const dim = x.shape[axis] as Dim;
  const least = draft.least(dim);
  if (typeof dim !== 'number') {
    if (draws.chance(0.3)) return slice(x, { axis, step: -1 });
    if (least === 0) return undefined;
    return slice(x, draws.chance(0.5) ? { axis, start: 1 } : { axis, end: 1 });
  }
  const start = draws.between(0, dim);
  const end = draws.between(start, dim);
  if (start === end && draws.chance(0.9)) return undefined;
  if (draws.chance(0.5) || start === end) return slice(x, { axis, start, end });
  const step = draws.between(1, 3);
  // Reads the same range upwards or downwards. `end` of the latter is left out if it would be before the first element.
  if (draws.chance(0.5)) return slice(x, { axis, start, end, step });
  return slice(x, { axis, start: end - 1, ...(start > 0 && { end: start - 1 }), step: -step });
};

export const flipStep: Step = (draft) => {
  const { draws } = draft;
  const x = draft.any();
  if (x.shape.length === 0) return undefined;
  const axes = x.shape.flatMap((_, axis) => (draws.chance(0.5) ? [axis] : []));
  return axes.length === 0 ? undefined : flip(x, axes);
};

export const concatStep: Step = (draft) => {
  const { draws } = draft;
  const x = draft.any();
  const { shape } = x;
  if (shape.length === 0) return undefined;
  const axis = draws.below(shape.length);
  const others = Array.from({ length: draws.between(1, 3) }, () =>
    draft.like(shape.map((dim, i) => (i === axis && draws.chance(0.4) ? draft.size() : dim))),
  );
  return concat(draws.shuffled([x, ...others]), axis);
};

export const stackStep: Step = (draft) => {
  const { draws } = draft;
  const x = draft.any();
  const others = Array.from({ length: draws.between(0, 3) }, () => draft.like(x.shape));
  return stack(draws.shuffled([x, ...others]), draws.below(x.shape.length + 1));
};

/** Returns some of the node's axes, perhaps none; undefined means all axes. */
function someAxes({ draws }: Draft, { shape }: Node): number[] | undefined {
  if (draws.chance(0.2)) return undefined;
  return shape.map((_, axis) => axis).filter(() => draws.chance(0.5));
}

export const sumStep: Step = (draft) => {
  const x = draft.any();
  const axes = someAxes(draft, x);
  const keepDims = draft.draws.chance(0.4);
  const averages = !draft.numbers.exact && draft.draws.chance(0.3);
  return averages && draft.least(sizeOfDims(x.shape)) > 0
    ? mean(x, axes, { keepDims })
    : sum(x, axes, { keepDims });
};

export const maxStep: Step = (draft) => {
  const x = draft.any();
  if (draft.least(sizeOfDims(x.shape)) === 0) return undefined;
  return max(x, someAxes(draft, x), { keepDims: draft.draws.chance(0.4) });
};

export const softmaxStep: Step = (draft) => {
  const x = draft.any();
  if (draft.numbers.exact || x.shape.length === 0) return undefined;
  const op = draft.draws.pick([softmax, logSoftmax]);
  return op(x, draft.draws.below(x.shape.length));
};

/**
 * Reductions of rows that are long enough for a fused loop over whole rows: shifts each row by its maximum, and returns
 * the sum of each row plus the sum of the sums of all columns.
 */
export const rowsStep: Step = (draft) => {
  const { draws } = draft;
  const x = draft.any();
  if (x.shape.length > 2) return undefined;
  const columns = draws.pick([32, 33, 40]);
  const ramp = Array.from({ length: columns }, (_, i) => (i % 3) - 1);
  const rows = broadcastTo(reshape(x, [...x.shape, 1]), [...x.shape, columns]);
  const y = mul(rows, constant(tensor(ramp, { dtype: x.dtype })));
  const shifted = sub(y, max(y, -1, { keepDims: true }));
  const ofRows = sum(draws.chance(0.5) ? shifted : add(shifted, rows), -1);
  if (x.shape.length === 0) return ofRows;
  const columnsOf = (matrix: Node) => sum(matrix, [...x.shape.keys()]);
  return add(ofRows, sum(sub(columnsOf(shifted), columnsOf(y))));
};

/** Returns the node, reshaped to two axes if it has fewer. */
function asMatrix(x: Node): Node {
  if (x.shape.length >= 2) return x;
  return reshape(x, x.shape.length === 0 ? [1, 1] : [1, x.shape[0] as Dim]);
}

export const matmulStep: Step = (draft) => {
  const { draws } = draft;
  const a = asMatrix(draft.any());
  const transposeA = draws.chance(0.3);
  const transposeB = draws.chance(0.3);
  const [m, k] = (transposeA ? a.shape.slice(-2).reverse() : a.shape.slice(-2)) as [Dim, Dim];
  const lead = a.shape.slice(0, -2);
  const fits = ({ shape }: Node) =>
    shape.length >= 2 &&
    shape.at(transposeB ? -1 : -2) === k &&
    (shape.length === 2 || shape.slice(0, -2).join() === lead.join());
  const there = draft.pool.filter(fits);
  const other = () => {
    if (there.length > 0 && draws.chance(0.7)) return draws.pick(there);
    // In most cases n is a fixed number, not a named dimension, so that the right operand can be a parameter.
    const n = draws.chance(0.1) ? m : draft.size();
    const batch = draws.chance(0.3) ? lead.map((dim) => (draws.chance(0.2) ? 1 : dim)) : [];
    return draft.leaf([...batch, ...(transposeB ? [n, k] : [k, n])]);
  };
  return matmul(a, other(), { transposeA, transposeB });
};

/** Multiplies an existing weight by another operand, because the compiler merges products that share a weight. */
export const sharedMatmulStep: Step = (draft) => {
  const { draws } = draft;
  const weights = draft.variables.filter(({ shape, dtype }) => {
    return shape.length === 2 && dtype === draft.dtype;
  });
  if (weights.length === 0) return undefined;
  const weight = draws.pick(weights);
  const [rows] = weight.shape as readonly [number, number];
  const from = draws.chance(0.3) ? draws.between(0, rows) : 0;
  const part = slice(weight, { axis: 0, start: from });
  const x = draft.like([draws.pick([1, 2, 3, ...draft.names]), rows - from]);
  const product = matmul(x, part);
  return draws.chance(0.5) ? add(product, draft.fitting(product.shape)) : product;
};

/** Creates an outer product, sometimes scaled. The gradient of a weight has this form if the batch has one row. */
export const outerStep: Step = (draft) => {
  const [m, n] = [draft.size(), draft.size()];
  const product = matmul(draft.like([m, 1]), draft.like([1, n]));
  return draft.draws.chance(0.5) ? mul(product, draft.like([])) : product;
};
