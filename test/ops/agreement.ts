/** Checks a composition of ops as the declared ops are checked by their samples. */

import { expect } from 'vitest';
import {
  addN,
  backward,
  checkGradients,
  compile,
  constant,
  evaluate,
  type Feeds,
  mul,
  type Node,
  type Sample,
  sum,
  type Tensor,
} from '../../src/index.js';
import { randomTensor } from '../support.js';
import { buildSample, differentiable } from './samples.js';

/**
 * Checks the first and second derivatives of a sample against central differences, and its value and its first
 * derivatives in a program against `evaluate`. The cotangents are random.
 */
export function expectDerivatives(sample: Sample, seed = 1): void {
  const built = buildSample(sample, seed);
  const { root } = built;
  const leaves = differentiable(built);
  checkGradients(root, leaves, { seed });
  const first = backward(root, {
    gradient: constant(randomTensor(root.shape as number[], seed + 1)),
  });
  const derivatives = leaves.map((leaf) => first.of(leaf));
  const weighted = leaves.map((leaf, i) =>
    sum(mul(derivatives[i] as Node, constant(randomTensor(leaf.value.shape, seed + 2 + i)))),
  );
  // The first derivative of a linear op does not depend on the leaves. The squares make the root depend on them.
  checkGradients(addN([...weighted, ...leaves.map((leaf) => sum(mul(leaf, leaf)))]), leaves, {
    seed,
  });
  expectCompiled([root, ...derivatives]);
}

/** Expects a program to compute the values that `evaluate` computes, up to rounding. */
export function expectCompiled(nodes: readonly Node[]): void {
  const outputs = Object.fromEntries(nodes.map((node, i) => [`${i}`, node]));
  const program = compile({ outputs });
  const found: Record<string, Tensor> = program.run({});
  program.dispose();
  for (const [name, expected] of Object.entries(evaluate(outputs))) {
    const got = found[name] as Tensor;
    expect([got.shape, got.dtype]).toEqual([expected.shape, expected.dtype]);
    const off = Array.from(got.data).filter((value, i) => {
      const wanted = expected.data[i] as number;
      return (
        !Object.is(value, wanted) &&
        !(Math.abs(value - wanted) <= 1e-12 * Math.max(1, Math.abs(wanted)))
      );
    });
    expect(off, `output ${name}`).toEqual([]);
  }
}

/** Returns the shapes that a text such as '2x3 4x3' lists. */
export function shapesOf(text: string): number[][] {
  return text.split(' ').map((shape) => shape.split('x').map(Number));
}

/** Computes nodes with both executors, whose results must be equal, and returns their values. */
export function equalInBoth(
  outputs: Readonly<Record<string, Node>>,
  feeds: Feeds,
): Record<string, Tensor> {
  const program = compile({ outputs });
  const compiled = program.run(feeds);
  program.dispose();
  expect(compiled).toEqual(evaluate(outputs, feeds));
  return compiled;
}
