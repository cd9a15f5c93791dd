/** What a row of the layer table sees of a layer: its inputs, its configuration and its weights. */

import { FormatError } from '../errors.js';
import type { Dim, Shape } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import type { Pauses } from '../imports/slices.js';
import type { DType } from '../tensor/dtype.js';
import type { Config } from './config.js';
import type { Layer } from './topology.js';
import { axisIn, Value } from './value.js';
import type { Arrangement, WeightPlace } from './weights.js';

/** The reason why forebay cannot import a layer. */
export class Unsupported extends Error {}

/** The variables that layers have in common. */
export interface Variables {
  /** The dtype of floating-point values. */
  readonly dtype: DType;
  /** Returns the variable of a weight of the file. */
  weight(kind: 'parameter' | 'state', request: WeightRequest): Node;
  /** Whether a batch normalisation with these weights uses its moving statistics in training, too. */
  frozen(weights: readonly Node[]): boolean;
}

/** Which weight a layer asks for, and what it expects of it. */
export interface WeightRequest extends WeightPlace {
  /** The shape in the file. */
  readonly shape: readonly number[];
  readonly arrangement: Arrangement;
}

/** The results of a layer. A result that is a node has the axes in the order of the model. */
export type Built = Node | Value | readonly (Node | Value)[];

/** A class of layers. */
export interface Row {
  /** Builds the graph of an application of the layer. If this has many nodes, it pauses after each part of them. */
  readonly build: (call: LayerCall) => Built | Pauses<Built>;
  /** What is done with a mask: 'pass' gives the results that of the input. By default, a mask is refused. */
  readonly mask: 'pass' | 'own' | 'refuse';
  /** What is not supported, for the table in the docs. */
  readonly without?: string;
  /** Where the layer computes something else than TensorFlow.js or Keras, for the table in the docs. */
  readonly differs?: string;
}

export type Rows = Readonly<Record<string, Row>>;

/** Makes a row. By default, a mask is refused. */
export function row(
  build: Row['build'],
  { mask = 'refuse', ...docs }: Partial<Omit<Row, 'build'>> = {},
): Row {
  return { build, mask, ...docs };
}

/** An application of a layer. */
export class LayerCall {
  readonly config: Config;
  readonly #paths: readonly string[];
  #weights = 0;

  constructor(
    readonly variables: Variables,
    readonly layer: Layer,
    readonly inputs: readonly Value[],
    /** The paths that the layer may have in the names of weights. */
    paths: readonly string[],
    /** Applies a layer that is within this one, whose paths are those of this layer, and paths below it. */
    readonly applyInner: (
      inner: Layer,
      inputs: readonly Value[],
      below?: string,
    ) => Pauses<Value[]>,
  ) {
    this.config = layer.config();
    this.#paths = paths;
  }

  get dtype(): DType {
    return this.variables.dtype;
  }

  /** Ends the import of the layer, because forebay does not support it. */
  unsupported(reason: string): never {
    throw new Unsupported(reason);
  }

  /** The only input. @throws FormatError if there are several */
  get input(): Value {
    const [only] = this.inputs;
    if (only !== undefined && this.inputs.length === 1) return only;
    throw new FormatError(`expected one input, but there are ${this.inputs.length}`);
  }

  /** The only input as a node with the axes in the order of the model. @param rank its number of axes */
  plain(rank?: number): Node {
    const { plain } = this.input;
    if (rank === undefined || plain.shape.length === rank) return plain;
    throw new FormatError(`expected an input with ${rank} axes, but it has ${plain.shape.length}`);
  }

  /** A dimension that must be a number. */
  size(dim: Dim | undefined, what: string): number {
    if (typeof dim === 'number') return dim;
    return this.unsupported(
      `${what} is '${dim}', but must be a number: give it in the option inputs`,
    );
  }

  sizes(dims: Shape, what: string): number[] {
    return dims.map((dim) => this.size(dim, what));
  }

  /** An axis of an input with `rank` axes, counted from 0. */
  axis(axis: number, rank: number): number {
    const found = axis < 0 ? axis + rank : axis;
    if (found >= 0 && found < rank) return found;
    throw new FormatError(`axis ${axis} is out of range: the input has ${rank} axes`);
  }

  /** Where an axis of the model is in the only input, as it was computed. */
  nativeAxis(axis: number): number {
    const { layout, rank } = this.input;
    return axisIn(layout, this.axis(axis, rank), rank);
  }

  /**
   * A parameter. Layers ask for their weights in the order of Keras.
   * @param key the name of the weight, or the names that it may have
   * @param shape the shape in the file
   */
  weight(
    key: string | readonly string[],
    shape: readonly number[],
    arrangement: Arrangement = {},
  ): Node {
    return this.#variable('parameter', key, { shape, arrangement, inCell: false });
  }

  /** A parameter of a recurrent layer, which may be that of its cell in the file. */
  cellWeight(key: string, shape: readonly number[]): Node {
    return this.#variable('parameter', key, { shape, arrangement: {}, inCell: true });
  }

  /** A weight that is not trained. */
  state(key: string, shape: readonly number[]): Node {
    return this.#variable('state', key, { shape, arrangement: {}, inCell: false });
  }

  #variable(
    kind: 'parameter' | 'state',
    key: string | readonly string[],
    expected: Pick<WeightRequest, 'shape' | 'arrangement' | 'inCell'>,
  ): Node {
    const keys = typeof key === 'string' ? [key] : key;
    const index = this.#weights++;
    return this.variables.weight(kind, { paths: this.#paths, keys, index, ...expected });
  }

  /** Whether images have their channels after the batch in the model. */
  get channelsFirst(): boolean {
    const format = this.config.text('data_format', 'channels_last');
    if (format === 'channels_first') return true;
    if (format === 'channels_last') return false;
    return this.unsupported(`data_format '${format}'`);
  }

  /**
   * The only input with the channels after the batch, and a function that makes a value of a result in that order.
   * @param rank the number of axes of the input
   */
  image(rank: number): { x: Node; result: (node: Node) => Value } {
    if (this.input.rank !== rank) this.plain(rank);
    if (this.channelsFirst) return { x: this.input.plain, result: (node) => Value.plain(node) };
    return { x: this.input.first, result: (node) => Value.first(node) };
  }

  /** Ends the import if the configuration has members that no row has asked for. */
  assertAllRead(): void {
    const left = this.config.unread();
    if (left.length > 0) this.unsupported(left.map((key) => `'${key}'`).join(', '));
  }
}
