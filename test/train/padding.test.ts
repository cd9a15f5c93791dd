/** Tests that the sizes to which minibatches of ragged data are padded change no bit of a result. */

import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import * as train from '../../src/train/fit.js';
import { InterpretedProgram } from '../../src/train/interpreted.js';
import { randomTensor } from '../support.js';

const float64 = { dtype: 'float64' } as const;
const xs = fb.input('xs', ['steps', 'batch', 2], float64);
const label = fb.input('label', ['batch', 3], float64);
const lengths = fb.input('lengths', ['batch'], { dtype: 'int32' });
const counts = Array.from({ length: 14 }, (_, index) => (index * 5) % 7);

/** Examples with as many steps as `counts` says. The elements are random numbers or, if `exact` is true, integers. */
function examples(exact: boolean) {
  const numbers = (shape: number[], seed: number) => {
    const tensor = randomTensor(shape, seed);
    return exact
      ? new fb.Tensor(
          tensor.data.map((x) => Math.round(3 * x)),
          shape,
        )
      : tensor;
  };
  return {
    xs: counts.map((steps, index) => numbers([steps, 2], index)),
    lengths: Int32Array.from(counts),
    label: numbers([counts.length, 3], 99),
  };
}

type Graph = { readonly outputs: { readonly loss: fb.Node }; readonly updates: fb.Updates };
const executors = {
  compiled: (graph: Graph) => fb.compile(graph),
  interpreted: (graph: Graph) => new InterpretedProgram(graph),
};

const kinds = { SimpleRNN: fb.SimpleRNN, GRU: fb.GRU, LSTM: fb.LSTM };

const bitsOf = (module: fb.Module) =>
  [...module.entries()].map(([path, { value }]) => [path, [...value.data]] as const);

/**
 * Trains a recurrent layer of two directions and a batch norm on its last states. Returns what was learned, and the losses.
 */
async function recurrent(
  kind: keyof typeof kinds,
  how: keyof typeof executors,
  size: number,
  epochs: number,
) {
  const layer = new kinds[kind]('layer', {
    inputs: 2,
    units: 3,
    seed: 1,
    bidirectional: true,
    ...float64,
  });
  const norm = new fb.BatchNorm('norm', { features: 3, ...float64 });
  const { forward, backward } = layer.unroll(xs, { lengths }).last;
  const state = fb.add(forward.hidden, fb.mul(2, backward.hidden));
  const loss = fb.training(() => fb.mse(norm.apply(state), label));
  const updates = fb.sgd(loss, [layer, norm], { rate: 0.1 });
  const program = executors[how]({ outputs: { loss }, updates });
  const options = { epochs, batchSize: 14, seed: 3, buckets: [size] };
  const history = await train.fit(program, examples(false), options);
  const { mean, variance } = norm;
  return {
    history,
    running: [mean, variance].map(({ value }) => [...value.data]),
    parameters: [...bitsOf(layer), ...bitsOf(norm)],
  };
}

/**
 * Trains h = x w + h over the steps of a row, from integers and with the rate 1. All values are integers of less than 2^53,
 * so every sum is exact in any order. Returns what was learned, and the losses.
 */
async function exact(how: keyof typeof executors, size: number) {
  const start = randomTensor([2, 3], 5).data.map((x) => Math.round(3 * x));
  const w = fb.parameter('w', new fb.Tensor(start, [2, 3]));
  const seen = fb.state('seen', fb.Tensor.zeros([3], float64));
  const { last } = fb.scan(
    ({ h }, x, t) => {
      const next = fb.add(h, fb.matmul(x, w));
      const runs = fb.reshape(fb.less(t, lengths), ['batch', 1]);
      return [{ h: fb.where(runs, next, h) }, undefined];
    },
    { over: xs, initial: { h: fb.broadcastTo(fb.constant(0, float64), ['batch', 3]) } },
  );
  const loss = fb.sum(fb.mul(last.h, label));
  const updates: fb.Updates = [
    ...fb.sgd(loss, [w], { rate: 1 }),
    [seen, fb.add(seen, fb.sum(last.h, 0))],
  ];
  const program = executors[how]({ outputs: { loss }, updates });
  const options = { epochs: 4, batchSize: 5, seed: 3, buckets: [size] };
  const history = await train.fit(program, examples(true), options);
  return { history, w: [...w.value.data], seen: [...seen.value.data] };
}

