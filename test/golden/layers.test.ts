import { describe, expect, it } from 'vitest';
import * as forebay from '../../src/index.js';
import {
  backward,
  compile,
  inference,
  type Module,
  type Node,
  sideUpdates,
  training,
  type Variable,
} from '../../src/index.js';
import {
  constantOf,
  expectBoth,
  expectGolden,
  type GoldenTensor,
  type Named,
  parameterOf,
  readGolden,
  tensorOf,
  titled,
  withVariables,
} from './golden.js';

interface LayerCase {
  readonly layer: string;
  readonly title: string;
  readonly options: object;
  readonly training: boolean;
  /** The parameters and states, by the path relative to the layer. */
  readonly variables: Named;
  readonly x: GoldenTensor;
  readonly output: GoldenTensor;
  readonly cotangent: GoldenTensor;
  /** The gradients of all parameters and, if it is of floating-point numbers, of x. */
  readonly gradients: Named;
}

/** The running statistics of a batch normalisation after a step of training with each batch. */
interface RunningCase {
  readonly title: string;
  readonly options: object;
  readonly batches: GoldenTensor;
  readonly states: Named;
}

type Made = Module & { apply(...operands: unknown[]): Node };

function layerOf({ layer, options }: { layer: string; options: object }): Made {
  const Layer = (forebay as unknown as Record<string, new (...args: unknown[]) => Made>)[layer];
  return new (Layer as new (...args: unknown[]) => Made)('layer', { ...options, dtype: 'float64' });
}

const all = readGolden<LayerCase | RunningCase>('layers');
const cases = titled(
  all.filter((golden) => 'output' in golden),
  ({ layer, title }) => `${layer} ${title}`,
);
const runningCases = titled(
  all.filter((golden) => 'batches' in golden),
  ({ title }) => title,
);

describe('the output and all gradients of a layer equal those of PyTorch, interpreted and compiled', () => {
  it.each(cases)('%s', (_title, golden) => {
    const layer = layerOf(golden);
    const entries = withVariables(layer, golden.variables);
    const x = golden.x.dtype ? constantOf(golden.x) : parameterOf('x', golden.x);
    const output = (golden.training ? training : inference)(() => layer.apply(x));
    const gradients = backward(output, { gradient: constantOf(golden.cotangent) });
    const ofPath = (path: string) => (path === 'x' ? x : (entries.get(path) as Variable));
    const wanted = Object.entries(golden.gradients).map(
      ([path, expected]) => [path, gradients.of(ofPath(path)), expected] as const,
    );
    expectBoth([['output', output, golden.output], ...wanted], sideUpdates(output));
  });

  it('for all gradients that there are', () => {
    for (const [title, { layer, options, gradients }] of cases) {
      const { parameters } = layerOf({ layer, options });
      const paths = Object.keys(gradients).filter((path) => path !== 'x');
      expect(paths, title).toHaveLength(parameters.length);
    }
  });
});

describe('the running statistics of BatchNorm after ten steps equal those of PyTorch', () => {
  it.each(runningCases)('%s', (_title, golden) => {
    const [steps, ...shape] = golden.batches.shape as [number, ...number[]];
    const layer = layerOf({ layer: 'BatchNorm', options: golden.options });
    // The length of the batch is known only in a run.
    const x = forebay.input('x', ['batch', ...shape.slice(1)], { dtype: 'float64' });
    const output = training(() => layer.apply(x));
    const program = compile({ outputs: { output }, updates: sideUpdates(output) });
    const { data } = tensorOf(golden.batches);
    const size = data.length / steps;
    for (let step = 0; step < steps; step++) {
      const batch = data.slice(step * size, (step + 1) * size) as Float64Array<ArrayBuffer>;
      program.run({ x: new forebay.Tensor(batch, shape) });
    }
    for (const [path, expected] of Object.entries(golden.states)) {
      expectGolden((layer.entries().get(path) as Variable).value, expected, path);
    }
  });
});
