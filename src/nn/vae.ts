/** The variational auto-encoder. */

import { brand } from '../arguments/describe.js';
import { wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { ShapeError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import type { Variable } from '../graph/leaf.js';
import { type Node, nodeOf, withinLayer } from '../graph/node.js';
import {
  add,
  exp,
  mean,
  mul,
  randomNormal,
  sigmoid,
  square,
  sub,
  sum,
  tanh,
} from '../ops/index.js';
import { formatShape } from '../tensor/shape.js';
import { FeedForward } from './feed-forward.js';
import { contextOf, shared, size } from './layer.js';
import { bernoulliNegativeLogLikelihood } from './losses.js';

const vaeOptions = declareOptions('new VariationalAutoencoder', {
  /** Numbers of an example. */
  inputs: required(size, 'inputSize', 'inFeatures', 'inputDim'),
  /** Units of the tanh layer of the encoder, and of the decoder unless `decoderHidden` differs. */
  hidden: required(size, 'units', 'hiddenSize', 'hiddenDim'),
  /** Length of the latent code. */
  latent: required(size, 'latentSize', 'latentDim', 'z'),
  /** Units of the decoder's tanh layer; 0 decodes straight from the latent code, as the seed does. */
  decoderHidden: optional(wholeNumber(0)),
  ...shared,
});

/** What a variational auto-encoder is made of. */
export interface VariationalAutoencoderOptions extends OptionsOf<typeof vaeOptions> {}

const lossOptions = declareOptions('VariationalAutoencoder.loss, VariationalAutoencoder.terms', {
  /** Standard normal noise [batch, latent]; drawn anew in every run unless given. */
  noise: optional(nodeOf('a node [batch, latent]')),
});

/** What `loss` and `terms` may be told. */
export interface LossOptions extends OptionsOf<typeof lossOptions> {}

/**
 * Kingma & Welling, Auto-Encoding Variational Bayes (2014), with Bernoulli likelihood:
 * q(z|x) = N(mean, exp(logSigma)^2), z = mean + exp(logSigma) * noise, p(x|z) = Bernoulli(decode(z)).
 */
export class VariationalAutoencoder {
  static {
    brand(VariationalAutoencoder);
  }

  /** What its parameters are named after. */
  readonly name: string;
  /** Length of the latent code. */
  readonly latent: number;
  readonly #encoder: FeedForward;
  readonly #mean: FeedForward;
  readonly #logSigma: FeedForward;
  readonly #decoder: FeedForward | undefined;
  readonly #logits: FeedForward;
  readonly #seed: number | undefined;

  /**
   * Makes the layers and draws their parameters.
   * @throws ValueError if `name` is not a string or is empty, and for an unknown or unacceptable option; DTypeError if
   *   the dtype is not one
   */
  constructor(name: string, options: VariationalAutoencoderOptions) {
    const read = vaeOptions.read(options, contextOf('VariationalAutoencoder', name));
    const { inputs, hidden, latent, decoderHidden = hidden, ...others } = read;
    const layer = (part: string, from: number, units: number, activation?: (x: Node) => Node) =>
      new FeedForward(`${name}.${part}`, {
        ...others,
        inputs: from,
        units,
        ...(activation && { activation }),
      });
    this.name = name;
    this.latent = latent;
    this.#seed = read.seed;
    this.#encoder = layer('encoder', inputs, hidden, tanh);
    this.#mean = layer('mean', hidden, latent);
    this.#logSigma = layer('logSigma', hidden, latent);
    this.#decoder = decoderHidden > 0 ? layer('decoder', latent, decoderHidden, tanh) : undefined;
    this.#logits = layer('logits', decoderHidden > 0 ? decoderHidden : latent, inputs);
  }

  /** Of the encoder, the mean, log sigma, the decoder and the logits, in this order. */
  get parameters(): Variable[] {
    return [this.#encoder, this.#mean, this.#logSigma, this.#decoder, this.#logits].flatMap(
      (layer) => layer?.parameters ?? [],
    );
  }

  /**
   * The approximate posterior of x [batch, inputs]; both are [batch, latent].
   * @throws ShapeError or DTypeError if x does not fit; ValueError if it is not a node
   */
  encode(x: Node): { mean: Node; logSigma: Node } {
    return withinLayer(this.name, () => {
      const features = this.#encoder.apply(x);
      return { mean: this.#mean.apply(features), logSigma: this.#logSigma.apply(features) };
    });
  }

  /**
   * Probabilities [batch, inputs] for codes z [batch, latent].
   * @throws ShapeError or DTypeError if the codes do not fit; ValueError if they are not a node
   */
  decode(z: Node): Node {
    return sigmoid(this.decodeLogits(z));
  }

  /** The logits of `decode`. @throws ShapeError or DTypeError if the codes do not fit; ValueError if they are not a node */
  decodeLogits(z: Node): Node {
    return withinLayer(this.name, () => this.#logits.apply(this.#decoder?.apply(z) ?? z));
  }

  /**
   * The negative evidence lower bound: `reconstruction` + `divergence`, a scalar in nats per example.
   * @param x [batch, inputs], from 0 to 1
   * @throws ShapeError or DTypeError if x or the noise does not fit; ValueError if x is not a node, and for an unknown
   *   option
   */
  loss(x: Node, options?: LossOptions): Node {
    const read = lossOptions.read(options, `VariationalAutoencoder '${this.name}' loss`);
    const { reconstruction, divergence } = this.#terms(x, read);
    return add(reconstruction, divergence);
  }

  /**
   * The two terms of the loss, each a scalar: a mean over examples, in nats.
   * @throws ShapeError or DTypeError if x or the noise does not fit; ValueError if x is not a node, and for an unknown
   *   option
   */
  terms(x: Node, options?: LossOptions): { reconstruction: Node; divergence: Node } {
    const read = lossOptions.read(options, `VariationalAutoencoder '${this.name}' terms`);
    return this.#terms(x, read);
  }

  #terms(x: Node, { noise }: LossOptions): { reconstruction: Node; divergence: Node } {
    return withinLayer(this.name, () => {
      const { mean: mu, logSigma } = this.encode(x);
      const draw = { dtype: mu.dtype, ...(this.#seed !== undefined && { seed: this.#seed }) };
      if (noise && !sameShape(noise.shape, mu.shape)) {
        throw new ShapeError(
          `VariationalAutoencoder '${this.name}': expected noise of ${formatShape(mu.shape)}, but received ${noise} of ${formatShape(noise.shape)}`,
        );
      }
      const sample = noise ?? randomNormal(mu.shape, draw);
      const sigma = exp(logSigma);
      const z = add(mu, mul(sigma, sample));
      const likelihood = bernoulliNegativeLogLikelihood(this.decodeLogits(z), x);
      // KL(N(mu, sigma^2) || N(0, 1)) = 1/2 sum(mu^2 + sigma^2 - 1 - 2 log sigma)
      const terms = sub(sub(add(square(mu), square(sigma)), 1), mul(2, logSigma));
      return {
        reconstruction: mean(sum(likelihood, -1)),
        divergence: mul(0.5, mean(sum(terms, -1))),
      };
    });
  }
}
