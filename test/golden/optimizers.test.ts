import { describe, expect, it } from 'vitest';
import {
  adagrad,
  adam,
  adamW,
  add,
  compile,
  evaluate,
  lion,
  matmul,
  mse,
  mul,
  type Node,
  optimize,
  type Rule,
  rmsProp,
  sgd,
  square,
  sum,
  type Trainables,
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
  readonly optimizer: keyof typeof optimizers;
  /** The options in forebay. The option decays may be 'matrices': of the parameters, only matrices decay. */
  readonly options: { readonly rate: number; readonly decays?: 'matrices' };
  readonly x: GoldenTensor;
  readonly y: GoldenTensor;
  readonly start: { readonly w: GoldenTensor; readonly b: GoldenTensor };
  /** For each step, the loss before it, and the parameters after it. Some cases have only the last parameters. */
  readonly steps: readonly { loss: number; w?: GoldenTensor; b?: GoldenTensor }[];
  /** The velocities or moments after the last step, by NAME.OPTIMIZER.PART. */
  readonly states: Readonly<Record<string, GoldenTensor>>;
}

type Optimizer = ((options: object) => Rule) &
  ((loss: Node, parameters: Trainables, options: object) => Updates);
const functions = { sgd, adam, adamW, rmsProp, adagrad, lion };
const optimizers = functions as unknown as Record<keyof typeof functions, Optimizer>;

/** Builds the loss mean((tanh(x w + b) - y)^2) + 0.05 sum(w^4), and the updates by which the optimizer minimizes it. */
function build({ optimizer, options: { decays, ...others }, x, y, start }: OptimizerCase) {
  const [w, b] = [parameterOf('w', start.w), parameterOf('b', start.b)];
  const output = tanh(add(matmul(constantOf(x), w), b));
  const loss = add(mse(output, constantOf(y)), mul(0.05, sum(square(square(w)))));
  const chosen = decays && { decays: ({ shape }: Variable) => shape.length > 1 };
  const options = { ...others, ...chosen };
  const updates = optimizers[optimizer](loss, [w, b], options);
  return { w, b, loss, updates, rule: optimizers[optimizer](options) };
}

/** Returns the states by NAME.PART, where NAME is the name of the parameter. */
function statesOf(updates: Updates): Map<string, Variable> {
  const states = updates.map(([leaf]) => leaf).filter(({ kind }) => kind === 'state');
  return new Map(
    states.map((leaf) => {
      const name = leaf.name as string;
      const [, part, parameter] = /^optimizer\/0\.\w+\.(\w+)\/(\w+)$/.exec(name) ?? [];
      return [part ? `${parameter}.${part}` : name.replace(/\.(sgd|adam)\./, '.'), leaf] as const;
    }),
  );
}

const cases = titled(readGolden<OptimizerCase>('optimizers'), ({ title }) => title);

describe('ten steps of an optimizer give the losses, parameters and states of torch.optim', () => {
  it.each(cases)('%s', (_title, golden) => {
    const { w, b, loss, updates } = build(golden);
    expect(golden.steps).toHaveLength(10);
    golden.steps.forEach((step, index) => {
      const before = evaluate(loss, {}, { updates });
      expectGolden(before, { shape: [], data: [step.loss] }, `the loss before step ${index}`);
      if (step.w) expectGolden(w.value, step.w, `w after step ${index}`);
      if (step.b) expectGolden(b.value, step.b, `b after step ${index}`);
    });
    const states = statesOf(updates);
    for (const [name, expected] of Object.entries(golden.states)) {
      const state = states.get(name.replace(/\.\w+\./, '.'));
      expect(state, `a state named ${name}`).toBeDefined();
      expectGolden((state as Variable).value, expected, `${name} at the end`);
    }
  });

  it.each(cases)('%s, as a rule that is compiled', (_title, golden) => {
    const { w, b, loss, rule } = build(golden);
    const training = compile({ outputs: { loss }, updates: optimize(loss, [w, b], rule) });
    for (const [index, step] of golden.steps.entries()) {
      const before = training.run().loss;
      expectGolden(before, { shape: [], data: [step.loss] }, `the loss before step ${index}`);
    }
    const last = golden.steps.at(-1);
    expectGolden(w.value, last?.w as GoldenTensor, 'w');
    expectGolden(b.value, last?.b as GoldenTensor, 'b');
  });
});
