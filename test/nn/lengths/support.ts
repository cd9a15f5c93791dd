/** Recurrent layers of rows of different lengths, with all their results and gradients, for tests. */

import {
  addN,
  backward,
  compile,
  evaluate,
  type Feeds,
  GRU,
  input,
  LSTM,
  mul,
  type Node,
  SimpleRNN,
  sum,
  Tensor,
} from '../../../src/index.js';
import { generator } from '../../support.js';

const layers = { SimpleRNN, GRU, LSTM };

export type Kind = keyof typeof layers;
export type Floating = 'float32' | 'float64';

/** The form of a layer: one layer of one direction, or two layers of two directions. */
export type Form = 'one' | 'stacked';

/** The three layers in both forms. */
export const kindsAndForms = (Object.keys(layers) as Kind[]).flatMap((kind) =>
  (['one', 'stacked'] as const).map((form): [Kind, Form] => [kind, form]),
);

/** The numbers of input features and units of the layers. */
export const sizes = { inputs: 3, units: 4 };

export function layerOf(kind: Kind, form: Form, dtype: Floating, name = 'layer') {
  const options = form === 'one' ? {} : { layers: 2, bidirectional: true };
  return new layers[kind]<number, boolean>(name, { ...sizes, ...options, seed: 7, dtype });
}

type State = Record<string, Node>;

/** Returns the nodes in states of any form. */
export function nodesIn(states: unknown): Node[] {
  if (Array.isArray(states)) return states.flatMap(nodesIn);
  const record = states as { forward?: State; backward?: State };
  if (record.forward && record.backward) return [record.forward, record.backward].flatMap(nodesIn);
  return Object.values(states as State);
}

type Unroll = (xs: Node, options: object) => { hidden: Node; last: unknown };

/** Applies a layer to nodes; its type allows any state. */
export function unrolled(layer: ReturnType<typeof layerOf>, xs: Node, options: object) {
  return (layer.unroll as unknown as Unroll).call(layer, xs, options);
}

/**
 * Returns the hidden states, the last states, and the gradients of the inputs, the initial states and all parameters for
 * random cotangents, as nodes over inputs with the names of `feedsOf`.
 */
export function network(kind: Kind, form: Form, dtype: Floating): Record<string, Node> {
  const layer = layerOf(kind, form, dtype);
  const { inputs, units } = sizes;
  const both = form === 'one' ? 1 : 2;
  const xs = input('xs', ['steps', 'batch', inputs], { dtype });
  const lengths = input('lengths', ['batch'], { dtype: 'int32' });
  const start = input('start', ['batch', units], { dtype });
  const keys = kind === 'LSTM' ? ['hidden', 'cell'] : ['hidden'];
  const state = Object.fromEntries(keys.map((key) => [key, start]));
  const each = { forward: state, backward: state };
  const { hidden, last } = unrolled(layer, xs, {
    lengths,
    initial: form === 'one' ? state : [each, each],
  });
  const ends = nodesIn(last);
  const hiddenCotangent = input('hiddenCotangent', ['steps', 'batch', both * units], { dtype });
  const lastCotangent = input('lastCotangent', ['batch', units], { dtype });
  const gradients = backward(
    addN([sum(mul(hidden, hiddenCotangent)), ...ends.map((end) => sum(mul(end, lastCotangent)))]),
  );
  return {
    hidden,
    ...Object.fromEntries(ends.map((end, index) => [`last ${index}`, end])),
    'gradient of xs': gradients.of(xs),
    'gradient of initial': gradients.of(start),
    ...Object.fromEntries(
      [...layer.entries()].map(([path, variable]) => [
        `gradient of parameter ${path}`,
        gradients.of(variable),
      ]),
    ),
  };
}

export function tensorOf(
  shape: readonly number[],
  dtype: Floating,
  element: (i: number) => number,
): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const data = Array.from({ length: size }, (_, index) => element(index));
  return dtype === 'float32'
    ? new Tensor(Float32Array.from(data), shape)
    : new Tensor(Float64Array.from(data), shape);
}

export const int32 = (values: readonly number[]) =>
  new Tensor(Int32Array.from(values), [values.length]);

/** Returns random values for the inputs of `network`. */
export function feedsOf(form: Form, dtype: Floating, steps: number, lengths: readonly number[]) {
  const draw = generator(1);
  const random = (...shape: number[]) => tensorOf(shape, dtype, () => 2 * draw() - 1);
  const [batch, both] = [lengths.length, form === 'one' ? 1 : 2];
  return {
    xs: random(steps, batch, sizes.inputs),
    lengths: int32(lengths),
    start: random(batch, sizes.units),
    hiddenCotangent: random(steps, batch, both * sizes.units),
    lastCotangent: random(batch, sizes.units),
  };
}

/** Returns the two executors, each as a function that returns the values of the nodes. */
export function executors(nodes: Record<string, Node>) {
  const program = compile({ outputs: nodes });
  return {
    evaluate: (feeds: Feeds) => evaluate(nodes, feeds) as Record<string, Tensor>,
    program: (feeds: Feeds) => program.run(feeds) as Record<string, Tensor>,
  };
}

/** Returns the elements as bytes, with which the signs of zeros are compared, too. */
export function bytesOf({ data }: Tensor): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
