/** Layers that normalise the features of each example: `LayerNorm`, `RMSNorm` and `GroupNorm`. */

import { numberFrom } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import type { Dim } from '../graph/dimension.js';
import { lift, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { add, reshape } from '../ops/index.js';
import { normalized } from '../ops/normalization.js';
import { dtypeName, isFloating } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { initializers } from './initializers.js';
import { layerParameter, size } from './layer.js';

/** Options that the layers of normalisation share. */
export const normalizing = {
  /** The number of features. */
  features: required(size, 'numFeatures', 'normalizedShape', 'numChannels', 'channels', 'units'),
  /** The number that is added to the variance, so that it is not 0; 1e-5 by default. */
  epsilon: optional(numberFrom(0), 'eps'),
  /** The dtype of the layer's parameters and of its inputs; `float32` by default. */
  dtype: optional(dtypeName, 'type'),
};

const layerNormOptions = declareOptions('new LayerNorm', normalizing);

/** Options of `new LayerNorm`. */
export interface LayerNormOptions extends OptionsOf<typeof layerNormOptions> {}

const rmsNormOptions = declareOptions('new RMSNorm', normalizing);

/** Options of `new RMSNorm`. */
export interface RMSNormOptions extends OptionsOf<typeof rmsNormOptions> {}

const groupNormOptions = declareOptions('new GroupNorm', {
  /** The number of groups of equal size into which the features are divided. */
  groups: required(size, 'numGroups'),
  ...normalizing,
});

/** Options of `new GroupNorm`. */
export interface GroupNormOptions extends OptionsOf<typeof groupNormOptions> {}

/**
 * Makes the parameters of weight x + bias, each [features]: a weight of ones, and a bias of zeros.
 * @throws DTypeError if the dtype is not one of floating-point numbers
 */
export function scaleAndShift(
  scope: Scope,
  { features, dtype = scope.dtype ?? 'float32' }: Pick<LayerNormOptions, 'features' | 'dtype'>,
): { weight: Variable; bias: Variable } {
  if (!isFloating(dtype)) {
    throw new DTypeError(
      `layer '${scope.path}': dtype must be float32 or float64, but is ${dtype}`,
    );
  }
  const make = (key: string, value: number) =>
    layerParameter(scope, key, [features], {
      init: initializers.constant(value),
      dtype,
      seed: undefined,
    });
  return { weight: make('weight', 1), bias: make('bias', 0) };
}

/** Returns the operand of a layer. @throws ShapeError if its axis `axis` does not have the features of the layer */
export function featured(module: Module, x: Operand, axis: 1 | -1, features: number): Node {
  const [node] = lift(module.constructor.name, [x]) as [Node];
  if (node.shape.at(axis) === features) return node;
  const expected = axis === 1 ? `[batch, ${features}, ..]` : `[.., ${features}]`;
  throw new ShapeError(
    `${module}: expected x of shape ${expected}, but received ${formatShape(node.shape)}`,
  );
}

/**
 * Layer normalisation over the last axis: Ba, Kiros & Hinton, 2016. It computes
 *
 *     (x - mean) / sqrt(variance + epsilon) * weight + bias
 *
 * where the mean and the variance (the mean of the squared deviations) are those of each row.
 */
export class LayerNorm extends Module {
  /** The weight, named `NAME.weight`, of shape [features]. Its initial elements are 1. */
  readonly weight: Variable;
  /** The bias, named `NAME.bias`, of shape [features]. Its initial elements are 0. */
  readonly bias: Variable;
  readonly #features: number;
  readonly #epsilon: number;

  /**
   * Makes the layer.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid; DTypeError if `dtype` is not a dtype of floating-point numbers
   */
  constructor(scope: string | Scope, options: LayerNormOptions) {
    super(scope);
    try {
      const read = layerNormOptions.read(options, `LayerNorm '${this.name}'`);
      const { weight, bias } = scaleAndShift(this.ownScope, read);
      this.weight = weight;
      this.bias = bias;
      this.#features = read.features;
      this.#epsilon = read.epsilon ?? 1e-5;
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Normalises each row. Users call `apply`.
   * @param x [.., features], of the layer's dtype
   * @returns a node of the shape of x
   * @throws ShapeError if the last dimension of x is not `features`; DTypeError if x has another dtype than the layer;
   *   ValueError if x is not a Node, Tensor or number
   */
  forward(x: Operand): Node {
    const node = featured(this, x, -1, this.#features);
    const how = { axes: [node.shape.length - 1], epsilon: this.#epsilon, centered: true };
    return add(normalized(node, this.weight, how), this.bias);
  }
}

/**
 * Root mean square normalisation over the last axis: Zhang & Sennrich, NeurIPS 2019. It computes
 *
 *     x / sqrt(mean(x^2) + epsilon) * weight
 *
 * where the mean is that of each row.
 */
export class RMSNorm extends Module {
  /** The weight, named `NAME.weight`, of shape [features]. Its initial elements are 1. */
  readonly weight: Variable;
  readonly #features: number;
  readonly #epsilon: number;

  /**
   * Makes the layer.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, or if an option is
   *   missing, unknown or invalid; DTypeError if `dtype` is not a dtype of floating-point numbers
   */
  constructor(scope: string | Scope, options: RMSNormOptions) {
    super(scope);
    try {
      const read = rmsNormOptions.read(options, `RMSNorm '${this.name}'`);
      this.weight = scaleAndShift(this.ownScope, read).weight;
      this.#features = read.features;
      this.#epsilon = read.epsilon ?? 1e-5;
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Normalises each row. Users call `apply`.
   * @param x [.., features], of the layer's dtype
   * @returns a node of the shape of x
   * @throws ShapeError if the last dimension of x is not `features`; DTypeError if x has another dtype than the layer;
   *   ValueError if x is not a Node, Tensor or number
   */
  forward(x: Operand): Node {
    const node = featured(this, x, -1, this.#features);
    const how = { axes: [node.shape.length - 1], epsilon: this.#epsilon, centered: false };
    return normalized(node, this.weight, how);
  }
}

/**
 * Group normalisation: Wu & He, ECCV 2018. The features (axis 1) are divided into groups. The layer computes
 *
 *     (x - mean) / sqrt(variance + epsilon) * weight + bias
 *
 * where the mean and the variance are those of all elements of a group in an example.
 */
export class GroupNorm extends Module {
  /** The weight, named `NAME.weight`, of shape [features]. Its initial elements are 1. */
  readonly weight: Variable;
  /** The bias, named `NAME.bias`, of shape [features]. Its initial elements are 0. */
  readonly bias: Variable;
  readonly #features: number;
  readonly #groups: number;
  readonly #epsilon: number;

  /**
   * Makes the layer.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, if an option is missing,
   *   unknown or invalid, or if the groups do not divide the features; DTypeError if `dtype` is not a dtype of
   *   floating-point numbers
   */
  constructor(scope: string | Scope, options: GroupNormOptions) {
    super(scope);
    try {
      const {
        features,
        groups,
        epsilon = 1e-5,
        dtype,
      } = groupNormOptions.read(options, `GroupNorm '${this.name}'`);
      if (features % groups !== 0) {
        throw new ValueError(
          `GroupNorm '${this.name}': the ${features} features cannot be divided into ${groups} groups of equal size`,
        );
      }
      const { weight, bias } = scaleAndShift(this.ownScope, { features, dtype });
      this.weight = weight;
      this.bias = bias;
      this.#features = features;
      this.#groups = groups;
      this.#epsilon = epsilon;
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Normalises each group of each example. Users call `apply`.
   * @param x [batch, features, ..], of the layer's dtype
   * @returns a node of the shape of x
   * @throws ShapeError if the second dimension of x is not `features`; DTypeError if x has another dtype than the layer;
   *   ValueError if x is not a Node, Tensor or number
   */
  forward(x: Operand): Node {
    const node = featured(this, x, 1, this.#features);
    const [batch, , ...rest] = node.shape as readonly [Dim, Dim, ...Dim[]];
    const members = this.#features / this.#groups;
    const ones = rest.map(() => 1);
    const grouped = reshape(node, [batch, this.#groups, members, ...rest]);
    const inGroups = (variable: Variable) => reshape(variable, [this.#groups, members, ...ones]);
    const how = {
      axes: grouped.shape.map((_, axis) => axis).slice(2),
      epsilon: this.#epsilon,
      centered: true,
    };
    const result = add(normalized(grouped, inGroups(this.weight), how), inGroups(this.bias));
    return reshape(result, node.shape);
  }
}