describe('more padding', () => {
  it.each(Object.keys(kinds) as (keyof typeof kinds)[])(
    'changes no bit of a training of a %s by the reference executor',
    async (kind) => {
      const tight = await recurrent(kind, 'interpreted', 6, 3);
      for (const size of [7, 16, 33]) {
        expect(await recurrent(kind, 'interpreted', size, 3)).toEqual(tight);
      }
    },
  );

  it.each(Object.keys(kinds) as (keyof typeof kinds)[])(
    'changes no bit of a training of a compiled %s',
    async (kind) => {
      const tight = await recurrent(kind, 'compiled', 6, 3);
      for (const size of [7, 16, 33, 600]) {
        const padded = await recurrent(kind, 'compiled', size, 3);
        if (fb.nativeInfo().simd.active !== 'portable') {
          expect(padded).toEqual(tight);
          continue;
        }
        // OpenBLAS may add the terms of a product in another order if there are more of them.
        expect([padded.history, padded.running]).toEqual([tight.history, tight.running]);
        const [own, other] = [padded, tight].map(({ parameters }) =>
          parameters.flatMap(([, bits]) => bits),
        ) as [number[], number[]];
        own.forEach((value, index) => {
          expect(Math.abs(value - (other[index] as number))).toBeLessThan(1e-14);
        });
      }
    },
  );

  it.each(['compiled', 'interpreted'] as const)(
    'changes no bit of a training with exact sums, %s',
    async (how) => {
      const tight = await exact(how, 6);
      expect(tight.w.every(Number.isSafeInteger) && tight.w.some((x) => Math.abs(x) > 9)).toBe(
        true,
      );
      for (const size of [7, 16, 33, 600]) expect(await exact(how, size)).toEqual(tight);
    },
  );

  it('changes the result if nothing tells the program the lengths', async () => {
    const total = (size: number) => {
      const program = fb.compile({ outputs: { y: fb.sum(fb.exp(xs), [0, 2]) } });
      return fb.predict(program, { xs: examples(false).xs }, { buckets: [size] });
    };
    expect(await total(7)).not.toEqual(await total(6));
  });
});

describe('predict on ragged data', () => {
  const outputs = {
    same: fb.mul(xs, 2),
    swapped: fb.transpose(xs, [1, 0, 2]),
    last: fb.transpose(xs, [2, 0, 1]),
    longer: fb.concat([xs, fb.add(fb.mul(xs, 0), 1)], 0),
    ones: fb.add(fb.mul(xs, 0), 1),
    counts: lengths,
    sums: fb.sum(xs, [0, 2]),
  };
  const dataset = { xs: examples(false).xs, lengths: Int32Array.from(counts) };

  it.each([
    [1, undefined],
    [3, [2, 4, 6]],
    [4, [6]],
    [100, [9]],
    [3, [1, 2, 3, 4, 5, 6]],
  ])(
    'returns the results in order, with zeros for the padding, for batchSize %s and buckets %j',
    async (batchSize, buckets) => {
      const program = fb.compile({ outputs });
      const found = await fb.predict(program, dataset, { batchSize, buckets });
      const shapes = Object.fromEntries(
        Object.entries(found).map(([name, { shape }]) => [name, shape]),
      );
      expect(shapes).toEqual({
        same: [6, 14, 2],
        swapped: [14, 6, 2],
        last: [2, 6, 14],
        longer: [12, 14, 2],
        ones: [6, 14, 2],
        counts: [14],
        sums: [14],
      });
      const at = (name: keyof typeof outputs, ...index: number[]) => {
        const { shape, data } = found[name];
        return data[
          index.reduce((sum, one, axis) => sum * (shape[axis] as number) + one, 0)
        ] as number;
      };
      counts.forEach((steps, row) => {
        const { data } = dataset.xs[row] as fb.Tensor;
        for (let t = 0; t < 6; t++) {
          for (const f of [0, 1]) {
            const own = t < steps ? (data[t * 2 + f] as number) : 0;
            expect(at('same', t, row, f)).toBe(2 * own);
            expect(at('swapped', row, t, f)).toBe(own);
            expect(at('last', f, t, row)).toBe(own);
            expect(at('ones', t, row, f)).toBe(t < steps ? 1 : 0);
          }
        }
        expect(at('counts', row)).toBe(steps);
        expect(at('sums', row)).toBeCloseTo(
          [...data].reduce((a, b) => a + b, 0),
          12,
        );
        for (let t = 2 * steps; t < 12; t++) expect(at('longer', t, row, 1)).toBe(0);
      });
    },
  );

  it('accepts examples of no steps alone', async () => {
    const program = fb.compile({ outputs: { same: xs, counts: lengths } });
    const empty = fb.Tensor.zeros([0, 2], float64);
    const { same, counts: own } = await fb.predict(program, {
      xs: [empty, empty],
      lengths: new Int32Array(2),
    });
    expect([same.shape, [...own.data]]).toEqual([
      [0, 2, 2],
      [0, 0],
    ]);
  });
});
