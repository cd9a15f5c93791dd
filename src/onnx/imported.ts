/** The module that `importOnnx` makes. */

import { types } from 'node:util';
import { assertRecord } from '../arguments/read.js';
import { FormatError, ShapeError, StateError, ValueError } from '../errors.js';
import type { Shape } from '../graph/dimension.js';
import { constant, input, lift, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Operand } from '../graph/op.js';
import { noteUsers } from '../graph/users.js';
import { assertFits, infosOf, type TensorInfo } from '../imports/inputs.js';
import { Obstacles } from '../imports/obstacles.js';
import { atOnce, type Pauses } from '../imports/slices.js';
import { type Match, Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { type DType, isFloating } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { Budget, type Importing } from './call.js';
import { type ElementType, gone, knownOf, Stored } from './elements.js';
import { absent, Frame, type OperatorSets } from './frame.js';
import { Interpreter } from './interpreter.js';
import type { FunctionProto, GraphProto, TensorProto } from './messages.js';
import { Value } from './value.js';
import { Variables } from './variables.js';

/** An input of a model, before it is imported. */
export interface ModelInput {
  readonly type: ElementType;
  /** The shape; undefined if the file has none. */
  readonly shape: Shape | undefined;
}

/** A model, read and checked. */
export interface Model {
  /** The name of the file in error messages. */
  readonly file: string;
  readonly graph: GraphProto;
  readonly sets: OperatorSets;
  readonly functions: ReadonlyMap<string, FunctionProto>;
  /** The inputs that are fed, by name. */
  readonly inputs: ReadonlyMap<string, ModelInput>;
  /** The inputs whose values are fixed. */
  readonly fixed: ReadonlyMap<string, { readonly type: ElementType; readonly value: Tensor }>;
  /** Why inputs that forebay does not have a dtype for cannot be used, by their names. */
  readonly refused: ReadonlyMap<string, string>;
  readonly outputs: readonly string[];
  /** The dtype of floating-point values; undefined if each has that of its type. */
  readonly floats: DType | undefined;
  /** Reads the elements of a tensor that are in another file. */
  readonly external: (tensor: Stored, proto: TensorProto, bytes: number) => Promise<Uint8Array>;
}

/**
 * A model of an ONNX file as a module. Its weights are parameters, which are frozen, and the statistics of its batch
 * normalisations are states. Their paths are the names of their tensors in the file.
 */
export class OnnxModule extends Module {
  /** The variables, by the names of their tensors in the file. */
  readonly variables: ReadonlyMap<string, Variable>;
  readonly #model: Model;
  readonly #stored = new WeakMap<TensorProto, Stored>();
  /** The names of the tensors of floats that the graph needs. Not all of them are variables. */
  readonly #needed = new Set<string>();
  readonly #all: Variables;
  readonly #constants = new Map<Stored, Node>();
  #inputs: Readonly<Record<string, TensorInfo>> = {};
  #outputs: Readonly<Record<string, TensorInfo>> = {};

  /** Only `importOnnx` calls this constructor. @internal */
  constructor(scope: string | Scope, model: Model) {
    super(scope);
    this.#model = model;
    this.#all = new Variables(this.name, (type) => this.#dtypeOf(type));
    this.variables = this.#all.byPath;
  }

  /** The shapes and dtypes of the inputs, by their names in the file. Inputs with a fixed value are not among them. */
  get inputs(): Readonly<Record<string, TensorInfo>> {
    return this.#inputs;
  }

  /** The shapes and dtypes of the outputs, by their names in the file, for inputs of the shapes of `inputs`. */
  get outputs(): Readonly<Record<string, TensorInfo>> {
    return this.#outputs;
  }

  /**
   * Builds the graph of the model. Users call `apply`.
   * @param feeds a node for each input, by the names in the file, of the dtype and the number of axes of the input, and
   *   of its size where that is a number
   * @returns the outputs, by their names in the file
   * @throws ValueError if an input is missing or unknown; ShapeError or DTypeError if a node does not fit its input, or
   *   the model cannot be applied to such shapes
   */
  forward(feeds: Readonly<Record<string, Operand>>): Record<string, Node> {
    const given = new Map(
      assertRecord(feeds, `${this}: expected a record of nodes by the names of inputs,`),
    );
    for (const name of given.keys()) {
      if (this.#model.inputs.has(name)) continue;
      const fixed = this.#model.fixed.has(name) ? ': its value was fixed at the import' : '';
      throw new ValueError(`${this}: there is no input '${name}'${fixed}; ${this.#named()}`);
    }
    const nodes = new Map<string, Node>();
    for (const [name, info] of Object.entries(this.#inputs)) {
      const operand = given.get(name);
      if (operand === undefined) {
        throw new ValueError(`${this}: the input '${name}' is missing; ${this.#named()}`);
      }
      const [node] = lift(`${this} input '${name}'`, [operand]) as [Node];
      assertFits(`${this}: the input '${name}'`, node, info);
      nodes.set(name, node);
    }
    // The elements of the file were read at the import.
    return atOnce(this.#build(nodes), () => {
      throw gone(`${this}`);
    });
  }

  /**
   * Undoes the freezing of parameters, so that optimizers whose updates are built later train them.
   * @param match chooses parameters by their names in the file; by default, all of them
   * @throws StateError if `match` chooses only tensors with which the import has computed; ValueError if it chooses
   *   nothing, or is neither a function nor a regular expression
   */
  override unfreeze(match?: Match): void {
    if (types.isRegExp(match)) {
      const matches = (name: string) => name.search(match) >= 0;
      const names = [...this.variables.keys()];
      if (!names.some(matches)) {
        const computed = [...this.#needed].filter(matches).map((name) => `'${name}'`);
        if (computed.length > 0) {
          throw new StateError(
            `${this} unfreeze: ${computed.join(', ')} cannot be trained, because the graph was computed at the import with its elements`,
          );
        }
        throw new ValueError(
          `${this} unfreeze: ${match} matches none of its variables, ${names.slice(0, 50).join(', ')}`,
        );
      }
    }
    super.unfreeze(match);
  }

  #named(): string {
    const names = Object.keys(this.#inputs);
    return names.length === 0 ? 'it has no inputs' : `its inputs are ${names.join(', ')}`;
  }

  /**
   * Builds the graph once, for inputs of the shapes of the file. This makes the variables, and finds what forebay does
   * not support.
   * @internal
   */
  *prepare(): Pauses<void> {
    try {
      const leaves = new Map(
        [...this.#model.inputs].map(([name, { type, shape }]) => {
          if (shape !== undefined)
            return [name, input(name, shape, { dtype: this.#dtypeOf(type) })];
          throw new ShapeError(
            `${this.#model.file}: the input '${name}' has no shape in the file: give it in the option inputs`,
          );
        }),
      );
      this.#inputs = infosOf(leaves);
      const outputs = yield* this.#build(leaves);
      this.#outputs = infosOf(Object.entries(outputs));
      noteUsers(Object.values(outputs));
      this.#release();
    } catch (cause) {
      this.abandon();
      const names = Object.values(this.#inputs).flatMap(({ shape }) =>
        shape.filter((dim) => typeof dim === 'string'),
      );
      if (!(cause instanceof ShapeError) || names.length === 0) throw cause;
      throw new ShapeError(
        `${cause.message}; the option inputs gives numbers to the dimensions ${[...new Set(names)].join(', ')}`,
        { cause },
      );
    }
  }

  *#build(inputs: ReadonlyMap<string, Node>): Pauses<Record<string, Node>> {
    const { file, graph, sets, functions, fixed, outputs } = this.#model;
    const frame = Frame.ofGraph(file, sets, graph);
    for (const [name, node] of inputs) {
      const { type } = this.#model.inputs.get(name) as ModelInput;
      frame.values.set(name, Value.computed(type, node));
    }
    for (const [name, { type, value }] of fixed) {
      const dtype = this.#dtypeOf(type);
      frame.values.set(name, Value.known(knownOf(type, value), dtype));
    }
    for (const [name, reason] of this.#model.refused) {
      frame.values.set(name, absent);
      frame.refusals.set(name, { node: `the input '${name}'`, reason });
    }
    const obstacles = new Obstacles('node');
    const interpreter = new Interpreter(this.#importing(), functions, obstacles);
    const values = yield* interpreter.resolve(frame, outputs);
    for (const name of outputs) interpreter.noteRefusal(frame, name);
    obstacles.assertNone(file);
    return Object.fromEntries(
      outputs.map((name, index) => {
        const value = values[index] as (typeof values)[number];
        if (value === absent) throw new FormatError(`${file}: the output '${name}' has no value`);
        return [name, value.node];
      }),
    );
  }

  #dtypeOf(type: ElementType): DType {
    return isFloating(type.dtype) ? (this.#model.floats ?? type.dtype) : type.dtype;
  }

  #importing(): Importing {
    const variables = this.#all;
    return {
      file: this.#model.file,
      budget: new Budget(),
      dtypeOf: (type) => this.#dtypeOf(type),
      stored: (proto, name) => this.#storedOf(proto, name),
      valueOf: (stored) => {
        const floats = isFloating(stored.type.dtype);
        if (floats) this.#needed.add(stored.name);
        return Value.stored(stored, () =>
          floats && stored.size > 1 ? variables.shared(stored) : this.#constantOf(stored),
        );
      },
      parameterOf: (stored) => variables.shared(stored),
      listed: (owner, name, elements, shape) => variables.listed(owner, name, elements, shape),
      ownVariable: (kind, stored, owner, input) => variables.own(kind, stored, owner, input),
    };
  }

  /** Returns the constant of a tensor. It is kept, because the elements of the file are freed after the import. */
  #constantOf(stored: Stored): Node {
    const known = this.#constants.get(stored);
    if (known !== undefined) return known;
    const dtype = this.#dtypeOf(stored.type);
    const value = stored.tensor(dtype);
    const made =
      value.shape.length === 0 ? constant(value.data[0] as number, { dtype }) : constant(value);
    this.#constants.set(stored, made);
    return made;
  }

  #storedOf(proto: TensorProto, name: string): Stored {
    const known = this.#stored.get(proto);
    if (known !== undefined) return known;
    const { file, external } = this.#model;
    const made = new Stored(file, name, proto, (tensor, bytes) => external(tensor, proto, bytes));
    this.#stored.set(proto, made);
    return made;
  }

  /** Frees what is no longer needed of the file. */
  #release(): void {
    releaseGraph(this.#model.graph, this.#stored);
    for (const { node } of this.#model.functions.values()) releaseNodes(node, this.#stored);
  }
}

function releaseGraph(graph: GraphProto, made: WeakMap<TensorProto, Stored>): void {
  for (const tensor of graph.initializer) releaseTensor(tensor, made);
  releaseNodes(graph.node, made);
}

function releaseNodes(nodes: GraphProto['node'], made: WeakMap<TensorProto, Stored>): void {
  for (const { attribute } of nodes) {
    for (const { t, g } of attribute) {
      if (t !== undefined) releaseTensor(t, made);
      if (g !== undefined) releaseGraph(g, made);
    }
  }
}

/** Frees the elements of a tensor. Those of a small tensor are kept, because other shapes may need them. */
function releaseTensor(proto: TensorProto, made: WeakMap<TensorProto, Stored>): void {
  const stored = made.get(proto);
  stored?.release();
  const numbers = [
    proto.floatData,
    proto.doubleData,
    proto.int32Data,
    proto.int64Data,
    proto.uint64Data,
  ];
  const bytes = numbers
    .flat()
    .reduce((sum, { length }) => sum + length, proto.rawData?.length ?? 0);
  if (stored === undefined && bytes <= Stored.most) {
    // The bytes are views of the file, which would stay in memory.
    proto.rawData = proto.rawData?.slice();
    for (const pieces of numbers)
      pieces.forEach((piece, index) => {
        pieces[index] = piece.slice();
      });
    return;
  }
  for (const pieces of numbers) pieces.length = 0;
  proto.rawData = undefined;
  if (stored === undefined) proto.dataLocation = 1; // in another file, which forward() does not read
}
