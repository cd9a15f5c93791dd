/** The variational auto-encoder. */

import { brand } from '../arguments/describe.js';
import { ShapeError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import type { Variable } from '../graph/leaf.js';
import { type Node, withinLayer } from '../graph/node.js';
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
import { checkLayer, type LayerOptions } from './layer.js';
import { bernoulliNegativeLogLikelihood } from './losses.js';

/** What a variational auto-encoder is made of. */
export interface VariationalAutoencoderOptions extends LayerOptions {
  /** Numbers of an example. */
  readonly inputs: number;
  /** Units of the tanh layer of the encoder, and of the decoder unless `decoderHidden` differs. */
  readonly hidden: number;
  /** Length of the latent code. */
  readonly latent: number;
  /** Units of the decoder's tanh layer; 0 decodes straight from the latent code, as the seed does. */
  readonly decoderHidden?: number | undefined;
}

/** What `loss` and `terms` may be told. */
export interface LossOptions {
  /** Standard normal noise [batch, latent]; drawn anew in every run unless given. */
  readonly noise?: Node | undefined;
}

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
   * @throws ValueError for what is no name, size, seed or initialiser; DTypeError for what is no dtype
   */
  constructor(
    name: string,
    options: VariationalAutoencoderOptions = {} as VariationalAutoencoderOptions,
  ) {
    const { inputs, hidden, latent, decoderHidden = hidden, ...shared } = options;
    const sizes = { inputs, hidden, latent, ...(decoderHidden !== 0 && { decoderHidden }) };
    checkLayer('VariationalAutoencoder', name, sizes, options);
    const layer = (part: string, from: number, units: number, activation?: (x: Node) => Node) =>
      new FeedForward(`${name}.${part}`, {
        ...shared,
        inputs: from,
        units,
        ...(activation && { activation }),
      });
    this.name = name;
    this.latent = latent;
    this.#seed = options.seed;
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
   * @throws ShapeError or DTypeError for an x that does not fit
   */
  encode(x: Node): { mean: Node; logSigma: Node } {
    return withinLayer(this.name, () => {
      const features = this.#encoder.apply(x);
      return { mean: this.#mean.apply(features), logSigma: this.#logSigma.apply(features) };
    });
  }

  /**
   * Probabilities [batch, inputs] for codes z [batch, latent].
   * @throws ShapeError or DTypeError for codes that do not fit
   */
  decode(z: Node): Node {
    return sigmoid(this.decodeLogits(z));
  }

  /** The logits of `decode`. @throws ShapeError or DTypeError for codes that do not fit */
  decodeLogits(z: Node): Node {
    return withinLayer(this.name, () => this.#logits.apply(this.#decoder?.apply(z) ?? z));
  }

  /**
   * The negative evidence lower bound: `reconstruction` + `divergence`, a scalar in nats per example.
   * @param x [batch, inputs], from 0 to 1
   * @throws ShapeError or DTypeError for an x or noise that does not fit
   */
  loss(x: Node, options: LossOptions = {}): Node {
    const { reconstruction, divergence } = this.terms(x, options);
    return add(reconstruction, divergence);
  }

  /**
   * The two terms of the loss, each a scalar: a mean over examples, in nats.
   * @throws ShapeError or DTypeError for an x or noise that does not fit
   */
  terms(x: Node, { noise }: LossOptions = {}): { reconstruction: Node; divergence: Node } {
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
