// Checks the graphs that forebay trains in the benchmark for what the comparison of gradients and losses cannot see.
import { dot, sideUpdates } from 'forebay';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../bench/src/forebay/graph.js';
import { tensorsOf } from '../../bench/src/tensors.js';
import { valuesOf } from '../../bench/src/values.js';
import {
  type GruSpec,
  type LstmSpec,
  type ModelSpec,
  workloads,
} from '../../bench/src/workloads.js';

function graphOf(spec: ModelSpec) {
  const tensors = new Map(tensorsOf(spec).map((tensor) => [tensor.name, tensor]));
  return buildGraph(spec, {
    get: (name) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new Error(`there is no tensor '${name}'`);
      return { ...tensor, values: valuesOf(tensor) };
    },
  });
}

describe('the graph of a workload', () => {
  it.each(['cnn-mnist', 'resnet-cifar'])(
    'keeps the running statistics of its norms: %s',
    (name) => {
      const spec = workloads[name] as ModelSpec;
      const { output } = graphOf({ ...spec, batch: 2 } as ModelSpec);
      const norms = tensorsOf(spec).flatMap(({ name: path }) =>
        /norm\d*\.weight$/.test(path) ? [path.replace('.weight', '')] : [],
      );
      const updated = sideUpdates(output).map(([state]) => state.name);
      expect(norms.length).toBeGreaterThan(1);
      expect(updated.sort()).toEqual(
        norms.flatMap((norm) => [`${norm}.mean`, `${norm}.variance`]).sort(),
      );
    },
  );

  it.each(['lstm-small', 'lstm-1000', 'gru-medium'])(
    'is one loop, of the same size for every number of steps: %s',
    (name) => {
      const spec = workloads[name] as LstmSpec | GruSpec;
      const lines = (steps: number) => {
        const { output } = graphOf({ ...spec, steps });
        return dot(output).split('\n').length;
      };
      expect(lines(3)).toBe(lines(30));
    },
  );

  it.each(['gpt-tiny', 'cnn-mnist', 'gru-medium'])(
    'trains every parameter, with the values of the workload: %s',
    (name) => {
      const spec = workloads[name] as ModelSpec;
      const { parameters } = graphOf(spec);
      const wanted = tensorsOf(spec).filter(({ role }) => role === 'parameter');
      expect(parameters.map((parameter) => parameter.name).sort()).toEqual(
        wanted.map((tensor) => tensor.name).sort(),
      );
      for (const tensor of wanted) {
        const found = parameters.find((parameter) => parameter.name === tensor.name);
        expect(found?.value.shape).toEqual(tensor.shape);
        expect(found?.value.data).toEqual(valuesOf(tensor));
      }
    },
  );
});
