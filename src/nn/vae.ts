/** The variational auto-encoder. */

import { wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { ShapeError } from '../errors.js';
import { sameShape } from '../graph/dimension.js';
import { type Node, nodeOf } from '../graph/node.js';
import { bernoulliNegativeLogLikelihood } from '../losses/binary.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
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
import { Dense } from './dense.js';
import { shared, size } from './layer.js';

const vaeOptions = declareOptions('new VariationalAutoencoder', {
  /** The number of input features of an example. */
  inputs: required(size, 'inputSize', 'inFeatures', 'inputDim'),
  /**
   * The number of units of the encoder's tanh layer. The tanh layer of the decoder has the same number if
   * `decoderHidden` is not given.
   */
  hidden: required(size, 'units', 'hiddenSize', 'hiddenDim'),
  /** The length of the latent code. */
  latent: required(size, 'latentSize', 'latentDim', 'z'),
  /**
   * The number of units of the decoder's tanh layer; `hidden` by default. If it is 0, the decoder has no such layer, as
   * in the blog post that forebay is based on.
   */
  decoderHidden: optional(wholeNumber(0)),
  ...shared,
});

/** Options of `new VariationalAutoencoder`. */
export interface VariationalAutoencoderOptions extends OptionsOf<typeof vaeOptions> {}

const lossOptions = declareOptions('VariationalAutoencoder.loss, VariationalAutoencoder.terms', {
  /** The noise, [batch, latent], which should be standard normal. By default, new noise is drawn in every run. */
  noise: optional(nodeOf('a node [batch, latent]')),
});

/** Options of `loss` and `terms`. */
export interface LossOptions extends OptionsOf<typeof lossOptions> {}

/**
 * A variational auto-encoder with a Bernoulli likelihood: Kingma & Welling, Auto-Encoding Variational Bayes, 2014. The
 * encoder computes mean and logSigma from x, and the decoder computes probabilities from the latent code z:
 *
 *     q(z|x) = N(mean, exp(logSigma)^2)     z = mean + exp(logSigma) * noise     p(x|z) = Bernoulli(decode(z))
 */
export class VariationalAutoencoder extends Module {
  /** The length of the latent code. */
  readonly latent: number;
  /** The layer that reads x. */
  readonly encoder: Dense;
  /** The layer that computes the mean of q(z|x). */
  readonly mean: Dense;
  /** The layer that computes the logarithm of the standard deviation of q(z|x). */
  readonly logSigma: Dense;
  /** The layer that reads the latent code, if there is one. */
  readonly decoder: Dense | undefined;
  /** The layer that computes the logits of p(x|z). */
  readonly logits: Dense;
  readonly #seed: number | undefined;

  /**
   * Makes the layers and draws the initial values of their parameters.
   * @param scope the name or the scope of the model
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: VariationalAutoencoderOptions) {
    super(scope);
    try {
      const read = vaeOptions.read(options, `VariationalAutoencoder '${this.name}'`);
      const { inputs, hidden, latent, decoderHidden = hidden, ...others } = read;
      const layer = (part: string, from: number, units: number, activation?: (x: Node) => Node) =>
        new Dense(this.scope(part), {
          ...others,
          inputs: from,
          units,
          ...(activation && { activation }),
        });
      this.latent = latent;
      this.#seed = read.seed ?? this.ownScope.seed;
      this.encoder = layer('encoder', inputs, hidden, tanh);
      this.mean = layer('mean', hidden, latent);
      this.logSigma = layer('logSigma', hidden, latent);
      this.decoder = decoderHidden > 0 ? layer('decoder', latent, decoderHidden, tanh) : undefined;
      this.logits = layer('logits', decoderHidden > 0 ? decoderHidden : latent, inputs);
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Returns the probabilities of the reconstruction of x from the mean of q(z|x), [batch, inputs]. Users call `apply`.
   * @param x [batch, inputs], of the layer's dtype
   * @throws ShapeError or DTypeError if x does not fit the layer; ValueError if x is not a Node
   */
  forward(x: Node): Node {
    return this.decode(this.encode(x).mean);
  }

  /**
   * Returns the mean and the logarithm of the standard deviation (`logSigma`) of the approximate posterior q(z|x). Both
   * have the shape [batch, latent].
   * @param x [batch, inputs], of the layer's dtype
   * @throws ShapeError or DTypeError if x does not fit the layer; ValueError if x is not a Node
   */
  encode(x: Node): { mean: Node; logSigma: Node } {
    return this.within(() => {
      const features = this.encoder.apply(x);
      return { mean: this.mean.apply(features), logSigma: this.logSigma.apply(features) };
    });
  }

  /**
   * Returns the probabilities of p(x|z), with the shape [batch, inputs].
   * @param z latent codes [batch, latent], of the layer's dtype
   * @throws ShapeError or DTypeError if z does not fit the layer; ValueError if z is not a Node
   */
  decode(z: Node): Node {
    return sigmoid(this.decodeLogits(z));
  }

  /**
   * Returns the logits of the probabilities that `decode` returns, with the shape [batch, inputs].
   * @param z latent codes [batch, latent], of the layer's dtype
   * @throws ShapeError or DTypeError if z does not fit the layer; ValueError if z is not a Node
   */
  decodeLogits(z: Node): Node {
    return this.within(() => this.logits.apply(this.decoder?.apply(z) ?? z));
  }

  /**
   * Returns the negative evidence lower bound, a scalar in nats per example: the sum of the two results of `terms`.
   * @param x [batch, inputs], with values from 0 to 1
   * @throws ShapeError or DTypeError if x or the noise does not fit the layer; ValueError if x is not a Node, or if an
   *   option is unknown
   */
  loss(x: Node, options?: LossOptions): Node {
    const read = lossOptions.read(options, `VariationalAutoencoder '${this.name}' loss`);
    const { reconstruction, divergence } = this.#terms(x, read);
    return add(reconstruction, divergence);
  }

  /**
   * Returns the two terms of the loss: the negative log-likelihood of x (`reconstruction`) and the divergence of q(z|x)
   * from N(0, 1) (`divergence`). Each is a scalar in nats: the mean over examples.
   * @param x [batch, inputs], with values from 0 to 1
   * @throws ShapeError or DTypeError if x or the noise does not fit the layer; ValueError if x is not a Node, or if an
   *   option is unknown
   */
  terms(x: Node, options?: LossOptions): { reconstruction: Node; divergence: Node } {
    const read = lossOptions.read(options, `VariationalAutoencoder '${this.name}' terms`);
    return this.#terms(x, read);
  }

  #terms(x: Node, { noise }: LossOptions): { reconstruction: Node; divergence: Node } {
    return this.within(() => {
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
      // The divergence KL(N(mu, sigma^2) || N(0, 1)) is 1/2 sum(mu^2 + sigma^2 - 1 - 2 log sigma).
      const terms = sub(sub(add(square(mu), square(sigma)), 1), mul(2, logSigma));
      return {
        reconstruction: mean(sum(likelihood, -1)),
        divergence: mul(0.5, mean(sum(terms, -1))),
      };
    });
  }
}
