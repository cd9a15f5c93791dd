import { describe, expect, it } from 'vitest';
import { backward, evaluate, type Variable, VariationalAutoencoder } from '../../src/index.js';
import {
  constantOf,
  expectGolden,
  type GoldenTensor,
  readGolden,
  tensorOf,
  titled,
} from './golden.js';

interface VAECase {
  readonly title: string;
  readonly options: {
    readonly inputs: number;
    readonly hidden: number;
    readonly latent: number;
    readonly decoderHidden: number;
  };
  /** The parameters by name, such as 'encoder.weight'. */
  readonly parameters: Readonly<Record<string, GoldenTensor>>;
  readonly x: GoldenTensor;
  readonly noise: GoldenTensor;
  readonly mean: GoldenTensor;
  readonly logSigma: GoldenTensor;
  readonly codes: GoldenTensor;
  readonly decoded: GoldenTensor;
  readonly reconstruction: GoldenTensor;
  readonly divergence: GoldenTensor;
  readonly loss: GoldenTensor;
  readonly gradients: Readonly<Record<string, GoldenTensor>>;
}

function build({ options, parameters, x, noise }: VAECase) {
  const vae = new VariationalAutoencoder('vae', { ...options, dtype: 'float64' });
  const named = new Map<string, Variable>();
  for (const parameter of vae.parameters) {
    const name = (parameter.name as string).replace('vae.', '');
    parameter.set(tensorOf(parameters[name] as GoldenTensor));
    named.set(name, parameter);
  }
  return { vae, named, x: constantOf(x), noise: constantOf(noise) };
}

const cases = titled(readGolden<VAECase>('vae'), ({ title }) => title);

describe.each(cases)('a VAE with %s', (_title, golden) => {
  const { vae, named, x, noise } = build(golden);
  const gradients = backward(vae.loss(x, { noise }));

  it('encodes and decodes like PyTorch', () => {
    const { mean, logSigma } = vae.encode(x);
    expectGolden(evaluate(mean), golden.mean, 'the mean');
    expectGolden(evaluate(logSigma), golden.logSigma, 'log sigma');
    expectGolden(evaluate(vae.decode(constantOf(golden.codes))), golden.decoded, 'the decoded');
  });

  it('has the reconstruction, divergence and loss of PyTorch', () => {
    const { reconstruction, divergence } = vae.terms(x, { noise });
    expectGolden(evaluate(reconstruction), golden.reconstruction, 'the reconstruction');
    expectGolden(evaluate(divergence), golden.divergence, 'the divergence');
    expectGolden(evaluate(vae.loss(x, { noise })), golden.loss, 'the loss');
  });

  it('has a golden gradient for each of its parameters', () => {
    expect(Object.keys(golden.gradients).sort()).toEqual([...named.keys()].sort());
  });

  it.each(Object.entries(golden.gradients))('has the gradient of PyTorch: %s', (name, expected) => {
    expectGolden(evaluate(gradients.of(named.get(name) as Variable)), expected, name);
  });
});
