/**
 * Functions that each add one node to a random graph: an element-wise op, a selection, a node of random numbers or a
 * conversion.
 */

import type { Dim } from '../../../src/graph/dimension.js';
import {
  abs,
  add,
  addN,
  and,
  argmax,
  atan,
  cast,
  concat,
  constant,
  cos,
  type DType,
  div,
  equal,
  erf,
  exp,
  expm1,
  floor,
  gather,
  greater,
  greaterEqual,
  isFinite as isFiniteNode,
  less,
  lessEqual,
  log,
  log1p,
  maximum,
  minimum,
  mul,
  type Node,
  neg,
  not,
  notEqual,
  oneHot,
  or,
  pow,
  randomNormal,
  randomUniform,
  relu,
  reshape,
  rsqrt,
  sigmoid,
  sign,
  sin,
  slice,
  softplus,
  sqrt,
  square,
  stopGradient,
  sub,
  tanh,
  tensor,
  transpose,
  where,
  xor,
} from '../../../src/index.js';
import { classes, type Draft } from './draft.js';

/** A function that creates a node from nodes of the draft. Returns undefined if the step is impossible. */
export type Step = (draft: Draft) => Node | undefined;

const exactUnary: readonly ((x: Node) => Node)[] = [
  neg,
  abs,
  relu,
  sign,
  floor,
  square,
  (x) => mul(x, 2),
  (x) => mul(-1, x),
  (x) => sub(1, x),
  (x) => add(x, 1),
  (x) => neg(neg(x)),
  (x) => add(x, 0),
  (x) => mul(x, 1),
  (x) => stopGradient(x),
  (x) => where(greater(x, 2), 2, x),
  (x) => mul(x, x),
  (x) => sub(x, x),
];

// Each of these functions is finite for every argument, and none grows fast.
const generalUnary: readonly ((x: Node) => Node)[] = [
  tanh,
  sigmoid,
  sin,
  cos,
  softplus,
  erf,
  atan,
  (x) => log1p(square(x)),
  (x) => expm1(tanh(x)),
  (x) => rsqrt(add(square(x), 0.3)),
  (x) => exp(mul(0.5, tanh(x))),
  (x) => log(add(square(x), 0.5)),
  (x) => sqrt(add(square(x), 0.3)),
  (x) => div(x, add(square(x), 1)),
  (x) => div(1, add(1, exp(neg(tanh(x))))),
  (x) => pow(add(square(x), 0.5), 1.5),
  (x) => mul(x, 0.3),
];

const binary: readonly ((a: Node, b: Node) => Node)[] = [
  add,
  add,
  sub,
  mul,
  mul,
  maximum,
  minimum,
  greater,
  (a, b) => where(greater(a, b), a, b),
  (a, b) => where(or(less(a, b), not(isFiniteNode(a))), b, a),
  (a, b) => add(mul(a, b), a),
  (a, b) => sub(b, mul(a, b)),
];

const generalBinary: readonly ((a: Node, b: Node) => Node)[] = [
  (a, b) => div(a, add(square(b), 0.7)),
  (a, b) => pow(add(square(a), 0.4), tanh(b)),
  (a, b) => mul(sigmoid(a), tanh(b)),
];

export const unaryStep: Step = (draft) => {
  const { draws, numbers } = draft;
  const general = !numbers.exact && draws.chance(0.5);
  return draws.pick(general ? generalUnary : exactUnary)(draft.any());
};

export const binaryStep: Step = (draft) => {
  const { draws, numbers } = draft;
  const a = draft.any();
  const b = draft.fitting(a.shape);
  const general = !numbers.exact && draws.chance(0.25);
  const op = draws.pick(general ? generalBinary : binary);
  return draws.chance(0.5) ? op(a, b) : op(b, a);
};

export const equalStep: Step = (draft) => {
  const a = draft.any();
  // Rounded numbers may differ between program and interpreter, so only exact values can be tested for equality.
  if (!draft.numbers.exact) return equal(sign(a), 1);
  return equal(a, draft.fitting(a.shape));
};

export const whereStep: Step = (draft) => {
  const a = draft.any();
  const [b, c] = [draft.fitting(a.shape), draft.fitting(a.shape)];
  const { draws } = draft;
  if (draws.chance(0.3)) {
    const test = greater(c, 0);
    return where(draws.chance(0.5) ? test : cast(test, draws.pick(['int32', 'uint8'])), a, b);
  }
  return where(draws.chance(0.5) ? greater(c, b) : sign(c), a, draws.chance(0.2) ? 0 : b);
};

/** Selects elements by a mask that compares an index of each column with one of each row: a causal mask. */
export const causalStep: Step = (draft) => {
  const { draws } = draft;
  const x = draft.any();
  if (x.shape.length < 2) return unaryStep(draft);
  const [row, column] = x.shape.slice(-2) as [Dim, Dim];
  const rows = draft.leaf(draws.chance(0.4) ? [row, 1] : [1, 1]);
  const columns = draft.leaf([1, column]);
  return where(greater(columns, rows), draws.chance(0.3) ? 1 : 0, x);
};

