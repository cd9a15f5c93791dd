// Compiles every sample of every op, and compares its value, its gradient and its second derivative with evaluate().
import { describe, expect, it } from 'vitest';
import {
  addN,
  backward,
  compile,
  constant,
  evaluate,
  mul,
  type Node,
  sum,
  type Tensor,
  type Variable,
} from '../../src/index.js';
import {
  type BuiltSample,
  buildSample,
  differentiable,
  opsUnderTest,
  titleOf,
} from '../ops/samples.js';
import { randomTensor } from '../support.js';

const cases = opsUnderTest.flatMap(({ name, op }) =>
  op.samples.map((sample, index) => ({ title: titleOf(name, sample, index), op, sample, index })),
);
const smooth = cases.filter(({ op, sample }) => {
  const built = buildSample(sample, 1);
  const real = built.root.dtype === 'float64' && differentiable(built).length > 0;
  return op.notDifferentiable === undefined && real;
});

/**
 * Returns a tensor of weights for a weighted sum of a node's elements: random numbers with an absolute value between
 * 0.1 and 1. With a weight near 0, a wrong derivative would not be noticed.
 */
const weights = (node: Node, seed: number): Tensor => {
  const drawn = randomTensor(node.shape as number[], seed);
  drawn.data.forEach((value, i) => {
    drawn.data[i] = Math.sign(value || 1) * (0.1 + 0.9 * Math.abs(value));
  });
  return drawn;
};

interface Derivatives {
  /** For each leaf, its gradient. The gradient of the root is random. */
  readonly first: Record<string, Node>;
  /** For each leaf, the gradient of a weighted sum of all elements of `first`. */
  readonly second: Record<string, Node>;
}

function derivatives(built: BuiltSample, seed: number): Derivatives {
  const leaves = differentiable(built);
  const ofLeaves = (of: (leaf: Variable) => Node): Record<string, Node> =>
    Object.fromEntries(leaves.map((leaf) => [leaf.name as string, of(leaf)]));
  const cotangent = constant(weights(built.root, seed));
  const gradients = backward(built.root, { gradient: cotangent });
  const first = ofLeaves((leaf) => gradients.of(leaf));
  const weighted = Object.values(first).map((node, i) =>
    sum(mul(node, constant(weights(node, seed + 1 + i)))),
  );
  // If no first derivative depends on a leaf, the square of the leaf still makes it a part of the graph. Otherwise
  // `again.of` would refuse the leaf.
  const anchors = leaves.map((leaf) => sum(mul(leaf, leaf)));
  const again = backward(addN([...weighted, ...anchors]));
  return { first, second: ofLeaves((leaf) => again.of(leaf)) };
}

/** Compiles the outputs, runs the program twice, and expects the results of both runs to equal those of evaluate(). */
function expectSame(outputs: Record<string, Node>): void {
  const expected = evaluate(outputs);
  const program = compile({ outputs });
  for (const run of [0, 1]) {
    program.runs = 0;
    const found = program.run();
    for (const [name, { shape, dtype, data }] of Object.entries(expected)) {
      const got = found[name] as Tensor;
      expect([got.shape, got.dtype], name).toEqual([shape, dtype]);
      got.data.forEach((value, i) => {
        const wanted = data[i] as number;
        const near = Math.abs(value - wanted) <= 1e-13 * Math.max(1, Math.abs(wanted));
        if (!near && !Object.is(value, wanted))
          expect.fail(`run ${run}: ${name}[${i}] is ${value}, but ${wanted} by evaluate()`);
      });
    }
  }
  program.dispose();
}

describe('a compiled sample has the value that evaluate() gives', () => {
  it.each(cases)('$title', ({ sample, index }) => {
    expectSame({ value: buildSample(sample, 900 + index).root });
  });
});

describe('and its gradient', () => {
  it.each(smooth)('$title', ({ sample, index }) => {
    const { first } = derivatives(buildSample(sample, 1000 + index), 1100 + index);
    expectSame(first);
  });
});

describe('and its second derivative', () => {
  it.each(smooth)('$title', ({ sample, index }) => {
    const { second } = derivatives(buildSample(sample, 1200 + index), 1300 + index);
    expectSame(second);
  });
});

describe('and all of them in one program', () => {
  it.each(smooth)('$title', ({ sample, index }) => {
    const built = buildSample(sample, 1400 + index);
    const { first, second } = derivatives(built, 1500 + index);
    const named = (prefix: string, nodes: Record<string, Node>) =>
      Object.fromEntries(Object.entries(nodes).map(([name, node]) => [`${prefix} ${name}`, node]));
    expectSame({ value: built.root, ...named('first', first), ...named('second', second) });
  });
});

it('finds all samples', () => {
  expect(cases.length).toBeGreaterThan(200);
  expect(smooth.length).toBeGreaterThan(150);
});
