/**
 * Tests the numbers of instructions, matrix products and groups (fused loops) in a program, on which its speed depends.
 * Times are not tested, because they vary from run to run.
 */

import { expect, test } from 'vitest';
import type { Stats } from '../../src/compile/encoded.js';
import { specialise } from '../../src/compile/specialise.js';
import {
  adam,
  FeedForward,
  input,
  LSTM,
  mse,
  type Node,
  relu,
  reshape,
  sgd,
  slice,
  softmaxCrossEntropy,
  stack,
  type Updates,
  type Variable,
  VariationalAutoencoder,
} from '../../src/index.js';
import { unrolled } from '../unrolled.js';
import { positionsOf } from './support.js';

type Shape = readonly [m: number, n: number, k: number, trips?: number];

/** Returns the shapes as texts, each as often as a run computes it, sorted. */
const sorted = (shapes: readonly Shape[]) =>
  shapes.flatMap(([m, n, k, trips = 1]) => Array(trips).fill(`${m} x ${n} x ${k}`)).sort();

function statsOf(loss: Node, updates: Updates, batch: number) {
  return specialise([loss], updates, new Map([['batch', batch]])).stats;
}

interface Sequence {
  readonly steps: number;
  readonly batch: number;
  readonly inputs: number;
  readonly units: number;
  readonly outputs: number;
  /** True if the readout is applied to the hidden state of each time step separately. */
  readonly perStep?: boolean;
  /** True if the layer is unrolled by hand; otherwise it is a loop. */
  readonly byHand?: boolean;
  /** True if the initial hidden and cell states are inputs; otherwise they are zeros. */
  readonly fedStart?: boolean;
}

/**
 * Returns the statistics of the program that trains an LSTM with a dense readout of every time step. The LSTM computes
 * each gate separately, from a concatenation of the input and the hidden state.
 */
function sequence({ steps, batch, inputs, units, outputs, perStep, byHand, fedStart }: Sequence) {
  const xs = input('xs', [steps, 'batch', inputs]);
  const target = input('target', [steps, 'batch', outputs]);
  const lstm = new LSTM('lstm', { inputs, units });
  const readout = new FeedForward('readout', { inputs: units, units: outputs });
  const start = fedStart
    ? { hidden: input('hidden', ['batch', units]), cell: input('cell', ['batch', units]) }
    : undefined;
  const { hidden } = byHand
    ? unrolled(lstm, xs, start)
    : lstm.unroll(xs, start && { initial: start });
  const at = (t: number) =>
    reshape(slice(hidden, { axis: 0, start: t, end: t + 1 }), ['batch', units]);
  const predicted = perStep
    ? stack(
        Array.from({ length: steps }, (_, t) => readout.apply(at(t))),
        0,
      )
    : readout.apply(hidden);
  const loss = mse(predicted, target);
  const parameters = [...lstm.parameters, ...readout.parameters];
  return statsOf(loss, sgd(loss, parameters, { rate: 0.1 }), batch);
}

/**
 * Returns the shapes of the products that training an LSTM needs. Products with the recurrent weights are computed
 * separately for each time step, in the forward and in the backward direction. Every other kind of product is computed
 * once for all time steps.
 */
function expected({ steps, batch, inputs, units, outputs, fedStart }: Sequence): string[] {
  const rows = steps * batch;
  const recurrent = fedStart ? steps : steps - 1;
  return sorted([
    [rows, 4 * units, inputs],
    ...Array.from({ length: recurrent }, (): Shape => [batch, 4 * units, units]),
    [rows, outputs, units],
    [rows, units, outputs],
    ...Array.from({ length: steps - 1 }, (): Shape => [batch, units, 4 * units]),
    [inputs, 4 * units, rows],
    [units, 4 * units, recurrent * batch],
    [units, outputs, rows],
  ]);
}

const small: Sequence = { steps: 7, batch: 3, inputs: 4, units: 5, outputs: 6 };

const fromZeros = [
  ['stacked', small],
  ['step by step', { ...small, perStep: true }],
  ['batch of one', { ...small, batch: 1 }],
  ['two steps', { ...small, steps: 2 }],
] as const;
const fromFed = [
  ['stacked', { ...small, fedStart: true }],
  ['step by step', { ...small, fedStart: true, perStep: true }],
] as const;

