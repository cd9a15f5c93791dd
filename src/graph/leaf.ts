/** Leaves: the nodes without inputs. What a graph reads, and what training writes. */

import { describeValue } from '../arguments/describe.js';
import { callback, checkedLater, seedNumber } from '../arguments/kinds.js';
import {
  declareOptions,
  type Kind,
  type OptionsOf,
  optional,
  required,
} from '../arguments/options.js';
import { isRecord } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, StateError, ValueError } from '../errors.js';
import { type DType, dtypeName, sharedArray } from '../tensor/dtype.js';
import { isNumberArray } from '../tensor/nested.js';
import { isPlainTensor } from '../tensor/plain.js';
import { assertShape, dimensionList, formatShape } from '../tensor/shape.js';
import {
  asTensor,
  isTensor,
  isTensorLike,
  Tensor,
  type TensorLike,
  tensor,
} from '../tensor/tensor.js';
import { type Dim, dimension, isDimensionName, type Shape } from './dimension.js';
import { NodeTable, share, twin } from './interning.js';
import { failFor, isNode, Node } from './node.js';
import type { Op, Operand } from './op.js';
import { leafSeed } from './seed.js';

/** What a leaf is for: fed at run time, trained, carried from run to run, or never changed. */
export type LeafKind = 'input' | 'parameter' | 'state' | 'constant';

function leafOp(name: LeafKind): Op {
  return {
    name,
    arity: 0,
    dtype: () => 'float32',
    shape: () => [],
    lowering: { kind: 'leaf' },
    gradient: () => [],
    samples: [],
    refused: [],
  };
}

const ops: Readonly<Record<LeafKind, Op>> = {
  input: leafOp('input'),
  parameter: leafOp('parameter'),
  state: leafOp('state'),
  constant: leafOp('constant'),
};

/** A node without inputs. */
export abstract class Leaf extends Node {
  /**
   * Leaves are made by `input`, `parameter`, `state` and `constant`.
   * @throws GraphError for a Leaf that is none of these; ValueError if the kind is not one
   */
  constructor(
    /** What it is for. */
    readonly kind: LeafKind,
    shape: Shape,
    dtype: DType,
    name?: string,
  ) {
    super(ops[assertKind(kind)], [], {}, shape, dtype, name);
    if (new.target !== Leaf) return;
    throw new GraphError(
      'Leaf: this class has no instances of its own; input, parameter, state and constant make leaves',
    );
  }
}

function assertKind(kind: unknown): LeafKind {
  if (typeof kind === 'string' && Object.hasOwn(ops, kind)) return kind as LeafKind;
  throw new ValueError(
    `Leaf: expected a kind of ${Object.keys(ops).join(', ')}, but received ${describeValue(kind)}`,
  );
}

/** A leaf that is fed at run time, by its name. */
export class Input extends Leaf {
  /** Made by `input`. @internal */
  constructor(name: string, shape: Shape, dtype: DType) {
    super('input', shape, dtype, assertName(name, 'input'));
  }
}

/** A leaf that holds its value, in memory of its own that can never be detached. */
abstract class Valued extends Leaf {
  readonly #value: Tensor;

  constructor(kind: LeafKind, value: Tensor, name?: string) {
    super(kind, assertTensor(value, kind).shape, value.dtype, name);
    const memory = sharedArray(value.dtype, value.size);
    if (value.size > 0) memory.set(value.data);
    this.#value = new Tensor(memory, value.shape);
  }

  /** Live: what runs read and, for parameters and states, write. */
  get value(): Tensor {
    return this.#value;
  }
}

function assertTensor(value: unknown, kind: LeafKind): Tensor {
  if (isTensor(value)) return value;
  throw new ValueError(`${kind}: expected a tensor, but received ${describeValue(value)}`);
}

/** Of the runs in flight off this thread: those that read or write a leaf, and those of them that write it. */
interface Flights {
  runs: number;
  writers: number;
}

let flightsOf: (leaf: Variable) => Flights;

/** A value that runs may write: a parameter is trained, a state is carried from run to run. */
export class Variable extends Valued {
  /** What it is for. */
  declare readonly kind: 'parameter' | 'state';
  readonly #flights: Flights = { runs: 0, writers: 0 };

  static {
    flightsOf = (leaf) => leaf.#flights;
  }

  /** Made by `parameter` and `state`. @internal */
  constructor(kind: 'parameter' | 'state', name: string, value: Tensor) {
    super(kind, value, assertName(name, kind));
  }