export const addStep: Step = (draft) => {
  const { draws } = draft;
  const first = draft.any();
  const others = Array.from({ length: draws.weighted(termCounts) }, () => draft.like(first.shape));
  return addN([first, ...others]);
};

// Each pair is the probability weight of a count, and the number of terms after the first. The count 9 is included
// because the compiler splits a sum of more than eight terms into several operations.
const termCounts = [
  [3, 1],
  [4, 2],
  [3, 3],
  [3, 9],
] as const;

export const randomStep: Step = (draft) => {
  const { draws, dtype, numbers } = draft;
  const shape: readonly Dim[] = draws.chance(0.6) ? draft.any().shape : draft.shape();
  const seed = draws.below(3);
  if (!numbers.exact) {
    return draws.pick([randomNormal, randomUniform])(shape, { seed, dtype });
  }
  return cast(cast(mul(randomUniform(shape, { seed, dtype }), 4), 'int32'), dtype);
};

/** Sets a part of the elements of a node to 0. */
export const dropoutStep: Step = (draft) => {
  const { draws } = draft;
  const x = draft.any();
  const dtype = draws.pick(['float32', 'float64'] as const);
  return where(greater(randomUniform(x.shape, { seed: draws.below(100), dtype }), 0.25), x, 0);
};

/** Creates an int32 node: an argmax, truncated numbers, an input of labels, a state or a selection. */
export const integerStep: Step = (draft) => {
  const { draws, integers } = draft;
  const last = integers.at(-1);
  const x = draft.any();
  return draws.pick<() => Node | undefined>([
    () => {
      if (x.shape.length === 0) return argmax(x);
      const axis = draws.below(x.shape.length);
      const some = draft.least(x.shape[axis] as Dim) > 0;
      return some ? argmax(x, axis, { keepDims: draws.chance(0.3) }) : undefined;
    },
    () => cast(x, 'int32'),
    () => draft.input(draft.shape().slice(0, 2), 'int32'),
    () => draft.state([draft.size()], 'int32'),
    () => last && where(greater(last, 1), last, cast(equal(last, 0), 'int32')),
  ])();
};

/** Converts an integer node to floating-point numbers. */
export const fromIntegerStep: Step = (draft) => {
  const { draws, integers, dtype } = draft;
  if (integers.length === 0) return undefined;
  const indices = draws.pick(integers);
  const flat = indices.shape.length < 4 && draws.chance(0.6);
  return flat ? oneHot(indices, classes, { dtype }) : cast(indices, dtype);
};

const comparisons = [equal, notEqual, greater, greaterEqual, less, lessEqual];

/** Creates a node of bool or uint8: a comparison, a conversion, a leaf or a selection. */
export const byteStep: Step = (draft) => {
  const { draws, bytes, integers } = draft;
  const last = bytes.at(-1);
  const x = draft.any();
  return draws.pick<() => Node | undefined>([
    () => greater(x, draft.fitting(x.shape)),
    () => cast(x, 'bool'),
    () => cast(x, 'uint8'),
    () => {
      const to = draws.pick<DType>(['bool', 'uint8']);
      return integers.length > 0 ? cast(draws.pick(integers), to) : undefined;
    },
    () => draft.input(draft.shape(), draws.pick(['bool', 'uint8'])),
    () => draft.state([draft.size()], draws.pick(['bool', 'uint8'])),
    () => last && cast(last, last.dtype === 'bool' ? 'uint8' : 'bool'),
    () => last && draws.pick(comparisons)(last, last.dtype === 'bool' ? 1 : 2),
    () =>
      last &&
      draws.pick([and, or, xor])(cast(last, 'bool'), greater(draft.fitting(last.shape), 0.5)),
    () => not(greater(x, draft.fitting(x.shape))),
    () => last && where(last, last, 0),
  ])();
};

/** Moves elements of bool or uint8. */
export const moveBytesStep: Step = (draft) => {
  const { draws, bytes } = draft;
  if (bytes.length === 0) return undefined;
  const x = draws.pick(bytes);
  if (x.shape.length === 0) return reshape(x, [1, 1]);
  const axis = draws.below(x.shape.length);
  return draws.pick<() => Node | undefined>([
    () => transpose(x),
    () => reshape(x, [...x.shape, 1]),
    () => concat([x, x], axis),
    // A named dimension may be odd, so it is not sliced in steps of 2.
    () => slice(x, { axis, step: typeof x.shape[axis] === 'number' ? draws.pick([-1, 2]) : -1 }),
    () => {
      const least = draft.least(x.shape[axis] as Dim);
      const indices = Uint8Array.of(least - 1, 0, least - 1);
      return least > 0 ? gather(x, constant(tensor(indices)), axis) : undefined;
    },
  ])();
};

/** Converts a node of bool or uint8 to floating-point numbers, or selects by it. */
export const fromBytesStep: Step = (draft) => {
  const { draws, bytes, dtype } = draft;
  if (bytes.length === 0) return undefined;
  const x = draws.pick(bytes);
  return draws.chance(0.5) ? cast(x, dtype) : where(x, draft.fitting(x.shape), 1);
};
