// Compares the lower limit of the time of a step with numbers that are computed by hand.
import { describe, expect, it } from 'vitest';
import { copyRate } from '../../bench/src/forebay/copy.js';
import { limitOf, workOf } from '../../bench/src/limit.js';
import { type ModelSpec, workloads } from '../../bench/src/workloads.js';
import { smallGru, smallLstm, smallMlp } from './support.js';

describe('the work of a step', () => {
  it('of dense layers: three products each, no gradient of the input; Adam has two states', () => {
    // The layers are 6-5-4-3, with one row, in float32. There are 74 parameters: 30 + 20 + 12 weights and 12 biases.
    // There are 7 input values: 6 inputs and one label.
    expect(workOf(smallMlp)).toEqual({
      operations: 2 * (30 + 20 + 12) + 2 * (30 + 20 + 12) + 2 * (20 + 12),
      traffic: 4 * (2 * 3 * 74 + 7 + 2 * 12),
      footprint: 4 * (3 * 74 + 7 + 12),
    });
  });

  it('of a prediction: the forward products only, parameters read once', () => {
    const spec: ModelSpec = { kind: 'predict', dtype: 'float32', layers: [6, 5, 4], batch: 2 };
    expect(workOf(spec)).toEqual({
      operations: 2 * 2 * (30 + 20),
      traffic: 4 * (59 + 12 + 2 * 18),
      footprint: 4 * (59 + 12 + 18),
    });
  });

  it('of an LSTM: a gradient of h but not of x in every step; SGD has no state', () => {
    // The LSTM has 3 inputs, 5 units and 2 outputs. 4 time steps of 2 rows are 8 rows. The gates have 4 x (8 x 5 + 5)
    // parameters, and the readout has 12.
    expect(workOf(smallLstm)).toEqual({
      operations: 8 * (2 * 2 * (4 * 40 + 10) + 2 * (4 * 25 + 10)),
      traffic: 4 * (2 * (180 + 12) + 8 * (3 + 2) + 2 * 8 * (4 * 5 + 2 + 2 * 5)),
      footprint: 4 * (180 + 12 + 8 * (3 + 2) + 8 * (4 * 5 + 2 + 2 * 5)),
    });
  });

  it('of a GRU: the sums of two gates, both parts of the candidate, and the hidden state are kept', () => {
    // The GRU has 3 inputs, 5 units and 2 outputs, and 8 rows. Each of its three gates has weights 3-5 and 5-5 and two
    // biases.
    const parameters = 3 * (15 + 5 + 25 + 5) + 12;
    const activations = 8 * (2 * 5 + 2 * 5 + 5 + 2);
    expect(workOf(smallGru)).toEqual({
      operations: 8 * (2 * 2 * (3 * 40 + 10) + 2 * (3 * 25 + 10)),
      traffic: 4 * (6 * parameters + 8 * (3 + 2) + 2 * activations),
      footprint: 4 * (3 * parameters + 8 * (3 + 2) + activations),
    });
  });

  it('of a variational auto-encoder: both heads share the encoder; float64 takes twice the bytes', () => {
    const sizes = { inputs: 7, hidden: 5, latent: 3, batch: 2, rate: 1 };
    const spec: ModelSpec = { kind: 'vae', dtype: 'float64', optimizer: 'sgd', ...sizes };
    const [weights, biases] = [35 + 15 + 15 + 15 + 35, 5 + 3 + 3 + 5 + 7];
    const activations = 2 * biases;
    expect(workOf(spec)).toEqual({
      operations: 2 * 2 * (2 * weights + (weights - 35)),
      traffic: 8 * (2 * (weights + biases) + 2 * (7 + 3) + 2 * activations),
      footprint: 8 * (weights + biases + 2 * (7 + 3) + activations),
    });
  });

  it('of convolutions: a row for each position, and one for each image in the dense layer', () => {
    const sizes = { side: 4, channels: [2, 3, 5], classes: 4, batch: 2, rate: 1 };
    const spec: ModelSpec = { kind: 'conv', dtype: 'float32', optimizer: 'sgd', ...sizes };
    const [first, second, readout] = [2 * 9 * 3, 3 * 9 * 5, 5 * 4];
    const parameters = first + 3 + second + 5 + readout + 4;
    const inputs = 2 * 2 * 16 + 2;
    const activations = 32 * (3 + 5) + 2 * 4;
    expect(workOf(spec)).toEqual({
      operations: 2 * 32 * (2 * first + 3 * second) + 2 * 2 * 3 * readout,
      traffic: 4 * (2 * parameters + inputs + 2 * activations),
      footprint: 4 * (parameters + inputs + activations),
    });
  });

  it('of pooled images: each convolution works on the images that are left', () => {
    const sizes = { side: 4, channels: [2, 3, 5], hidden: 6, classes: 4, batch: 2, rate: 1 };
    const spec: ModelSpec = { kind: 'cnn', dtype: 'float32', optimizer: 'adam', ...sizes };
    const [first, second, hidden, readout] = [2 * 9 * 3, 3 * 9 * 5, 5 * 6, 6 * 4];
    const parameters = first + 3 + 6 + second + 5 + 10 + hidden + 6 + readout + 4;
    const [inputs, activations] = [2 * 2 * 16 + 2, 2 * 32 * 3 + 2 * 8 * 5 + 2 * (6 + 4)];
    expect(workOf(spec)).toEqual({
      operations: 2 * (32 * 2 * first + 8 * 3 * second + 2 * 3 * (hidden + readout)),
      traffic: 4 * (6 * parameters + inputs + 2 * activations),
      footprint: 4 * (3 * parameters + inputs + activations),
    });
  });

  it('of series: each convolution computes only the elements on which the last one depends', () => {
    const sizes = { channels: 2, length: 20, filters: 3, convolutions: 3, batch: 2, rate: 1 };
    const spec: ModelSpec = { kind: 'tcn', dtype: 'float32', optimizer: 'sgd', ...sizes };
    const weights = [2 * 3 * 3, 3 * 3 * 3, 3 * 3 * 3, 3] as const;
    // The last convolution has dilation 4. Its result at t reads t, t - 4 and t - 8.
    const rows = [2 * 7, 2 * 3, 2 * 1, 2] as const;
    const products = [2 * weights[0], 3 * weights[1], 3 * weights[2], 3 * weights[3]] as const;
    expect(workOf(spec).operations).toBe(
      products.reduce((sum, product, i) => sum + 2 * product * (rows[i] as number), 0),
    );
  });

  it('of a bag of words: no product in the embedding, and one mean for each text', () => {
    const sizes = { words: 9, length: 4, width: 5, hidden: 3, classes: 2, batch: 2, rate: 1 };
    const spec: ModelSpec = { kind: 'bag', dtype: 'float32', optimizer: 'adam', ...sizes };
    const parameters = 9 * 5 + (15 + 3) + (6 + 2);
    const [inputs, activations] = [2 * 4 + 2, 2 * (5 + 3 + 2)];
    expect(workOf(spec)).toEqual({
      operations: 2 * 2 * 3 * (15 + 6),
      traffic: 4 * (6 * parameters + inputs + 2 * activations),
      footprint: 4 * (3 * parameters + inputs + activations),
    });
  });

  it('of a GPT: half of the products of its attentions, and no output of the embedding of positions', () => {
    const sizes = { vocabulary: 9, width: 4, heads: 2, blocks: 3, tokens: 6, batch: 2, rate: 1 };
    const spec: ModelSpec = { kind: 'gpt', dtype: 'float32', optimizer: 'adamW', ...sizes };
    const rows = 2 * 6;
    // The dense layers of a block are qkv 4-12, out 4-4, up 4-16 and down 16-4.
    const [weights, biases] = [48 + 16 + 64 + 64, 12 + 4 + 16 + 4];
    const parameters = 9 * 4 + 6 * 4 + 3 * (weights + biases + 2 * 8) + 8 + 4 * 9;
    // Each of the 6 products of an attention multiplies 36 pairs of tokens by rows of 4, of which half count.
    const attention = 6 * (2 * 36 * 4);
    // The outputs of a block are those of its dense layers, two norms and its attention.
    const activations = rows * (4 + 3 * (biases + 2 * 4 + 4) + 4 + 9);
    expect(workOf(spec)).toEqual({
      operations: 2 * rows * 3 * (3 * weights + 4 * 9) + 3 * attention,
      traffic: 4 * (6 * parameters + 2 * rows + 2 * activations),
      footprint: 4 * (3 * parameters + 2 * rows + activations),
    });
  });

  it('is known for every workload, except the one that is only compiled', () => {
    for (const spec of Object.values(workloads)) {
      if (spec.kind === 'compile') continue;
      const { operations, traffic, footprint } = workOf(spec);
      expect(operations).toBeGreaterThan(0);
      expect(traffic).toBeGreaterThanOrEqual(footprint);
    }
  });
});

describe('the limit', () => {
  it('is the time of the products at peak speed plus the time of the traffic at the rate of a copy', () => {
    const work = { operations: 6e6, traffic: 10e6, footprint: 1 };
    // 6e6 operations at 100 GFLOP/s take 60 us, and 10 MB at 20 GB/s take 500 us.
    expect(limitOf(work, { gflops: 100, gigabytes: 20 })).toBeCloseTo(560, 9);
    expect(limitOf(work, { gflops: 200, gigabytes: 20 })).toBeCloseTo(530, 9);
    expect(limitOf(work, { gflops: 100, gigabytes: 40 })).toBeCloseTo(310, 9);
  });

  it('measures the rate of a copy on this machine', async () => {
    const rate = await copyRate(1e6, 1);
    expect(Number.isFinite(rate)).toBe(true);
    expect(rate).toBeGreaterThan(0);
  });
});
