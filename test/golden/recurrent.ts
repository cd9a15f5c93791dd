/** Compares the recurrent layers with those of PyTorch: their states, and all gradients. */

import {
  addN,
  backward,
  GRU,
  input,
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
  tensorOf,
  titled,
  withVariables,
} from './golden.js';

export interface RecurrentCase {
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
  /** The number of steps of each row; all rows have all steps if this is left out. */
  readonly lengths?: GoldenTensor;
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

/** Returns the cases of a file, each with a title. */
export function recurrentCases(file: string): [string, RecurrentCase][] {
  return titled(readGolden<RecurrentCase>(file), ({ layer, title }) => `${layer} ${title}`);
}

/**
 * Fails unless the layer has the hidden states, the last states and the gradients of the case, interpreted and compiled.
 * @param named whether the number of steps is a name
 */
export function expectRecurrent(golden: RecurrentCase, { named = false } = {}): void {
  const layer = new layers[golden.layer]<number, boolean>('layer', {
    ...golden.options,
    dtype: 'float64',
  });
  const entries = withVariables(layer, golden.variables);
  const feeds = { xs: tensorOf(golden.xs), cotangent: tensorOf(golden.cotangents.hidden) };
  const fed = (name: keyof typeof feeds) =>
    input(name, ['steps', ...feeds[name].shape.slice(1)], { dtype: 'float64' });
  const xs = named ? fed('xs') : parameterOf('xs', golden.xs);
  const cotangent = named ? fed('cotangent') : constantOf(golden.cotangents.hidden);
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
  const { hidden, last } = unroll.call(layer, xs, {
    initial: form,
    ...(golden.lengths && { lengths: constantOf(golden.lengths) }),
  });
  const lasts = statesIn(last);

  const wanted: [what: string, node: Node, expected: GoldenTensor][] = [
    ['hidden', hidden, golden.hidden],
  ];
  const terms = [sum(mul(hidden, cotangent))];
  for (const [key, value] of Object.entries(golden.last)) {
    lasts.forEach((state, index) => {
      wanted.push([`last ${key} ${index}`, state[key] as Node, partOf(value, index)]);
      const own = partOf(golden.cotangents.last[key] as GoldenTensor, index);
      terms.push(sum(mul(state[key] as Node, constantOf(own))));
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

  expectBoth(wanted, [], named ? feeds : {});
}
