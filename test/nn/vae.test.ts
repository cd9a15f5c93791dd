import { describe, expect, it } from 'vitest';
import {
  checkGradients,
  constant,
  evaluate,
  input,
  type Node,
  tensor,
  VariationalAutoencoder,
} from '../../src/index.js';
import { randomTensor } from '../support.js';

const value = (node: Node) => evaluate(node).item();

describe('VariationalAutoencoder', () => {
  const make = (options: object = {}) =>
    new VariationalAutoencoder('vae', {
      inputs: 5,
      hidden: 4,
      latent: 2,
      dtype: 'float64',
      seed: 3,
      ...options,
    });
  const x = constant(randomTensor([3, 5], 1, 0, 1));
  const noise = constant(randomTensor([3, 2], 2, -2, 2));

  it('has the loss reconstruction + 1/2 sum(mu^2 + sigma^2 - 1 - 2 log sigma), averaged over examples', () => {
    const vae = make();
    const { mean, logSigma } = vae.encode(x);
    const [mu, s, pixels, probabilities, loss, terms] = (() => {
      const { reconstruction, divergence } = vae.terms(x, { noise });
      const z = evaluate([mean, logSigma]).map((t) => [...t.data]);
      const eps = [...evaluate(noise).data];
      const code = tensor(
        Float64Array.from(eps, (e, i) => (z[0]?.[i] as number) + Math.exp(z[1]?.[i] as number) * e),
        { shape: [3, 2] },
      );
      const decoded = [...evaluate(vae.decode(constant(code))).data];
      return [
        z[0] as number[],
        z[1] as number[],
        [...evaluate(x).data],
        decoded,
        value(vae.loss(x, { noise })),
        [value(reconstruction), value(divergence)] as const,
      ] as const;
    })();
    const divergence =
      mu.reduce(
        (total, m, i) =>
          total + 0.5 * (m ** 2 + Math.exp(2 * (s[i] as number)) - 1 - 2 * (s[i] as number)),
        0,
      ) / 3;
    const reconstruction =
      -pixels.reduce((total, v, i) => {
        const p = probabilities[i] as number;
        return total + v * Math.log(p) + (1 - v) * Math.log(1 - p);
      }, 0) / 3;
    expect(terms[1]).toBeCloseTo(divergence, 13);
    expect(terms[0]).toBeCloseTo(reconstruction, 13);
    expect(loss).toBeCloseTo(reconstruction + divergence, 13);
    expect(divergence).toBeGreaterThan(0);
  });

  it.each([[{}], [{ decoderHidden: 0 }], [{ decoderHidden: 6 }]])(
    'has gradients equal to finite differences, with %o',
    (options) => {
      const vae = make(options);
      checkGradients(vae.loss(x, { noise }), vae.parameters);
    },
  );

  it('draws new noise in every run, and the same noise for the same run', () => {
    const loss = make().loss(x);
    const run = (index: number) => evaluate(loss, {}, { run: index }).item();
    expect(run(0)).toBe(run(0));
    expect(new Set([0, 1, 2].map(run)).size).toBe(3);
  });

  it('lists each parameter once, with a dotted name', () => {
    expect(make().parameters.map(({ name }) => name)).toEqual(
      ['encoder', 'mean', 'logSigma', 'decoder', 'logits'].flatMap((part) => [
        `vae.${part}.weight`,
        `vae.${part}.bias`,
      ]),
    );
    expect(make({ decoderHidden: 0 }).parameters).toHaveLength(8);
  });

  it('accepts any batch size, and decodes to probabilities', () => {
    const vae = make({ dtype: 'float32' });
    const fed = input('x', ['batch', 5]);
    expect(vae.loss(fed).shape).toEqual([]);
    const decoded = vae.decode(input('z', ['n', 2]));
    const out = evaluate(decoded, {
      z: [
        [0, 0],
        [50, -50],
      ],
    });
    expect(out.shape).toEqual([2, 5]);
    expect(out.data.every((p) => p >= 0 && p <= 1)).toBe(true);
  });
});
