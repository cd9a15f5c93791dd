// Compares the gradients of random graphs with finite differences. Many nodes of these graphs have several parents.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reachable } from '../../src/graph/topology.js';
import {
  add,
  backward,
  broadcastTo,
  checkGradients,
  concat,
  cos,
  evaluate,
  logSoftmax,
  matmul,
  mean,
  mul,
  type Node,
  neg,
  parameter,
  reshape,
  sigmoid,
  sin,
  slice,
  softmax,
  softplus,
  square,
  stack,
  stopGradient,
  sub,
  sum,
  tanh,
  transpose,
} from '../../src/index.js';
import { randomTensor } from '../support.js';

// Each function below returns a node of shape [2, 2], so that any two nodes can be combined. Only nodes inside these
// functions have other shapes.
const shape = [2, 2];
const unary: readonly ((x: Node) => Node)[] = [
  tanh,
  sigmoid,
  sin,
  cos,
  neg,
  softplus,
  (x) => mul(0.5, square(x)),
  (x) => softmax(x, 0),
  (x) => mul(0.3, logSoftmax(x)),
  (x) => transpose(x),
  (x) => reshape(transpose(reshape(x, [1, 4])), shape),
  (x) => broadcastTo(mean(x, 0, { keepDims: true }), shape),
  (x) => broadcastTo(mul(0.5, sum(x, 1, { keepDims: true })), shape),
  (x) => slice(concat([x, x], 0), { axis: 0, start: 1, end: 3 }),
  (x) => reshape(slice(stack([x, neg(x), x], 1), { axis: 1, start: 2 }), shape),
  (x) => add(x, stopGradient(x)),
  (x) => mul(x, slice(x, { axis: 1, start: 1 })), // multiplies x by its last column, which is broadcast
];
const binary: readonly ((a: Node, b: Node) => Node)[] = [
  add,
  sub,
  (a, b) => mul(a, b),
  (a, b) => mul(0.5, matmul(a, b)),
  (a, b) => mul(0.5, matmul(a, b, { transposeA: true })),
  (a, b) => mul(0.5, matmul(a, b, { transposeB: true })),
  (a, b) => slice(concat([a, b], 1), { axis: 1, start: 1, end: 3 }),
  (a, b) =>
    reshape(
      matmul(reshape(stack([a, b], 0), [2, 1, 4]), reshape(concat([b, a], 0), [4, 2])),
      shape,
    ),
];

/**
 * The random steps that build a graph. Each applies the function with index `op` to one or two earlier nodes, whose
 * indices are `a` and `b` modulo the number of nodes.
 */
const plan = fc.array(
  fc.record({ op: fc.nat({ max: unary.length + binary.length - 1 }), a: fc.nat(), b: fc.nat() }),
  { minLength: 2, maxLength: 14 },
);

function build(steps: readonly { op: number; a: number; b: number }[], seed: number) {
  const leaves = [0, 1, 2].map((i) => parameter(`leaf${i}`, randomTensor(shape, seed + i)));
  const nodes: Node[] = [...leaves];
  for (const { op, a, b } of steps) {
    const [left, right] = [nodes[a % nodes.length] as Node, nodes[b % nodes.length] as Node];
    const one = unary[op];
    nodes.push(
      one ? one(left) : (binary[op - unary.length] as (a: Node, b: Node) => Node)(left, right),
    );
  }
  // The root adds the last three nodes, so that most of the graph is below it and nodes are shared.
  const root = nodes.slice(-3).reduce((total, node) => add(total, node));
  const below = new Set<Node>(reachable([root]));
  return { root, leaves: leaves.filter((leaf) => below.has(leaf)) };
}

/**
 * The index of the function with stopGradient. Finite differences ignore stopGradient, so the steps in `seen` do not
 * use this function.
 */
const stops = unary.findIndex((f) =>
  reachable([f(parameter('p', randomTensor(shape, 1)))]).some(
    ({ op }) => op.name === 'stopGradient',
  ),
);
const seen = plan.map((steps) => steps.filter(({ op }) => op !== stops));

describe('backward on random graphs with shared nodes', () => {
  it('agrees with finite differences', () => {
    let shared = 0;
    fc.assert(
      fc.property(seen, fc.nat({ max: 1e6 }), (steps, seed) => {
        const { root, leaves } = build(steps, seed);
        const uses = reachable([root]).flatMap(({ inputs }) => inputs);
        shared += uses.length - new Set(uses).size;
        checkGradients(root, leaves, { tolerance: 1e-5 });
      }),
      { numRuns: 150, seed: 20260 },
    );
    expect(shared).toBeGreaterThan(500);
  });

  it('has second derivatives that agree, too', () => {
    fc.assert(
      fc.property(seen, fc.nat({ max: 1e6 }), (steps, seed) => {
        const { root, leaves } = build(steps, seed);
        const first = backward(sum(root));
        const total = leaves.map((leaf) => sum(square(add(first.of(leaf), leaf)))).reduce(add);
        checkGradients(total, leaves, { tolerance: 1e-4 });
      }),
      { numRuns: 40, seed: 20260 },
    );
  });

  it('is linear in the starting gradient, including stopped paths', () => {
    fc.assert(
      fc.property(plan, fc.nat({ max: 1e6 }), (steps, seed) => {
        const { root, leaves } = build(steps, seed);
        const from = (k: number) => {
          const gradients = backward(sum(mul(root, k)));
          return evaluate(leaves.map((leaf) => gradients.of(leaf)));
        };
        const [once, eight] = [from(1), from(8)]; // multiplying by a power of two does not round
        once.forEach(({ data }, i) => {
          expect(eight[i]?.data).toEqual(data.map((value) => 8 * value));
        });
      }),
      { numRuns: 60, seed: 20260 },
    );
  });
});