  /**
   * Copies new elements in.
   * @throws ShapeError or DTypeError when they do not fit; StateError while a run is in flight that
   *   reads or writes it; the value is unchanged then
   */
  set(value: TensorLike): void {
    if (this.#flights.runs > 0) {
      throw new StateError(
        `${this} set: a run that reads or writes it is in flight; await it before`,
      );
    }
    const next = fittingTensor(value, this.dtype, `${this} set:`);
    if (next.dtype !== this.dtype) {
      throw new DTypeError(`${this} set: expected ${this.dtype}, but received ${next.dtype}`);
    }
    const flat = isNumberArray(value) && next.size === this.value.size;
    if (!flat && formatShape(next.shape) !== formatShape(this.shape)) {
      throw new ShapeError(
        `${this} set: expected shape ${formatShape(this.shape)}, but received ${formatShape(next.shape)}`,
      );
    }
    if (next.size > 0) this.value.data.set(next.data);
  }
}

/** Says that a run in flight reads or writes these leaves, and of which of them it is that it writes. */
export function holdLeaves(leaves: readonly Variable[], written: readonly Variable[] = []): void {
  for (const leaf of leaves) flightsOf(leaf).runs++;
  for (const leaf of written) flightsOf(leaf).writers++;
}

/** Undoes `holdLeaves`. */
export function releaseLeaves(
  leaves: readonly Variable[],
  written: readonly Variable[] = [],
): void {
  for (const leaf of leaves) flightsOf(leaf).runs--;
  for (const leaf of written) flightsOf(leaf).writers--;
}

/** Whether a run in flight reads or writes it. */
export function inFlight(leaf: Variable): boolean {
  return flightsOf(leaf).runs > 0;
}

/** Whether a run in flight writes it, now or before it ends. */
export function writtenInFlight(leaf: Variable): boolean {
  return flightsOf(leaf).writers > 0;
}

/** A value that never changes. */
export class Constant extends Valued {
  /** Made by `constant`. @internal */
  constructor(value: Tensor) {
    super('constant', value);
  }

  /** @internal */
  override [twin](): this {
    return new Constant(this.value) as this;
  }
}

/** Draws a parameter's first value. Pure: the same arguments give the same tensor. */
export type Initializer = (
  shape: readonly number[],
  options: { readonly dtype: DType; readonly seed: number },
) => Tensor;

/** An option that draws first values. */
export const initializer: Kind<Initializer> = callback<Initializer>(
  'an initialiser, a function such as initializers.he()',
);

const parameterOptions = declareOptions('parameter', {
  /** Of numbers only: names of dimensions are for inputs. */
  shape: required(checkedLater<readonly number[]>('a list of numbers'), 'size', 'dims'),
  /** What draws it: one of `initializers`, or a function of your own. */
  init: required(initializer, 'initializer'),
  /** `float32` unless told otherwise. */
  dtype: optional(dtypeName, 'type'),
  /** Defaults to one derived from `setSeed` and the parameter's name. */
  seed: optional(seedNumber),
});

/** How a first value is drawn. */
export interface ParameterOptions extends OptionsOf<typeof parameterOptions> {}

const leafOptions = declareOptions('input, state, constant', {
  /** `float32` unless told otherwise, or unless the value has a dtype of its own. */
  dtype: optional(dtypeName, 'type'),
});

/** What `input`, `state` and `constant` may be told. */
export interface LeafOptions extends OptionsOf<typeof leafOptions> {}

/**
 * A leaf that is fed at run time, under its name; float32 unless told otherwise.
 * @param shape numbers and names of dimensions, as in `['batch', 784]`
 * @throws ShapeError if `shape` is not a list of dimensions; DTypeError if the dtype is not one; ValueError if `name` is
 *   not a string or is empty, and for an unknown option
 */
export function input(name: string, shape: readonly Dim[], options?: LeafOptions): Input {
  const context = `input ${nameOf(name, 'input')}:`;
  const dims = dimensionList(shape, context).map((dim) => {
    if (typeof dim === 'string' && !isDimensionName(dim)) {
      throw new ShapeError(
        `${context} a dimension is a number or a name of letters, digits and _, but '${dim}' is neither`,
      );
    }
    return dimension(dim, context);
  });
  const { dtype = 'float32' } = leafOptions.read(options, `input '${name}'`);
  return new Input(name, Object.freeze(dims), dtype);
}

/**
 * A leaf that training changes.
 * @param value its first value, which is copied, or the shape and initialiser that draw it
 * @throws ShapeError or DTypeError if the shape or the dtype is not one; ValueError if `name` is not a string or is
 *   empty, if the value is not one, for an unknown option, and if the initialiser gives another shape or dtype
 */
