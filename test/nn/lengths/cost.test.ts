import { describe, expect, it } from 'vitest';
import {
  compile,
  GRU,
  input,
  LSTM,
  mean,
  mul,
  SimpleRNN,
  sgd,
  Tensor,
} from '../../../src/index.js';
import { int32 } from './support.js';

const layers = { SimpleRNN, GRU, LSTM };
const [batch, inputs, units] = [4, 8, 16];

/** Returns the statistics of a training program over a named number of steps, by the numbers of steps. */
function stats(kind: keyof typeof layers, form: object, withLengths: boolean, counts: number[]) {
  const layer = new layers[kind]<number, boolean>('layer', { inputs, units, seed: 1, ...form });
  const xs = input('xs', ['steps', batch, inputs]);
  const lengths = input('lengths', [batch], { dtype: 'int32' });
  const { hidden } = layer.unroll(xs, withLengths ? { lengths } : {});
  const loss = mean(mul(hidden, hidden));
  const updates = sgd(loss, layer.parameters, { rate: 0.1 });
  const program = compile({ outputs: { loss }, updates });
  return counts.map((steps) => {
    const x = new Tensor(new Float32Array(steps * batch * inputs), [steps, batch, inputs]);
    const feeds = withLengths ? { xs: x, lengths: int32([steps, 0, 1, steps - 1]) } : { xs: x };
    program.run(feeds as { xs: Tensor });
    return program.stats();
  });
}

describe.each(Object.keys(layers) as (keyof typeof layers)[])(
  'a training program of %s',
  (kind) => {
    it.each([
      ['one layer', {}],
      ['two layers of two directions', { layers: 2, bidirectional: true }],
    ])(
      'has as many instructions for each number of steps, with and without lengths: %s',
      (_what, form) => {
        for (const withLengths of [false, true]) {
          const [few, many] = stats(kind, form, withLengths, [100, 1000]);
          expect(many?.instructions).toBe(few?.instructions);
          expect(many?.products).toBe(few?.products);
          expect(few?.instructions).toBeLessThan(200);
        }
      },
    );

    it.each([
      ['one layer', {}],
      ['two layers of two directions', { layers: 2, bidirectional: true }],
    ])('has the products of the layer without lengths, with their shapes: %s', (_what, form) => {
      const [without, padded] = [false, true].map(
        (withLengths) => stats(kind, form, withLengths, [100])[0]?.productShapes,
      );
      expect(padded).toEqual(without);
    });
  },
);
