/**
 * Tests that forebay does not have faults of the seed, the Scala code of the blog post on which forebay is based. This
 * file tests the loss of the auto-encoder, and Adam.
 */

import { describe, expect, it } from 'vitest';
import {
  adam,
  backward,
  checkGradients,
  constant,
  evaluate,
  mul,
  parameter,
  sgd,
  square,
  sum,
  type Updates,
  type Variable,
  VariationalAutoencoder,
} from '../../src/index.js';
import { randomTensor } from '../support.js';

describe('line 7: the auto-encoder has the right divergence and trains by its gradient', () => {
  const [inputs, latent, batch] = [5, 3, 4];
  const make = () => {
    const vae = new VariationalAutoencoder('vae', {
      inputs,
      hidden: 6,
      latent,
      dtype: 'float64',
      seed: 71,
    });
    const named = (name: string) =>
      vae.parameters.find((p) => p.name === `vae.${name}`) as Variable;
    return { vae, named };
  };
  const x = constant(randomTensor([batch, inputs], 72, 0, 1));
  const noise = constant(randomTensor([batch, latent], 73, -2, 2));

  it('every weight has the true gradient, including those of the mean and of log sigma', () => {
    const { vae } = make();
    expect(vae.parameters).toHaveLength(10);
    checkGradients(vae.loss(x, { noise }), vae.parameters);
  });

  it.each(['mean.weight', 'logSigma.weight'])(
    '%s is updated by its gradient, without decay',
    (name) => {
      const { vae, named } = make();
      const [weight, loss] = [named(name), vae.loss(x, { noise })];
      const before = weight.value.data.slice();
      const gradient = evaluate(backward(loss).of(weight)).data;
      evaluate(loss, {}, { updates: sgd(loss, vae.parameters, { rate: 0.25 }) });
      expect(gradient.some((g) => Math.abs(g) > 1e-3)).toBe(true);
      weight.value.data.forEach((value, i) => {
        expect(value).toBeCloseTo((before[i] as number) - 0.25 * (gradient[i] as number), 12);
      });
    },
  );

  it('the divergence is 1/2 sum(mu^2 + exp(2 s) - 1 - 2 s)', () => {
    const { vae, named } = make();
    const [mu, s] = [
      [0.7, -1.3, 0.2],
      [0.4, -0.9, 0.1],
    ];
    // If the weights are zero, the mean and log sigma of every example are the biases.
    for (const head of ['mean', 'logSigma']) named(`${head}.weight`).value.data.fill(0);
    named('mean.bias').set(Float64Array.from(mu as number[]));
    named('logSigma.bias').set(Float64Array.from(s as number[]));
    const expected = (mu as number[]).reduce((total, m, i) => {
      const logSigma = (s as number[])[i] as number;
      return total + (m * m + Math.exp(2 * logSigma) - 1 - 2 * logSigma) / 2;
    }, 0);
    expect(expected).toBeGreaterThan(1);
    expect(evaluate(vae.terms(x, { noise }).divergence).item()).toBeCloseTo(expected, 12);
  });

  it('the divergence is 0 for the prior itself, and positive for anything else', () => {
    const { vae, named } = make();
    const divergence = vae.terms(x, { noise }).divergence;
    expect(evaluate(divergence).item()).toBeGreaterThan(0.01);
    for (const head of ['mean', 'logSigma']) named(`${head}.weight`).value.data.fill(0);
    expect(evaluate(divergence).item()).toBe(0);
    for (const bias of ['mean.bias', 'logSigma.bias']) {
      for (const value of [-0.3, 0.3]) {
        named(bias).value.data[1] = value;
        expect(evaluate(divergence).item(), `${bias} ${value}`).toBeGreaterThan(0.01);
      }
      named(bias).value.data[1] = 0;
    }
  });
});

describe("line 10: Adam's first moment takes 1 - beta1 of the gradient", () => {
  const stateOf = (updates: Updates, name: string) =>
    updates.map(([leaf]) => leaf).find((leaf) => leaf.name === name) as Variable;

  it('m and v after two steps equal those of the formulas in the paper', () => {
    const [beta1, beta2, rate] = [0.8, 0.97, 0.05];
    const w = parameter('w', randomTensor([3], 101, 0.5, 2));
    // The gradient is 3 w^2, so it differs at every step.
    const loss = sum(mul(w, square(w)));
    const updates = adam(loss, [w], { rate, beta1, beta2, epsilon: 1e-8 });
    let [m, v] = [new Float64Array(3), new Float64Array(3)];
    for (const t of [1, 2]) {
      const before = w.value.data.slice();
      const g = Float64Array.from(before, (value) => 3 * value * value);
      m = m.map((value, i) => beta1 * value + (1 - beta1) * (g[i] as number));
      v = v.map((value, i) => beta2 * value + (1 - beta2) * (g[i] as number) ** 2);
      evaluate(loss, {}, { updates });
      w.value.data.forEach((value, i) => {
        const mean = (m[i] as number) / (1 - beta1 ** t);
        const scale = Math.sqrt((v[i] as number) / (1 - beta2 ** t)) + 1e-8;
        expect(stateOf(updates, 'w.adam.m').value.data[i]).toBeCloseTo(m[i] as number, 12);
        expect(stateOf(updates, 'w.adam.v').value.data[i]).toBeCloseTo(v[i] as number, 12);
        expect(value).toBeCloseTo((before[i] as number) - (rate * mean) / scale, 12);
      });
    }
  });
});
