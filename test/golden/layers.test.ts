import { describe, expect, it } from 'vitest';
import * as forebay from '../../src/index.js';
import {
  backward,
  compile,
  evaluate,
  inference,
  type Module,
  type Node,
  sideUpdates,
  type Tensor,
  training,
  type Variable,
} from '../../src/index.js';
import {
  constantOf,
  expectGolden,
  type GoldenTensor,
  parameterOf,
  readGolden,
  tensorOf,
  titled,
} from './golden.js';

type Named = Readonly<Record<string, GoldenTensor>>;

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
    const entries = layer.entries();
    expect([...entries.keys()].sort()).toEqual(Object.keys(golden.variables).sort());
    for (const [path, variable] of entries) {
      variable.set(tensorOf(golden.variables[path] as GoldenTensor));
    }
    const x = golden.x.dtype ? constantOf(golden.x) : parameterOf('x', golden.x);
    const output = (golden.training ? training : inference)(() => layer.apply(x));
    const gradients = backward(output, { gradient: constantOf(golden.cotangent) });
    const wanted = { output: golden.output, ...golden.gradients };
    const nodes: Record<string, Node> = { output };
    for (const path of Object.keys(golden.gradients)) {
      nodes[path] = gradients.of(path === 'x' ? x : (entries.get(path) as Variable));
    }
    const updates = sideUpdates(output);
    const results: [string, Record<string, Tensor>][] = [
      ['interpreted', evaluate(nodes)],
      ['compiled', compile({ outputs: nodes, updates }).run({})],
    ];
    for (const [how, found] of results) {
      for (const [path, expected] of Object.entries(wanted)) {
        expectGolden(found[path] as Tensor, expected, `${path}, ${how}`);
      }
    }
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
