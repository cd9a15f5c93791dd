/** Draws structures that the compiler rewrites, such as dense nets and sums of products, in forms that users write. */

import type { Dim } from '../../../src/graph/dimension.js';
import {
  add,
  addN,
  concat,
  flip,
  matmul,
  maximum,
  mul,
  type Node,
  oneHot,
  reshape,
  slice,
  softmax,
  square,
  stack,
  sub,
  sum,
  transpose,
} from '../../../src/index.js';
import { classes, type Draft } from './draft.js';
import { activations, type Structure } from './recurrent.js';

function rows(draft: Draft): Dim {
  const { draws, names } = draft;
  if (names.length > 0 && draws.chance(0.7)) return draws.pick(names);
  return draws.chance(0.5) ? 1 : draft.units(2, 5);
}

function matrix(draft: Draft, shape: readonly Dim[]): Node {
  const there = draft.like(shape);
  return draft.draws.chance(0.5) ? there : draft.leaf(shape);
}

/** Adds dense layers, sometimes with skip connections, and one to three heads on the last layer. */
export const dense: Structure = (draft) => {
  const { draws } = draft;
  const { squash } = activations(draft);
  const batch = rows(draft);
  let units = draft.units(1, 4);
  let x: Node = matrix(draft, [batch, units]);
  for (let layer = draws.between(1, 3); layer > 0; layer--) {
    const skips = draws.chance(0.3);
    const next = skips ? units : draft.units(1, 5);
    const y = add(matmul(x, draft.parameter([units, next])), draft.parameter([next]));
    x = draft.keep(skips ? add(squash(y), x) : squash(y));
    units = next;
  }
  const width = draft.units(1, 3);
  const last = draws.chance(0.5) ? squash : (head: Node) => head;
  const heads = Array.from({ length: draws.between(1, 3) }, () =>
    last(add(matmul(x, draft.parameter([units, width])), draft.parameter([width]))),
  );
  const join = draws.pick([
    addN,
    (list: Node[]) => concat(list, 1),
    (list: Node[]) => mul(list[0] as Node, list.at(-1) as Node),
  ]);
  return [draft.keep(join(heads))];
};

/** Adds an embedding table that is used twice: its rows are chosen by index, and its transpose computes the logits. */
export const tied: Structure = (draft) => {
  const { draws, dtype } = draft;
  const units = draft.units(1, 4);
  const table = draft.parameter([classes, units]);
  const batch = rows(draft);
  const { squash } = activations(draft);
  const embedded = Array.from({ length: draws.between(1, 3) }, () =>
    matmul(oneHot(draft.input([batch], 'int32'), classes, { dtype }), table),
  );
  const hidden = squash(addN(embedded));
  const logits = draws.chance(0.5)
    ? matmul(hidden, table, { transposeB: true })
    : matmul(hidden, transpose(table));
  return [draft.keep(logits)];
};

/** Adds products that only sums read, and sometimes sums of these sums. */
export const sumOfProducts: Structure = (draft) => {
  const { draws } = draft;
  const [m, n] = [rows(draft), draft.units(1, 4)];
  const shared = draws.chance(0.3) ? draft.parameter([3, n]) : undefined;
  const product = () => {
    const k = shared ? 3 : draft.units(1, 4);
    const right = shared ?? (draws.chance(0.7) ? draft.parameter([k, n]) : matrix(draft, [k, n]));
    if (typeof m === 'number' && draws.chance(0.3)) {
      return matmul(matrix(draft, [k, m]), right, { transposeA: true });
    }
    return matmul(matrix(draft, [m, k]), right);
  };
  const some = () => Array.from({ length: draws.between(2, 4) }, product);
  const inner = addN([...some(), ...(draws.chance(0.5) ? [draft.like([m, n])] : [])]);
  const outer = draws.chance(0.6) ? add(inner, addN(some())) : inner;
  return [draft.keep(draws.chance(0.3) ? sub(outer, product()) : outer)];
};

/** Adds a product with an operand that is concatenated along K, M or N, and slices of the product. */
export const productOfParts: Structure = (draft) => {
  const { draws } = draft;
  const [m, k, n] = [draft.units(1, 4), draft.units(1, 3), draft.units(1, 4)];
  const along = draws.pick(['k', 'm', 'n', 'n', 'k both'] as const);
  const parts = (shape: readonly number[], axis: number) =>
    concat(
      Array.from({ length: draws.between(2, 3) }, () => matrix(draft, shape)),
      axis,
    );
  let product: Node;
  if (along === 'm') {
    product = matmul(parts([m, k], 0), matrix(draft, [k, n]));
    if (draws.chance(0.3)) {
      product = matmul(parts([k, m], 1), matrix(draft, [k, n]), { transposeA: true });
    }
  } else if (along === 'n') {
    product = matmul(matrix(draft, [m, k]), parts([k, n], 1));
  } else {
    const left = parts([m, k], 1);
    const inner = left.shape[1] as number;
    const right = along === 'k' ? draft.leaf([inner, n]) : matrix(draft, [inner, n]);
    product = matmul(left, right);
  }
  return [draft.keep(product), ...cutOut(draft, product)];
};

