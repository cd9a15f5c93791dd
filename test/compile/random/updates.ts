/**
 * Draws the updates of a random graph: those of a training step, those by which leaves exchange their values, and those
 * that give a leaf the value of any node.
 */

import { reachable } from '../../../src/graph/topology.js';
import {
  adam,
  add,
  backward,
  broadcastTo,
  type Gradients,
  mul,
  type Node,
  randomUniform,
  reshape,
  sgd,
  slice,
  sub,
  sum,
  transpose,
  type Variable,
} from '../../../src/index.js';
import type { Draft } from './draft.js';
import { scattered } from './routines.js';

export type Pairs = (readonly [Variable, Node])[];

export interface Differentiated {
  readonly gradients: Gradients;
  /** The floating-point parameters and states that a gradient reaches. */
  readonly reached: readonly Variable[];
  readonly loss: Node | undefined;
}

/**
 * Differentiates either a loss or the roots themselves. The loss is the sum of the elements of all roots, some of which
 * are weighted. If the roots are differentiated, each starts from a given gradient, and `loss` is undefined.
 */
export function differentiate(draft: Draft, roots: readonly Node[]): Differentiated {
  const { draws, variables } = draft;
  let loss: Node | undefined;
  let gradients: Gradients;
  if (draws.chance(0.75)) {
    loss = roots
      .map((root) => sum(draws.chance(0.6) ? mul(root, draft.fitting(root.shape)) : root))
      .reduce((total, term) => add(total, term));
    gradients = backward(loss);
  } else {
    gradients = backward(roots.map((root) => [root, draft.like(root.shape)] as const));
  }
  const below = new Set<Node>(reachable(loss ? [loss] : roots));
  const reached = variables.filter(
    (leaf) => below.has(leaf) && leaf.dtype === draft.dtype && gradients.reaches(leaf),
  );
  return { gradients, reached, loss };
}

/**
 * Returns the updates of one training step. They are made by an optimizer, or, if all numbers must be exact, by a
 * subtraction of the scaled gradient.
 */
function training({ draws, numbers }: Draft, { gradients, reached }: Differentiated): Pairs {
  const parameters = reached.filter(({ kind }) => kind === 'parameter');
  if (parameters.length === 0) return [];
  if (!numbers.exact) {
    const [rate, momentum] = [0.05, draws.chance(0.5) ? 0.5 : 0];
    const updates = draws.chance(0.5)
      ? adam(gradients, parameters, { rate })
      : sgd(gradients, parameters, { rate, momentum });
    return [...updates];
  }
  const step = draws.pick([1, 0.5, -1]);
  return parameters.map((leaf) => {
    const gradient = gradients.of(leaf);
    return [leaf, sub(leaf, step === 1 ? gradient : mul(step, gradient))] as const;
  });
}

/**
 * Returns an existing node of the leaf's shape, or the sum of all elements of any node, broadcast to the leaf's shape.
 */
function made(draft: Draft, leaf: Variable): Node {
  const { draws, pool } = draft;
  const text = leaf.shape.join();
  const there = pool.filter(({ shape }) => shape.join() === text);
  if (there.length > 0 && draws.chance(0.8)) return draws.pick(there);
  return broadcastTo(sum(draft.any()), leaf.shape);
}

/** Returns a view of any leaf or of some of its rows, with the shape of `leaf`; undefined if that is impossible. */
function viewOf(draft: Draft, leaf: Variable): Node | undefined {
  const { draws, variables, dtype } = draft;
  const { size } = leaf.value;
  const other = draws.pick(variables.filter((variable) => variable.dtype === dtype));
  const numbers = other.value;
  if (leaf.shape.join() === [...other.shape].reverse().join()) return transpose(other);
  if (numbers.size === size) return reshape(other, leaf.shape);
  if (other.shape.length === 0) return broadcastTo(other, leaf.shape);
  const [rows] = other.shape as readonly [number];
  const width = numbers.size / rows;
  const height = size / width;
  if (!Number.isInteger(height) || height < 1 || height >= rows) return undefined;
  const start = draws.between(0, rows - height);
  return reshape(slice(other, { axis: 0, start, end: start + height }), leaf.shape);
}

/** Returns updates by which two or three leaves of the same shape exchange their values. */
function exchange(draft: Draft, free: readonly Variable[]): Pairs {
  const { draws } = draft;
  const first = draws.pick(free);
  const alike = free.filter((leaf) => leaf.shape.join() === first.shape.join());
  const count = draws.between(2, 3);
  while (alike.length < count) alike.push(draft.parameter(first.shape as readonly number[]));
  const ring = alike.slice(0, count);
  return ring.map((leaf, i) => [leaf, ring[(i + 1) % count] as Node] as const);
}

/** Returns a new value for one leaf, made in one of several ways; undefined if the chosen way is impossible. */
function single(draft: Draft, leaf: Variable, free: readonly Variable[]): Node | undefined {
  const { draws, dtype } = draft;
  const shape = leaf.shape as readonly number[];
  return draws.pick<() => Node | undefined>([
    () => made(draft, leaf),
    () => made(draft, leaf),
    () => viewOf(draft, leaf),
    () => draft.input(shape),
    () => draft.constant(shape),
    () => add(leaf, 1),
    () => sub(mul(leaf, 0.5), made(draft, leaf)),
    () => scattered(draft, leaf),
    () => mul(leaf, broadcastTo(sum(draws.pick(free)), shape)),
    () => {
      if (draft.numbers.exact) return leaf;
      return randomUniform(shape, { seed: draws.below(3), dtype });
    },
    // This is a moving average of the leaf's old value and the value of another leaf, which may also have an update.
    () => add(mul(leaf, 0.5), mul(viewOf(draft, leaf) ?? leaf, 0.5)),
  ])();
}

/** Returns updates of some leaves, in random order. No leaf has two updates. */
export function updatesOf(draft: Draft, differentiated: Differentiated | undefined): Pairs {
  const { draws } = draft;
  const pairs: Pairs = [];
  if (differentiated && draws.chance(0.75)) pairs.push(...training(draft, differentiated));
  const taken = new Set(pairs.map(([leaf]) => leaf));
  const free = () =>
    draft.variables.filter((leaf) => !taken.has(leaf) && leaf.dtype === draft.dtype);
  const push = (more: Pairs) => {
    for (const pair of more) {
      taken.add(pair[0]);
      pairs.push(pair);
    }
  };
  if (draws.chance(0.3) && free().length > 0) push(exchange(draft, free()));
  for (let tries = draws.between(0, 3); tries > 0; tries--) {
    const left = free();
    if (left.length === 0) break;
    const leaf = draws.pick(left);
    const value = single(draft, leaf, left);
    if (value?.shape.join() === leaf.shape.join()) push([[leaf, value as Node]]);
  }
  const [counter] = draft.variables.filter(({ dtype }) => dtype === 'int32');
  const found = draft.integers.find(
    (node) => counter && node !== counter && node.shape.join() === counter.shape.join(),
  );
  if (counter && found) push([[counter, found]]);
  return draws.shuffled(pairs);
}
