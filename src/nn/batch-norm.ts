/** Batch normalisation. */

import { fraction } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { ShapeError } from '../errors.js';
import { evaluate } from '../evaluate/evaluate.js';
import type { Shape } from '../graph/dimension.js';
import type { Variable } from '../graph/leaf.js';
import { constant } from '../graph/leaf.js';
import { isTraining } from '../graph/mode.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { sideUpdate } from '../graph/side-updates.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { type Apply, declare } from '../ops/declare.js';
import {
  add,
  div,
  extent,
  greater,
  maximum,
  mean,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  where,
} from '../ops/index.js';
import { countOf, normalized } from '../ops/normalization.js';
import { formatShape, sizeOf, stridesOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { featured, normalizing, scaleAndShift } from './normalization.js';

const batchNormOptions = declareOptions('new BatchNorm', {
  /** The share of the statistics of a batch in the new running statistics; 0.1 by default, as in PyTorch. */
  momentum: optional(fraction),
  ...normalizing,
});

/** Options of `new BatchNorm`. */
export interface BatchNormOptions extends OptionsOf<typeof batchNormOptions> {}

/** Returns the error text for x of this shape, which has only one element of each feature. */
function tooFew(shape: Shape): string {
  return `in training, expected more than one element of each feature, but received x of shape ${formatShape(shape)}; with one element, the variance is always 0`;
}

/**
 * The op that refuses a batch with one element of each feature when its size is known, in a run. Its result is x itself,
 * read through a view that computes nothing.
 */
const trainingBatch: Apply<{ readonly axes: readonly number[] }> = declare({
  name: 'trainingBatch',
  arity: 1,
  interned: true,
  dtype: ([x]) => (x as Node).dtype,
  shape: ([x]) => (x as Node).shape,
  lowering: {
    kind: 'view',
    view: ({ attributes: { axes }, shape }) => {
      const size = sizeOf(axes.map((axis) => shape[axis] as number));
      if (size === 1) throw new ShapeError(tooFew(shape));
      return { offset: 0, strides: stridesOf(shape) };
    },
  },
  gradient: ({ gradient }) => [gradient],
  samples: [
    [2, 3],
    [1, 3, 4],
    [0, 3],
  ].map((shape) => ({
    inputs: [{ shape }],
    build: (x) => trainingBatch([x as Node], { axes: axesOf(x as Node) }),
  })),
  refused: [
    {
      build: () => evaluate(trainingBatch([constant(Tensor.ones([1, 3]))], { axes: [0] })),
      error: ShapeError,
      message: /^\[trainingBatch #\d+\] in training, expected more than one element/,
    },
  ],
});

/** Returns the axes of x over which the statistics of a feature are taken: all but axis 1. */
function axesOf(x: Node): number[] {
  return x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
}

/**
 * Batch normalisation of the features, which are axis 1: Ioffe & Szegedy, ICML 2015. It computes
 *
 *     (x - mean) / sqrt(variance + epsilon) * weight + bias
 *
 * In graphs that are built in `training`, the mean and the variance (the mean of the squared deviations) of each feature
 * are those of the batch: they are taken over axis 0 and over all axes after axis 1. Each training step also updates the
 * running statistics, which are states:
 *
 *     running mean     = (1 - momentum) running mean     + momentum mean
 *     running variance = (1 - momentum) running variance + momentum variance n / (n - 1)
 *
 * where n is the number of elements of a feature in the batch. As in PyTorch, the running variance is unbiased. In all
 * other graphs, and if all parameters of the layer are frozen when the graph is built, the layer uses the running
 * statistics, and does not change them.
 */
export class BatchNorm extends Module {
  /** The weight, named `NAME.weight`, of shape [features]. Its initial elements are 1. */
  readonly weight: Variable;
  /** The bias, named `NAME.bias`, of shape [features]. Its initial elements are 0. */
  readonly bias: Variable;
  /** The running mean, a state named `NAME.mean`, of shape [features]. Its initial elements are 0. */
  readonly mean: Variable;
  /** The running variance, a state named `NAME.variance`, of shape [features]. Its initial elements are 1. */
  readonly variance: Variable;
  readonly #momentum: number;
  readonly #epsilon: number;

  /**
   * Makes the layer.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid; DTypeError if `dtype` is not a dtype of floating-point numbers
   */
  constructor(scope: string | Scope, options: BatchNormOptions) {
    super(scope);
    try {
      const {
        momentum = 0.1,
        epsilon = 1e-5,
        ...read
      } = batchNormOptions.read(options, `BatchNorm '${this.name}'`);
      const { weight, bias } = scaleAndShift(this.ownScope, read);
      const like = { dtype: weight.dtype };
      this.weight = weight;
      this.bias = bias;
      this.mean = this.state('mean', Tensor.zeros([read.features], like));
      this.variance = this.state('variance', Tensor.ones([read.features], like));
      this.#momentum = momentum;
      this.#epsilon = epsilon;
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Normalises each feature. Users call `apply`. In `training`, a batch without elements changes no running statistics.
   * @param x [batch, features, ..], such as [batch, features] or [batch, features, height, width], of the layer's dtype
   * @returns a node of the shape of x
   * @throws ShapeError if the second dimension of x is not `features`, or if there is only one element of each feature
   *   in `training` (if the number is known only in a run, as for a last batch of one row, the run throws this
   *   error); DTypeError if x has another dtype than the layer; ValueError if x is not a Node, Tensor or number
   */
  forward(x: Operand): Node {
    const node = featured(this, x, 1, this.weight.value.size);
    const ones = node.shape.slice(2).map(() => 1);
    const along = (vector: Node) => reshape(vector, [this.weight.value.size, ...ones]);
    if (!isTraining() || this.frozen) {
      const scale = div(this.weight, sqrt(add(this.variance, this.#epsilon)));
      return add(mul(sub(node, along(this.mean)), along(scale)), along(this.bias));
    }
    const axes = axesOf(node);
    const size = countOf(node, axes);
    if (size === 1) throw new ShapeError(`${this}: ${tooFew(node.shape)}`);
    const batch = typeof size === 'number' ? node : trainingBatch([node], { axes });
    const how = { axes, epsilon: this.#epsilon, centered: true };
    const result = add(normalized(batch, along(this.weight), how), along(this.bias));
    return this.#updating(result, batch, axes);
  }

  /** Returns `result`, with the side updates of the running statistics from the batch x. */
  #updating(result: Node, x: Node, axes: readonly number[]): Node {
    const size = countOf(x, axes);
    if (size === 0) return result;
    const count = extent(size, x.dtype);
    const mixed = (old: Node, batch: Node) => {
      const next = add(mul(old, 1 - this.#momentum), mul(batch, this.#momentum));
      // A batch without elements has no statistics.
      return typeof size === 'number' ? next : where(greater(count, 0), next, old);
    };
    const unbiased = div(count, maximum(sub(count, 1), 1));
    const withMean = sideUpdate(result, this.mean, (old) => mixed(old, mean(x, axes)));
    return sideUpdate(withMean, this.variance, (old) => {
      const deviations = sub(x, mean(x, axes, { keepDims: true }));
      return mixed(old, mul(mean(square(deviations), axes), unbiased));
    });
  }
}