export function parameter(name: string, value: TensorLike | ParameterOptions): Variable {
  const context = `parameter ${nameOf(name, 'parameter')}:`;
  if (!isRecord(value) || isPlainTensor(value))
    return new Variable('parameter', name, fittingTensor(value, 'float32', context));
  const options = parameterOptions.read(value, `parameter '${name}'`);
  const { init, dtype = 'float32', seed = leafSeed(name) } = options;
  const shape = assertShape(options.shape, context);
  const drawn = init(shape, { dtype, seed });
  if (
    !isTensor(drawn) ||
    drawn.dtype !== dtype ||
    formatShape(drawn.shape) !== formatShape(shape)
  ) {
    const came = isTensor(drawn)
      ? `${drawn.dtype} ${formatShape(drawn.shape)}`
      : describeValue(drawn);
    throw new ValueError(
      `${context} the initialiser must give ${dtype} ${formatShape(shape)}, but gave ${came}`,
    );
  }
  return new Variable('parameter', name, drawn);
}

/**
 * A leaf that is carried from run to run: an LSTM's cell, an optimizer's moments, a learning rate.
 * @param value its first value, which is copied: of float32 where it has no dtype of its own
 * @throws DTypeError if a tensor has another dtype than the one asked for; ShapeError for ragged arrays; ValueError
 *   if `name` is not a string or is empty, if the value is not one, and for an unknown option
 */
export function state(name: string, value: TensorLike, options?: LeafOptions): Variable {
  const context = `state ${nameOf(name, 'state')}:`;
  const { dtype } = leafOptions.read(options, `state '${name}'`);
  return new Variable('state', name, tensorOf(value, dtype, context));
}

/**
 * A leaf whose value never changes; float32 where it has no dtype of its own. Numbers are interned: equal ones of one
 * dtype are one node.
 * @throws DTypeError if a tensor has another dtype than the one asked for; ShapeError for ragged arrays; ValueError
 *   if the value is not one, and for an unknown option
 */
export function constant(value: TensorLike, options?: LeafOptions): Constant {
  const { dtype } = leafOptions.read(options, 'constant');
  return typeof value === 'number'
    ? scalar(value, dtype ?? 'float32')
    : new Constant(tensorOf(value, dtype, 'constant:'));
}

const scalars = new NodeTable<Constant>();

function scalar(value: number, dtype: DType): Constant {
  const key = `${dtype} ${Object.is(value, -0) ? '-0' : value}`;
  const existing = scalars.get(key);
  if (existing) {
    share(existing);
    return existing;
  }
  const made = new Constant(tensor(value, { dtype }));
  scalars.set(key, made);
  return made;
}

/**
 * Turns operands into nodes; plain numbers take the dtype of the first operand that has one.
 * @throws ValueError if an operand is not a node, a tensor or a number
 */
export function lift(opName: string, operands: readonly Operand[]): Node[] {
  const typed = operands.find((operand) => isNode(operand) || isTensor(operand));
  const dtype = (typed as Node | Tensor | undefined)?.dtype ?? 'float32';
  const refuse = (message: string) => {
    const nodes = operands.filter(isNode);
    return failFor({ name: opName }, nodes).value(message);
  };
  return operands.map((operand, index) => {
    if (isNode(operand)) return operand;
    if (isTensor(operand)) return new Constant(asTensor(operand, dtype, `[${opName}]`));
    if (typeof operand === 'number') {
      if (dtype === 'int32' && operand !== (operand | 0)) {
        return refuse(`operand ${index}, ${operand}, is not a 32-bit integer as the others are`);
      }
      return scalar(operand, dtype);
    }
    const form = isTensorLike(operand) ? '; make it a node by constant()' : '';
    return refuse(
      `expected a node, a tensor or a number as operand ${index}, but received ${describeValue(operand)}${form}`,
    );
  });
}

function nameOf(name: unknown, kind: LeafKind): string {
  return `'${assertName(name, kind)}'`;
}

function assertName(name: unknown, kind: LeafKind): string {
  if (typeof name === 'string' && name !== '') return name;
  throw new ValueError(`${kind}: expected a name, but received ${describeValue(name)}`);
}

function fittingTensor(value: TensorLike, dtype: DType, context: string): Tensor {
  if (!isTensorLike(value)) {
    throw new ValueError(
      `${context} expected a tensor, a number or nested arrays of numbers, but received ${describeValue(value)}`,
    );
  }
  return asTensor(value, dtype, context);
}

/** The same where a dtype may be asked for: a tensor of another dtype is refused, not converted. */
function tensorOf(value: TensorLike, dtype: DType | undefined, context: string): Tensor {
  const made = fittingTensor(value, dtype ?? 'float32', context);
  if (dtype === undefined || made.dtype === dtype) return made;
  throw new DTypeError(`${context} the tensor is ${made.dtype}, but dtype ${dtype} was asked for`);
}
