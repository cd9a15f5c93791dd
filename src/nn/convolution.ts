/** The layers of convolution: `Conv1d`, `Conv2d` and `ConvTranspose2d`. */

import { checkedLater, flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { paddingOf } from '../ops/convolution-options.js';
import {
  add,
  type ConvOptions,
  type ConvPadding,
  conv1d,
  conv2d,
  convTranspose2d,
  reshape,
  type Sides,
} from '../ops/index.js';
import { copied, sideOf, sidesOf } from '../ops/sides.js';
import { activationKind, activationOf, applied } from './activations.js';
import { initializers } from './initializers.js';
import { drawn, layerParameter, shared, size } from './layer.js';

/** Options that the layers of convolution share. */
const convolving = {
  /** The number of input channels. */
  inputs: required(size, 'inChannels', 'inputChannels', 'channels'),
  /** The number of filters, which is the number of output channels. */
  filters: required(size, 'outChannels', 'units', 'outputs'),
  /** The size of a filter: a number or, for images, [height, width]. */
  size: required(checkedLater<Sides>('a size'), 'kernelSize', 'kernel'),
  /** The distance between neighbouring positions of a filter; 1 by default. */
  stride: optional(checkedLater<Sides>('a stride'), 'strides'),
  /** The number of zeros that are added at the sides of x, or 'same', or 'valid'; 0 by default. */
  padding: optional(checkedLater<ConvPadding>('a padding'), 'pad', 'pads', 'autoPad'),
  /** The distance between neighbouring elements of x that a filter reads; 1 by default. */
  dilation: optional(checkedLater<Sides>('a dilation'), 'dilationRate', 'dilations'),
  /** The number of groups into which the channels and the filters are divided; 1 by default. */
  groups: optional(size, 'group', 'featureGroupCount'),
  /** The function applied to the sum, or its name; the identity by default. */
  activation: optional(activationKind),
  /** Whether the layer has a bias; true by default. */
  bias: optional(flag, 'useBias'),
  ...shared,
};

const conv1dOptions = declareOptions('new Conv1d', convolving);

/** Options of `new Conv1d`. */
export interface Conv1dOptions extends OptionsOf<typeof conv1dOptions> {}

const conv2dOptions = declareOptions('new Conv2d', convolving);

/** Options of `new Conv2d`. */
export interface Conv2dOptions extends OptionsOf<typeof conv2dOptions> {}

const convTranspose2dOptions = declareOptions('new ConvTranspose2d', {
  ...convolving,
  /** The number of elements that are added at the end of each axis of the result; 0 by default. */
  outputPadding: optional(checkedLater<Sides>('an output padding')),
});

/** Options of `new ConvTranspose2d`. */
export interface ConvTranspose2dOptions extends OptionsOf<typeof convTranspose2dOptions> {}

/** What a layer of convolution computes with. */
interface Convolving {
  readonly weight: Variable;
  readonly bias: Variable | undefined;
  /** The options of the op. */
  readonly options: ConvOptions;
  /** Returns activation(y + bias). */
  finish(y: Node): Node;
}

/** Checks the options of a layer, and makes its parameters. `axes` are the axes along which a filter moves. */
function convolvingOf(
  module: Module,
  scope: Scope,
  read: Conv2dOptions,
  axes: readonly ['height', 'width'] | readonly ['length'],
  transposed = false,
): Convolving {
  const context = `${module.constructor.name} '${module.name}'`;
  const { inputs, filters, groups = 1 } = read;
  for (const [what, count] of Object.entries({ inputs, filters })) {
    if (count % groups === 0) continue;
    throw new ValueError(
      `${context}: the ${count} ${what} cannot be divided into ${groups} groups of equal size`,
    );
  }
  const sides = (option: 'size' | 'stride' | 'dilation') => {
    const where = `[${context}] ${option}`;
    const given = read[option];
    const own = copied(given === undefined ? 1 : given, where);
    return axes.length === 1 ? [sideOf(own, 1, where)] : sidesOf(own, 1, where);
  };
  const ofOp = (option: 'stride' | 'dilation') => {
    const [first, second = first] = sides(option) as [number, number?];
    return axes.length === 1 ? first : ([first, second] as const);
  };
  const { padding: given = 0 } = read;
  const padding = copied(given, `[${context}] padding`) as ConvPadding;
  paddingOf(context, axes, padding);
  const how = drawn(scope, read);
  const channels = transposed ? [inputs, filters / groups] : [filters, inputs / groups];
  const bias =
    read.bias === false
      ? undefined
      : layerParameter(scope, 'bias', [filters], { ...how, init: initializers.zeros() });
  const activation = activationOf(read.activation);
  return {
    weight: layerParameter(scope, 'weight', [...channels, ...sides('size')], how),
    bias,
    options: { stride: ofOp('stride'), padding, dilation: ofOp('dilation'), groups },
    finish: (y) => {
      const ones = axes.map(() => 1);
      const sum = bias === undefined ? y : add(y, reshape(bias, [filters, ...ones]));
      return applied(context, activation, sum);
    },
  };
}

/**
 * Convolution of sequences. It computes activation(conv1d(x, weight) + bias), where every filter has its own bias. The
 * options are those of `conv1d`.
 */
export class Conv1d extends Module {
  /** The weight, named `NAME.weight`, of shape [filters, inputs / groups, size]. */
  readonly weight: Variable;
  /** The bias, named `NAME.bias`, of shape [filters]; undefined if the option `bias` is false. */
  readonly bias: Variable | undefined;
  readonly #convolving: Convolving;

  /**
   * Makes the layer and draws the initial values of its parameters.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, if an option is missing,
   *   unknown or invalid, or if the groups do not divide the inputs and the filters; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: Conv1dOptions) {
    super(scope);
    try {
      const read = conv1dOptions.read(options, `Conv1d '${this.name}'`);
      this.#convolving = convolvingOf(this, this.ownScope, read, ['length']);
      this.weight = this.#convolving.weight;
      this.bias = this.#convolving.bias;
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Convolves sequences. Users call `apply`.
   * @param x [batch, inputs, length], of the layer's dtype
   * @returns a node [batch, filters, positions]
   * @throws ShapeError if x has another number of axes or of channels, or if a filter does not fit into it; DTypeError
   *   if x has another dtype than the layer; ValueError if x is not a Node, Tensor or number, or if the activation does
   *   not return a Node
   */
  forward(x: Operand): Node {
    const { weight, options, finish } = this.#convolving;
    return finish(conv1d(x, weight, options));
  }
}

/**
 * Convolution of images. It computes activation(conv2d(x, weight) + bias), where every filter has its own bias. The
 * options are those of `conv2d`.
 */
export class Conv2d extends Module {
  /** The weight, named `NAME.weight`, of shape [filters, inputs / groups, height, width]. */
  readonly weight: Variable;
  /** The bias, named `NAME.bias`, of shape [filters]; undefined if the option `bias` is false. */
  readonly bias: Variable | undefined;
  readonly #convolving: Convolving;

  /**
   * Makes the layer and draws the initial values of its parameters.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, if an option is missing,
   *   unknown or invalid, or if the groups do not divide the inputs and the filters; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: Conv2dOptions) {
    super(scope);
    try {
      const read = conv2dOptions.read(options, `Conv2d '${this.name}'`);
      this.#convolving = convolvingOf(this, this.ownScope, read, ['height', 'width']);
      this.weight = this.#convolving.weight;
      this.bias = this.#convolving.bias;
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Convolves images. Users call `apply`.
   * @param x [batch, inputs, height, width], of the layer's dtype
   * @returns a node [batch, filters, rows, columns]
   * @throws ShapeError if x has another number of axes or of channels, or if a filter does not fit into it; DTypeError
   *   if x has another dtype than the layer; ValueError if x is not a Node, Tensor or number, or if the activation does
   *   not return a Node
   */
  forward(x: Operand): Node {
    const { weight, options, finish } = this.#convolving;
    return finish(conv2d(x, weight, options));
  }
}

/**
 * Transposed convolution of images. It computes activation(convTranspose2d(x, weight) + bias), where every filter has its
 * own bias. The options are those of `convTranspose2d`.
 */
export class ConvTranspose2d extends Module {
  /** The weight, named `NAME.weight`, of shape [inputs, filters / groups, height, width]. */
  readonly weight: Variable;
  /** The bias, named `NAME.bias`, of shape [filters]; undefined if the option `bias` is false. */
  readonly bias: Variable | undefined;
  readonly #convolving: Convolving;
  readonly #outputPadding: Sides;

  /**
   * Makes the layer and draws the initial values of its parameters.
   * @param scope the name or the scope of the layer
   * @throws ValueError if `scope` is neither a non-empty string nor a scope without a module, if an option is missing,
   *   unknown or invalid, or if the groups do not divide the inputs and the filters; DTypeError if `dtype` is not a dtype
   */
  constructor(scope: string | Scope, options: ConvTranspose2dOptions) {
    super(scope);
    try {
      const { outputPadding = 0, ...read } = convTranspose2dOptions.read(
        options,
        `ConvTranspose2d '${this.name}'`,
      );
      const where = `[ConvTranspose2d '${this.name}'] outputPadding`;
      this.#outputPadding = sidesOf(copied(outputPadding, where), 0, where);
      this.#convolving = convolvingOf(this, this.ownScope, read, ['height', 'width'], true);
      this.weight = this.#convolving.weight;
      this.bias = this.#convolving.bias;
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Convolves images. Users call `apply`.
   * @param x [batch, inputs, height, width], of the layer's dtype
   * @returns a node [batch, filters, rows, columns]
   * @throws ShapeError if x has another number of axes or of channels, or if the result would have no rows or columns;
   *   DTypeError if x has another dtype than the layer; ValueError if x is not a Node, Tensor or number, if the output
   *   padding is not less than the stride or the dilation, or if the activation does not return a Node
   */
  forward(x: Operand): Node {
    const { weight, options, finish } = this.#convolving;
    return finish(convTranspose2d(x, weight, { ...options, outputPadding: this.#outputPadding }));
  }
}
