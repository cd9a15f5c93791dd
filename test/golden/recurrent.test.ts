import { describe, it } from 'vitest';
import {
  addN,
  backward,
  GRU,
  LSTM,
  mul,
  type Node,
  SimpleRNN,
  sum,
  type Variable,
} from '../../src/index.js';
import {
  constantOf,
  expectBoth,
  type GoldenTensor,
  type Named,
  parameterOf,
  readGolden,
  titled,
  withVariables,
} from './golden.js';

interface RecurrentCase {
  readonly layer: keyof typeof layers;
  readonly title: string;
  readonly options: {
    readonly inputs: number;
    readonly units: number;
    readonly layers: number;
    readonly bidirectional: boolean;
  };
  /** The parameters, by the path relative to the layer. */
  readonly variables: Named;
  readonly xs: GoldenTensor;
  /** The initial states, [layers directions, batch, units], by name. */
  readonly initial: Named;
  readonly hidden: GoldenTensor;
  /** The last states, like the initial ones. */
  readonly last: Named;
  readonly cotangents: { readonly hidden: GoldenTensor; readonly last: Named };
  readonly gradients: {
    readonly xs: GoldenTensor;
    readonly initial: Named;
    readonly variables: Named;
  };
}

const layers = { SimpleRNN, GRU, LSTM };

/** Returns the part at `index` along axis 0. */
function partOf({ shape, data }: GoldenTensor, index: number): GoldenTensor {
  const [, ...rest] = shape;
  const size = rest.reduce((product, dim) => product * dim, 1);
  return { shape: rest, data: data.slice(index * size, (index + 1) * size) };
}

type State = Record<string, Node>;

/** Returns states in the form of `unroll`, from a function that returns that of a layer and direction. */
function inForm({ options }: RecurrentCase, stateOf: (index: number) => State): unknown {
  const ofLayer = (layer: number) =>
    options.bidirectional
      ? { forward: stateOf(2 * layer), backward: stateOf(2 * layer + 1) }
      : stateOf(layer);
  const all = Array.from({ length: options.layers }, (_, layer) => ofLayer(layer));
  return all.length === 1 ? all[0] : all;
}

/** Returns the states of all layers and directions, in the order of PyTorch. */
function statesIn(states: unknown): State[] {
  if (Array.isArray(states)) return states.flatMap(statesIn);
  const { forward, backward } = states as { forward?: State; backward?: State };
  return forward && backward ? [forward, backward] : [states as State];
}

const cases = titled(
  readGolden<RecurrentCase>('recurrent'),
  ({ layer, title }) => `${layer} ${title}`,
);

describe('the states and all gradients of a recurrent layer equal those of PyTorch, interpreted and compiled', () => {
  it.each(cases)('%s', (_title, golden) => {
    const layer = new layers[golden.layer]<number, boolean>('layer', {
      ...golden.options,
      dtype: 'float64',
    });
    const entries = withVariables(layer, golden.variables);
    const xs = parameterOf('xs', golden.xs);
    const initial: State[] = [];
    const form = inForm(golden, (index) => {
      const state = Object.fromEntries(
        Object.entries(golden.initial).map(([key, value]) => [
          key,
          parameterOf(`${key} ${index}`, partOf(value, index)),
        ]),
      );
      initial[index] = state;
      return state;
    });
    const unroll = layer.unroll as (xs: Node, options: object) => { hidden: Node; last: unknown };
    const { hidden, last } = unroll.call(layer, xs, { initial: form });
    const lasts = statesIn(last);

    const wanted: [what: string, node: Node, expected: GoldenTensor][] = [
      ['hidden', hidden, golden.hidden],
    ];
    const terms = [sum(mul(hidden, constantOf(golden.cotangents.hidden)))];
    for (const [key, value] of Object.entries(golden.last)) {
      lasts.forEach((state, index) => {
        wanted.push([`last ${key} ${index}`, state[key] as Node, partOf(value, index)]);
        const cotangent = partOf(golden.cotangents.last[key] as GoldenTensor, index);
        terms.push(sum(mul(state[key] as Node, constantOf(cotangent))));
      });
    }
    const gradients = backward(addN(terms));
    wanted.push(['gradient of xs', gradients.of(xs), golden.gradients.xs]);
    for (const [key, value] of Object.entries(golden.gradients.initial)) {
      initial.forEach((state, index) => {
        const node = gradients.of(state[key] as Node);
        wanted.push([`gradient of initial ${key} ${index}`, node, partOf(value, index)]);
      });
    }
    for (const [path, value] of Object.entries(golden.gradients.variables)) {
      wanted.push([`gradient of ${path}`, gradients.of(entries.get(path) as Variable), value]);
    }

    expectBoth(wanted);
  });
});
