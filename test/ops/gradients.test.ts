import { describe, expect, it } from 'vitest';
import { topologicalOrder } from '../../src/graph/topology.js';
import {
  add,
  addN,
  backward,
  cast,
  checkGradients,
  constant,
  evaluate,
  mul,
  type Node,
  none,
  sum,
  type Variable,
} from '../../src/index.js';
import { randomTensor } from '../support.js';
import { buildSample, differentiable, opsUnderTest, titleOf } from './samples.js';

const cases = opsUnderTest.flatMap(({ name, op }) =>
  op.samples.map((sample, index) => ({ title: titleOf(name, sample, index), op, sample, index })),
);

describe('the declared shape and dtype equal those of the value', () => {
  it.each(cases)('$title', ({ sample, index }) => {
    const { root } = buildSample(sample, 100 + index);
    const value = evaluate(root);
    expect(value.shape).toEqual(root.shape);
    expect(value.dtype).toBe(root.dtype);
  });
});

const smooth = cases.filter(({ op, sample }) => {
  const built = buildSample(sample, 1);
  const real = built.root.dtype === 'float64' && differentiable(built).length > 0;
  return op.notDifferentiable === undefined && real;
});

describe('the gradient equals central differences', () => {
  it.each(smooth)('$title', ({ sample, index }) => {
    const built = buildSample(sample, 200 + index);
    checkGradients(built.root, differentiable(built), {
      seed: 300 + index,
      ...(sample.step !== undefined && { step: sample.step }),
    });
  });
});

describe('the second derivative, computed by the same rules, equals central differences', () => {
  it.each(smooth)('$title', ({ sample, index }) => {
    const built = buildSample(sample, 400 + index);
    const leaves = differentiable(built);
    const cotangent = constant(randomTensor(built.root.shape as number[], 500 + index));
    const first = backward(built.root, { gradient: cotangent });
    // This test needs one root that depends on every first derivative: their sum with random weights.
    const weighted = leaves.map((leaf, i) =>
      sum(mul(first.of(leaf), constant(randomTensor(leaf.value.shape, 600 + i)))),
    );
    // The first derivative of a linear op does not depend on the leaves. This sum is added so that the root depends on
    // them.
    const anchor = leaves.map((leaf) => sum(mul(leaf, leaf)));
    checkGradients(addN([...weighted, ...anchor]), leaves, {
      ...(sample.step !== undefined && { step: sample.step }),
    });
  });
});

describe('an op that is not differentiable sends no gradient, and gives a reason', () => {
  const stepwise = cases.filter(({ op }) => op.notDifferentiable !== undefined);
  it.each(stepwise)('$title', ({ op, sample }) => {
    expect(op.notDifferentiable).toMatch(/\w+ \w+/);
    const { leaves, root } = buildSample(sample, 9);
    // A sample may also build nodes of other ops, so the nodes of this op are selected.
    const uses = topologicalOrder([root], ({ inputs }) => inputs).filter((node) => node.op === op);
    expect(uses.length).toBeGreaterThan(0);
    for (const node of uses) {
      const { inputs, attributes } = node;
      const gradient = constant(randomTensor(node.shape as number[], 10));
      const differentiate = () => [];
      const sent = op.gradient({ node, inputs, attributes, gradient, differentiate });
      expect(sent).toEqual(inputs.map(() => none));
    }
    const [use] = uses as [Node];
    const gradients = backward(sum(cast(use, 'float64')));
    const below = leaves.filter((leaf) => use.inputs.includes(leaf));
    for (const leaf of below) {
      expect(gradients.reaches(leaf)).toBe(false);
      expect(evaluate(gradients.of(leaf)).data.every((value) => value === 0)).toBe(true);
    }
    expect(below.length).toBe(new Set(use.inputs).size);
  });
});

describe('the gradients of a shared input are summed', () => {
  it.each(smooth)('$title', ({ sample, index }) => {
    const shared = buildSample(sample, 700 + index);
    const [leaf] = differentiable(shared) as [Variable];
    const others = shared.leaves.filter((other) => other !== leaf);
    const again = sample.build(...shared.leaves);
    const cotangent = () => constant(randomTensor(shared.root.shape as number[], 800 + index));
    const once = backward(shared.root, { gradient: cotangent() });
    const twice = backward(add(shared.root, again), { gradient: cotangent() });
    for (const node of [leaf, ...others.filter((o) => o.dtype === 'float64')]) {
      const single = evaluate(once.of(node)).data;
      expect(evaluate(twice.of(node)).data).toEqual(single.map((value) => 2 * value));
    }
  });
});
