import { describe, expect, it } from 'vitest';
import {
  adam,
  add,
  evaluate,
  matmul,
  mse,
  mul,
  sgd,
  square,
  sum,
  tanh,
  type Updates,
  type Variable,
} from '../../src/index.js';
import {
  constantOf,
  expectGolden,
  type GoldenTensor,
  parameterOf,
  readGolden,
  titled,
} from './golden.js';

interface OptimizerCase {
  readonly title: string;
  readonly optimizer: 'sgd' | 'adam';
  readonly options: { readonly rate: number };
  readonly x: GoldenTensor;
  readonly y: GoldenTensor;
  readonly start: { readonly w: GoldenTensor; readonly b: GoldenTensor };
  /** For each step, the loss before it, and the parameters after it. */
  readonly steps: readonly { loss: number; w: GoldenTensor; b: GoldenTensor }[];
  /** The velocities or moments after the last step, by the names that their states have in forebay. */
  readonly states: Readonly<Record<string, GoldenTensor>>;
}

/** Builds the loss mean((tanh(x w + b) - y)^2) + 0.05 sum(w^4), and the updates by which the optimizer minimizes it. */
function build({ optimizer, options, x, y, start }: OptimizerCase) {
  const [w, b] = [parameterOf('w', start.w), parameterOf('b', start.b)];
  const output = tanh(add(matmul(constantOf(x), w), b));
  const loss = add(mse(output, constantOf(y)), mul(0.05, sum(square(square(w)))));
  const updates = optimizer === 'sgd' ? sgd(loss, [w, b], options) : adam(loss, [w, b], options);
  return { w, b, loss, updates };
}

function statesOf(updates: Updates): Map<string, Variable> {
  const states = updates.map(([leaf]) => leaf).filter(({ kind }) => kind === 'state');
  return new Map(states.map((leaf) => [leaf.name as string, leaf]));
}

const cases = titled(readGolden<OptimizerCase>('optimizers'), ({ title }) => title);

describe('ten steps of an optimizer give the losses, parameters and states of torch.optim', () => {
  it.each(cases)('%s', (_title, golden) => {
    const { w, b, loss, updates } = build(golden);
    expect(golden.steps).toHaveLength(10);
    golden.steps.forEach((step, index) => {
      const before = evaluate(loss, {}, { updates });
      expectGolden(before, { shape: [], data: [step.loss] }, `the loss before step ${index}`);
      expectGolden(w.value, step.w, `w after step ${index}`);
      expectGolden(b.value, step.b, `b after step ${index}`);
    });
    const states = statesOf(updates);
    for (const [name, expected] of Object.entries(golden.states)) {
      const state = states.get(name);
      expect(state, `a state named ${name}`).toBeDefined();
      expectGolden((state as Variable).value, expected, `${name} at the end`);
    }
  });
});