/**
 * Returns two slices of `whole`, or of the sum of `whole` and another node; sometimes none. The first slice has the
 * left columns. The second has the right columns, with all rows or only the first ones, and is squared.
 */
function cutOut(draft: Draft, whole: Node): Node[] {
  const { draws } = draft;
  const [down, across] = whole.shape as readonly [number, number];
  if (across < 2 || draws.chance(0.3)) return [];
  const from = draws.chance(0.5) ? add(whole, draft.like(whole.shape)) : whole;
  const middle = draws.between(1, across - 1);
  const left = slice(from, { axis: 1, end: middle });
  const right = slice(from, { axis: 1, start: middle });
  const corner = slice(right, { axis: 0, end: draws.between(1, Math.max(1, down)) });
  return [draft.keep(left), draft.keep(square(draws.chance(0.5) ? right : corner))];
}

/** Adds a product, or a product plus a bias, of which only slices of columns are read. */
export const columnsOnly: Structure = (draft) => {
  const { draws } = draft;
  const [m, k, n] = [rows(draft), draft.units(1, 4), draft.units(2, 5)];
  const product = matmul(matrix(draft, [m, k]), draft.leaf([k, n]));
  const whole = draws.chance(0.5) ? add(product, draft.leaf([n])) : product;
  const { squash, gate } = activations(draft);
  const half = draws.between(1, n - 1);
  const left = gate(slice(whole, { axis: 1, end: half }));
  const right = squash(slice(whole, { axis: 1, start: half }));
  return [draft.keep(left), draft.keep(right)];
};

/** Adds slices of one product, which may be equal, disjoint or overlapping. Later products are added to them. */
export const blocks: Structure = (draft) => {
  const { draws } = draft;
  const [m, n, k] = [draws.between(2, 5), draws.between(2, 4), draft.units(1, 3)];
  const whole = matmul(matrix(draft, [m, k]), draft.parameter([k, n]));
  const { squash } = activations(draft);
  const byRows = draws.chance(0.7);
  const height = draws.between(1, m);
  return Array.from({ length: draws.between(2, 3) }, () => {
    const start = draws.between(0, byRows ? m - height : n - 1);
    const window = byRows ? { axis: 0, start, end: start + height } : { axis: 1, start };
    const block = slice(whole, window);
    if (draws.chance(0.2)) return draft.keep(square(block));
    const [rowsOfBlock, columns] = block.shape as readonly [number, number];
    const hidden = squash(matmul(draft.like([rowsOfBlock, k]), draft.parameter([k, 2])));
    return draft.keep(squash(add(block, matmul(hidden, draft.parameter([2, columns])))));
  });
};

/** Concatenates the same computed operands in two ways, so that they cannot be computed directly into both results. */
export const joinedTwice: Structure = (draft) => {
  const { draws } = draft;
  const [m, n] = [draft.units(1, 3), draft.units(1, 3)];
  const parts = Array.from({ length: draws.between(2, 3) }, () =>
    draws.chance(0.7) ? square(draft.like([m, n])) : matmul(draft.leaf([m, 2]), draft.leaf([2, n])),
  );
  const join = () => {
    const some = draws.chance(0.5) ? parts : draws.shuffled(parts).slice(0, 2);
    const joined = draws.chance(0.5) ? concat(some, draws.below(2)) : stack(some, draws.below(3));
    const [first, ...rest] = joined.shape as readonly [number, ...number[]];
    const width = rest.reduce((product, dim) => product * dim, 1);
    const matrixOf = reshape(joined, draws.chance(0.5) ? [first, width] : [width, first]);
    return draws.chance(0.5)
      ? matmul(matrixOf, draft.parameter([matrixOf.shape[1] as number, 2]))
      : mul(joined, draft.fitting(joined.shape));
  };
  return [draft.keep(join()), draft.keep(join())];
};

/** Adds a simple attention: batched products of computed operands. */
export const attention: Structure = (draft) => {
  const { draws, numbers } = draft;
  const [heads, length, width] = [draws.between(1, 3), draft.units(1, 3), draft.units(1, 3)];
  const x = matrix(draft, [heads, length, width]);
  const [q, k, v] = [0, 1, 2].map(() => matmul(x, draft.parameter([width, width]))) as [
    Node,
    Node,
    Node,
  ];
  const scores = matmul(q, k, { transposeB: true });
  const weights = numbers.exact ? scores : softmax(scores);
  return [draft.keep(matmul(weights, v))];
};

