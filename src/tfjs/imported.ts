/** The module that `importTfjs` makes. */

import { assertRecord, isRecord } from '../arguments/read.js';
import { FormatError, ValueError } from '../errors.js';
import { freezeAll, isFrozen } from '../graph/frozen.js';
import { input, isVariable, lift, parameter, state, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { assertFits, infosOf, type TensorInfo } from '../imports/inputs.js';
import { Obstacles } from '../imports/obstacles.js';
import { atOnce, type Pauses } from '../imports/slices.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { type absent, Builder } from './builder.js';
import type { Variables, WeightRequest } from './call.js';
import type { Model, Ref } from './topology.js';
import { Value } from './value.js';
import type { Weights } from './weights.js';

/** A model, read and checked. */
export interface ReadModel {
  /** The name of the file in error messages. */
  readonly file: string;
  readonly model: Model;
  readonly weights: Weights;
  /** The shapes and dtypes of the inputs, by name. */
  readonly inputs: ReadonlyMap<string, TensorInfo>;
  /** The results that the module returns, by name. */
  readonly outputs: ReadonlyMap<string, Ref>;
  /** Whether the outputs are those of the file, so that all weights are needed. */
  readonly whole: boolean;
  /** The dtype of floating-point values. */
  readonly floats: DType;
}

/**
 * A model of TensorFlow.js as a module. Its weights are parameters, which are frozen, and the moving statistics of its
 * batch normalisations are states. Their paths are the names of the weights in the file.
 */
export class TfjsModule extends Module {
  /** The variables, by the names of their weights in the file. The kernels of convolutions are [filters, channels, ..]. */
  readonly variables: ReadonlyMap<string, Variable>;
  readonly #variables: Map<string, Variable>;
  readonly #read: ReadModel;
  #outputs: Readonly<Record<string, TensorInfo>> = {};

  /** Only `importTfjs` calls this constructor. @internal */
  constructor(scope: string | Scope, read: ReadModel) {
    super(scope);
    this.#variables = new Map();
    this.variables = this.#variables;
    this.#read = read;
  }

  /** The shapes and dtypes of the inputs, by their names in TensorFlow.js. */
  get inputs(): Readonly<Record<string, TensorInfo>> {
    return Object.fromEntries(this.#read.inputs);
  }

  /** The shapes and dtypes of the outputs, by their names in TensorFlow.js, for inputs of the shapes of `inputs`. */
  get outputs(): Readonly<Record<string, TensorInfo>> {
    return this.#outputs;
  }

  /**
   * Builds the graph of the model. Users call `apply`.
   * @param feeds a node for each input, by the names in TensorFlow.js, of the dtype and the number of axes of the input,
   *   and of its size where that is a number. If there is one input, it may also be the node itself
   * @returns the outputs, by their names in TensorFlow.js
   * @throws ValueError if an input is missing or unknown; ShapeError or DTypeError if a node does not fit its input, or
   *   the model cannot be applied to such shapes
   */
  forward(feeds: Readonly<Record<string, Operand>> | Operand): Record<string, Node> {
    const { inputs } = this.#read;
    const given = this.#given(feeds);
    for (const name of given.keys()) {
      if (inputs.has(name)) continue;
      throw new ValueError(`${this}: there is no input '${name}'; ${this.#named()}`);
    }
    const nodes = [...inputs].map(([name, info]) => {
      const operand = given.get(name);
      if (operand === undefined) {
        throw new ValueError(`${this}: the input '${name}' is missing; ${this.#named()}`);
      }
      const [node] = lift(`${this} input '${name}'`, [operand]) as [Node];
      assertFits(`${this}: the input '${name}'`, node, info);
      return node;
    });
    return atOnce(this.#build(nodes));
  }

  #given(feeds: Readonly<Record<string, Operand>> | Operand): ReadonlyMap<string, Operand> {
    const [only, ...others] = this.#read.inputs.keys();
    if (only !== undefined && others.length === 0 && !isRecord(feeds)) {
      return new Map([[only, feeds as Operand]]);
    }
    const record = feeds as Readonly<Record<string, Operand>>;
    return new Map(
      assertRecord(record, `${this}: expected a record of nodes by the names of inputs,`),
    );
  }

  #named(): string {
    return `its inputs are ${[...this.#read.inputs.keys()].join(', ')}`;
  }

  /**
   * Builds the graph once, for inputs of the shapes of the file. This makes the variables, and finds what forebay does
   * not support.
   * @internal
   */
  *prepare(): Pauses<void> {
    const { file, inputs, weights, whole } = this.#read;
    try {
      const leaves = [...inputs].map(([name, { shape, dtype }]) => input(name, shape, { dtype }));
      const outputs = yield* this.#build(leaves);
      const unused = whole ? weights.unused().filter((name) => !isSeed(name)) : [];
      if (unused.length > 0) {
        throw new FormatError(
          `${file}: no layer has the weights ${unused.map((name) => `'${name}'`).join(', ')}`,
        );
      }
      this.#outputs = infosOf(Object.entries(outputs));
      weights.release();
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  *#build(nodes: readonly Node[]): Pauses<Record<string, Node>> {
    const { file, model, outputs } = this.#read;
    const obstacles = new Obstacles('layer');
    const builder = new Builder(file, this.#asVariables(), obstacles);
    builder.list(model);
    const building = builder.apply(
      model,
      nodes.map((node) => Value.plain(node)),
      [model.name],
      [...outputs.values()],
    );
    const values = yield* bounded(file, building);
    obstacles.assertNone(file);
    return Object.fromEntries(
      [...outputs.keys()].map((name, index) => [
        name,
        (values[index] as Exclude<(typeof values)[number], typeof absent>).plain,
      ]),
    );
  }

  #asVariables(): Variables {
    return {
      dtype: this.#read.floats,
      weight: (kind, request) => this.#weight(kind, request),
      frozen: (weights) =>
        weights.length === 0
          ? this.frozen
          : weights.every((weight) => isVariable(weight) && isFrozen(weight)),
    };
  }

  /** Returns the variable of a weight. It is made when it is first needed. */
  #weight(kind: 'parameter' | 'state', request: WeightRequest): Node {
    const { weights, floats } = this.#read;
    const spec = weights.find(request);
    if (spec.dtype !== 'float32') {
      throw new FormatError(`its weight '${spec.name}' must be float32, but is ${spec.dtype}`);
    }
    if (formatShape(spec.shape) !== formatShape(request.shape)) {
      throw new FormatError(
        `its weight '${spec.name}' must have shape ${formatShape(request.shape)}, but has ${formatShape(spec.shape)}`,
      );
    }
    const known = this.#variables.get(spec.name);
    if (known !== undefined) return known;
    const name = `${this.name}.${spec.name}`;
    const value = weights.tensor(spec, floats, request.arrangement);
    const made = kind === 'parameter' ? parameter(name, value) : state(name, value);
    if (kind === 'parameter') freezeAll([made], `${this}`);
    this.#variables.set(spec.name, made);
    return made;
  }
}

/** The largest number of inputs of layers, steps of recurrent layers and phases of bilinear enlargements in one graph. */
const mostPauses = 100_000;

/**
 * Does work that pauses once for each input of each layer, and in long layers more often. A small file may have models within models, each
 * of which applies the next one twice.
 * @throws FormatError if there are too many
 */
function* bounded<T>(file: string, work: Pauses<T>): Pauses<T> {
  for (let count = 0; ; count++) {
    const { done, value } = work.next();
    if (done) return value;
    if (count === mostPauses) {
      throw new FormatError(
        `${file}: expected at most ${mostPauses} inputs of layers, steps of recurrent layers and phases of enlargements, but the model has more`,
      );
    }
    yield value;
  }
}

/** Whether a weight is the state of a generator of random numbers, which Keras 3 keeps in layers such as Dropout. */
function isSeed(name: string): boolean {
  return name.split('/').at(-1)?.startsWith('seed_generator_state') === true;
}