test.each(fromZeros)(
  'an unrolled LSTM that starts from zeros has 2T + 4 products: %s',
  (_name, sizes) => {
    const { products, productShapes } = sequence({ ...sizes, byHand: true });
    expect(sorted(productShapes)).toEqual(expected(sizes));
    expect(products).toBe(2 * sizes.steps + 4);
  },
);

test.each(fromFed)(
  'an unrolled LSTM that starts from a fed state has 2T + 5 products: %s',
  (_name, sizes) => {
    const { products, productShapes } = sequence({ ...sizes, byHand: true });
    expect(sorted(productShapes)).toEqual(expected(sizes));
    expect(products).toBe(2 * sizes.steps + 5);
  },
);

test.each([...fromZeros, ...fromFed])(
  'an LSTM has the products of an unrolled one, and two loops: %s',
  (_name, sizes) => {
    const { products, productShapes } = sequence(sizes);
    expect(sorted(productShapes)).toEqual(expected(sizes));
    expect(productShapes.filter(({ length }) => length === 4)).toHaveLength(2);
    expect(products).toBe(8);
  },
);

test('an LSTM has as many instructions for each number of steps', () => {
  const [short, long] = [7, 19].map((steps) => sequence({ ...small, steps })) as [Stats, Stats];
  expect(long.groups).toBe(short.groups);
  expect(long.instructions).toBe(short.instructions);
});

test('an unrolled LSTM has two groups and four instructions for each step, and a few more', () => {
  const [short, long] = [7, 19].map((steps) => sequence({ ...small, byHand: true, steps })) as [
    Stats,
    Stats,
  ];
  expect((long.groups - short.groups) / 12).toBe(2);
  expect((long.instructions - short.instructions) / 12).toBe(4);
});

function classifier(sizes: readonly number[], batch: number) {
  const x = input('x', ['batch', sizes[0] as number]);
  const layers = sizes
    .slice(1)
    .map(
      (units, i) =>
        new FeedForward(`layer${i}`, { inputs: sizes[i] as number, units, activation: relu }),
    );
  const logits = layers.reduce<Node>((h, layer) => layer.apply(h), x);
  const loss = softmaxCrossEntropy(logits, input('label', ['batch'], { dtype: 'int32' }));
  const parameters = layers.flatMap((layer) => layer.parameters);
  return { loss, parameters, batch };
}

function trained({
  loss,
  parameters,
  batch,
}: {
  loss: Node;
  parameters: Variable[];
  batch: number;
}) {
  return specialise([loss], adam(loss, parameters), new Map([['batch', batch]]));
}

test('a dense net has three products for each layer, without the gradient of its input', () => {
  const { stats } = trained(classifier([9, 8, 7, 6], 5));
  expect(sorted(stats.productShapes)).toEqual(
    sorted([
      [5, 8, 9],
      [5, 7, 8],
      [5, 6, 7],
      [5, 7, 6],
      [5, 8, 7],
      [9, 8, 5],
      [8, 7, 5],
      [7, 6, 5],
    ]),
  );
});

test('a batch of one needs no products for the gradients of its weights', () => {
  expect(trained(classifier([9, 8, 7, 6], 1)).stats.products).toBe(5);
});

test('a variational auto-encoder has at most three products for each layer, less one', () => {
  const vae = new VariationalAutoencoder('vae', { inputs: 20, hidden: 9, latent: 3 });
  const loss = vae.loss(input('x', ['batch', 20]));
  const { stats } = trained({ loss, parameters: vae.parameters, batch: 4 });
  expect(stats.products).toBeLessThanOrEqual(3 * 5 - 1);
  // The two heads share one product in the forward direction and one in the backward direction.
  expect(stats.products).toBe(11);
});

/** Returns the opcodes of the instructions that write leaves. */
function writing({ code }: { code: Float64Array }): number[] {
  return [...positionsOf(code)].map((at) => code[at] as number).slice(code[3]);
}

const [group, copy] = [1, 8];

test('Adam over all parameters is one group, which reads memory once', () => {
  // The copy writes Adam's new step count, from which the bias corrections are computed.
  expect(writing(trained(classifier([9, 8, 7], 5)))).toEqual([group, copy]);
});

test('with a batch of one, the gradients of weights are computed in the fused loop that updates them', () => {
  // One group updates the weights, and another group updates the biases. The gradients of the biases need no
  // multiplication.
  expect(writing(trained(classifier([9, 8, 7], 1)))).toEqual([group, group, copy]);
});