/** Computes the same function of several leaves, as an optimizer does. */
export const alike: Structure = (draft) => {
  const { draws } = draft;
  const leaves = Array.from({ length: draws.between(2, 4) }, () =>
    draft.parameter([draft.size(), draft.size()]),
  );
  const factor = draft.like([]);
  const each = leaves.map((leaf) => draft.keep(sub(mul(leaf, factor), square(leaf))));
  return [draft.keep(addN(each.map((node) => sum(node)))), ...each];
};

/**
 * Concatenates computed values and leaves, and adds an element-wise function of the result. The memory of a leaf cannot
 * be moved into the concatenation.
 */
export const overParts: Structure = (draft) => {
  const { draws } = draft;
  const shape = [draft.units(1, 3), draft.units(1, 4)];
  const axis = draws.below(2);
  const part = () => (draws.chance(0.6) ? draft.leaf(shape) : square(draft.like(shape)));
  const parts = Array.from({ length: draws.between(2, 4) }, part);
  const joined = draws.chance(0.6) ? concat(parts, axis) : stack(parts, axis);
  const again = draws.chance(0.3) ? [concat([...parts].reverse(), axis)] : [];
  return [joined, ...again].map((node) => draft.keep(mul(square(node), 2)));
};

/** Adds a function of more operands than one fused loop can have, or a sum of more terms than one operation can add. */
export const wide: Structure = (draft) => {
  const { draws } = draft;
  const shape = [draft.units(1, 3), draft.units(1, 2)];
  const count = draws.between(34, 40);
  const all = draft.input([count, ...shape]);
  const parts = Array.from({ length: count }, (_, i) =>
    reshape(slice(all, { axis: 0, start: i, end: i + 1 }), shape),
  );
  const [head, ...rest] = parts as [Node, ...Node[]];
  if (draws.chance(0.5)) return [draft.keep(addN(parts))];
  let value = head;
  rest.forEach((part, i) => {
    value = i % 2 === 0 ? sub(part, value) : maximum(value, part);
  });
  return [draft.keep(value)];
};

/** Adds a sum of concatenations whose operands have the same shapes. */
export const sumOfJoins: Structure = (draft) => {
  const { draws } = draft;
  const [m, n] = [draft.units(1, 3), draft.units(1, 3)];
  const joint = () => concat([square(draft.like([m, n])), draft.like([m, 2])], 1);
  return [draft.keep(addN(Array.from({ length: draws.between(2, 3) }, joint)))];
};

/**
 * Adds a sum of slices with one step, or with different steps. The gradients of the slices are assembled. Slices of one
 * step that have different starts share no element; the others may.
 */
export const stridedWindows: Structure = (draft) => {
  const { draws } = draft;
  const step = draws.between(2, 3);
  const width = draws.between(1, 3);
  const x = square(matrix(draft, [step * width + draws.between(0, step - 1), draft.units(1, 3)]));
  const turned = draws.chance(0.4) ? flip(x, draws.pick([0, 1, [0, 1]])) : x;
  const cut = Array.from({ length: step }, (_, start) => {
    const range = { axis: 0, start, end: start + step * (width - 1) + 1, step };
    const window = slice(turned, range);
    return draws.chance(0.3) ? slice(window, { axis: 0, step: -1 }) : window;
  });
  if (draws.chance(0.5)) cut.push(slice(turned, { axis: 0, start: width - 1, step: -1 }));
  const some = draws.chance(0.7) ? cut : draws.shuffled(cut).slice(0, 2);
  return [draft.keep(addN(some.map((part, i) => mul(part, i + 1))))];
};

/** Adds a sum of overlapping slices. The gradients of the slices are assembled, and added where they overlap. */
export const windows: Structure = (draft) => {
  const { draws } = draft;
  const length = draws.between(3, 6);
  const x = square(matrix(draft, [length, draft.units(1, 3)]));
  const width = draws.between(1, length - 1);
  const cut = Array.from({ length: length - width + 1 }, (_, start) =>
    slice(x, { axis: 0, start, end: start + width }),
  );
  const apart = draws.chance(0.3) ? cut.filter((_, i) => i % width === 0) : cut;
  return [draft.keep(addN(apart.map((part, i) => mul(part, i + 1))))];
};

/** Adds sums over all axes but one of images, as batch normalisation has them. Each sum has many terms. */
export const sumsButOne: Structure = (draft) => {
  const { draws } = draft;
  const shape = [draws.between(2, 3), draws.between(2, 3), draws.between(16, 18), 16];
  const kept = draws.chance(0.5) ? 1 : 0;
  const others = [0, 1, 2, 3].filter((axis) => axis !== kept);
  const { squash } = activations(draft);
  const x = squash(add(draft.leaf([shape[2] as number, 1]), draft.leaf(shape)));
  const sums = sum(x, others, { keepDims: true });
  return [draft.keep(sum(square(x), others)), draft.keep(sub(x, sums))];
};
