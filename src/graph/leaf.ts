/** Leaves: nodes without inputs. They hold or receive the values that a graph reads and that training changes. */

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
import { type DType, dtypeName, misfit, sharedArray, type TypedArray } from '../tensor/dtype.js';
import { isNumberArray } from '../tensor/nested.js';
import { isPlainTensor } from '../tensor/plain.js';
import { assertShape, dimensionList, formatShape } from '../tensor/shape.js';
import {
  asTensor,
  type DTypeOf,
  isTensor,
  isTensorLike,
  Tensor,
  type TensorLike,
  tensor,
} from '../tensor/tensor.js';
import { noteChange } from './changes.js';
import { type Dim, dimension, isDimensionName, type Shape } from './dimension.js';
import { inFlight } from './in-flight.js';
import { NodeTable, share, twin } from './interning.js';
import { assertValue, failFor, isNode, Node } from './node.js';
import type { Op, Operand } from './op.js';
import { leafSeed } from './seed.js';

/**
 * The kind of a leaf: an `input` is fed in each run, a `parameter` is trained, a `state` is carried from run to run,
 * and a `constant` never changes. An `argument` gets a value in each step of a `scan`, from the scan.
 */
export type LeafKind = 'input' | 'parameter' | 'state' | 'constant' | 'argument';

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
  argument: leafOp('argument'),
};

/** A node without inputs. */
export abstract class Leaf extends Node {
  /**
   * Leaves are made by `input`, `parameter`, `state` and `constant`.
   * @throws GraphError if called as `new Leaf`; ValueError if `kind` is not a LeafKind
   */
  constructor(
    /** The kind of the leaf. */
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

/**
 * A leaf whose value is fed in each run: under the name of the leaf, or under its key in the option `inputs` of
 * `compile`. `Input` without arguments is an input of any dtype and shape.
 */
export class Input<D extends DType = DType, S extends Shape = Shape> extends Leaf {
  declare readonly dtype: D;
  declare readonly shape: S;

  /** Only `input` calls this constructor. @internal */
  constructor(name: string, shape: S, dtype: D) {
    super('input', shape, dtype, assertName(name, 'input'));
  }
}

/** Returns whether `value` is an input that this copy of forebay made. Never throws. */
export function isInput(value: unknown): value is Input {
  return isNode(value) && value instanceof Input;
}

/**
 * A leaf of the body of a `scan`, which has a value only there: a carry, the row of an input of the scan, the index of
 * the step, or a value that is the same in all steps.
 */
export class Argument extends Leaf {
  /**
   * Only `scan` calls this constructor.
   * @param scan the scan, as errors name it
   * @internal
   */
  constructor(
    name: string,
    shape: Shape,
    dtype: DType,
    readonly scan: string,
  ) {
    super('argument', shape, dtype, assertName(name, 'argument'));
  }
}

/** A leaf that holds its value in its own memory. The memory is shared memory, which can never be detached. */
abstract class Valued<D extends DType> extends Leaf {
  declare readonly dtype: D;
  readonly #value: Tensor<D>;

  constructor(kind: LeafKind, value: Tensor<D>, name?: string) {
    super(kind, assertTensor(value, kind).shape, value.dtype, name);
    const memory = sharedArray(value.dtype, value.size);
    if (value.size > 0) memory.set(value.data);
    this.#value = new Tensor<D>(memory as TypedArray<D>, value.shape, value.dtype);
  }

  /** The current value, not a copy. Runs read its memory, and write to it if the leaf is a parameter or a state. */
  get value(): Tensor<D> {
    return this.#value;
  }
}

function assertTensor(value: unknown, kind: LeafKind): Tensor {
  if (isTensor(value)) return value;
  throw new ValueError(`${kind}: expected a tensor, but received ${describeValue(value)}`);
}

/**
 * A leaf whose value can change in a run: a parameter, which is trained, or a state, which is carried from run to run.
 */
export class Variable<D extends DType = DType> extends Valued<D> {
  /** The kind of the leaf. */
  declare readonly kind: 'parameter' | 'state';

  /** Only `parameter` and `state` call this constructor. @internal */
  constructor(kind: 'parameter' | 'state', name: string, value: Tensor<D>) {
    super(kind, value, assertName(name, kind));
  }

  /**
   * Copies new elements into the value.
   * @param value elements of the leaf's shape and dtype. A typed array needs only the right number of elements, not the
   *   shape. Values that have no dtype, such as nested arrays of numbers, are converted to the dtype of the leaf
   * @throws ShapeError or DTypeError if the elements do not fit; ValueError if `value` cannot be made a tensor;
   *   StateError while a run that reads or writes the leaf is in flight. If it throws, the value is unchanged
   */
  set(value: TensorLike): void {
    if (inFlight(this)) {
      throw new StateError(
        `${this} set: a run that reads or writes it is in flight; await the run first`,
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
    noteChange(this);
  }
}

/** Returns whether `value` is a parameter or a state that this copy of forebay made. Never throws. */
export function isVariable(value: unknown): value is Variable {
  return isNode(value) && value instanceof Variable;
}

/** A leaf whose value never changes. */
export class Constant<D extends DType = DType> extends Valued<D> {
  /** Users call `constant`, and not this constructor. @internal */
  constructor(value: Tensor<D>) {
    super('constant', value);
  }

  /** @internal */
  override [twin](): this {
    return new Constant(this.value) as this;
  }
}

/**
 * A function that returns the first value of a parameter. It must be pure: for the same arguments, it must return equal
 * tensors.
 */
export type Initializer = (
  shape: readonly number[],
  options: { readonly dtype: DType; readonly seed: number },
) => Tensor;

/** The `Kind` of an option whose value is an initialiser. */
export const initializer: Kind<Initializer> = callback<Initializer>(
  'an initialiser, a function such as initializers.he()',
);

const parameterOptions = declareOptions('parameter', {
  /** The shape. All its dimensions are numbers, because only inputs can have named dimensions. */
  shape: required(checkedLater<readonly number[]>('a list of numbers'), 'size', 'dims'),
  /** The initialiser: one of `initializers`, or your own function. */
  init: required(initializer, 'initializer'),
  /** The dtype; `float32` by default. */
  dtype: optional(dtypeName, 'type'),
  /**
   * The seed of the initialiser. By default, it is derived from the name of the parameter and from the seed that
   * `setSeed` set.
   */
  seed: optional(seedNumber),
});

/** Options of `parameter`, for a parameter that gets its first value from an initialiser. */
export interface ParameterOptions<D extends DType = DType>
  extends OptionsOf<typeof parameterOptions> {
  /** The dtype; `float32` by default. */
  readonly dtype?: D | undefined;
}

const leafOptions = declareOptions('input, state, constant', {
  /** The dtype. By default, the dtype of the value if it has one, and otherwise `float32`. */
  dtype: optional(dtypeName, 'type'),
});

/** Options of `input`, `state` and `constant`. */
export interface LeafOptions<D extends DType = DType> extends OptionsOf<typeof leafOptions> {
  /** The dtype. By default, the dtype of the value if it has one, and otherwise `float32`. */
  readonly dtype?: D | undefined;
}

/**
 * Makes an input: a leaf whose value is fed in each run, under the name of the leaf. Its dtype is float32 by default.
 * @param shape numbers and names of dimensions, as in `['batch', 784]`
 * @throws ShapeError if `shape` is not a list of dimensions; DTypeError if `dtype` is not a dtype; ValueError if `name`
 *   is not a string or is empty, or if an option is unknown
 */
export function input<const S extends readonly Dim[], D extends DType = 'float32'>(
  name: string,
  shape: S,
  options?: LeafOptions<D>,
): Input<NoInfer<D>, Readonly<S>> {
  const context = `input ${nameOf(name, 'input')}:`;
  const dims = dimensionList(shape, context).map((dim) => {
    if (typeof dim === 'string' && !isDimensionName(dim)) {
      throw new ShapeError(
        `${context} expected a dimension that is a number, or a name of letters, digits and _, but received '${dim}'`,
      );
    }
    return dimension(dim, context);
  });
  const { dtype = 'float32' } = leafOptions.read(options, `input '${name}'`);
  return new Input(name, Object.freeze(dims) as readonly Dim[] as Readonly<S>, dtype as D);
}

/**
 * Makes a parameter: a leaf that training changes.
 * @param value the first value, which is copied; or options with the shape and the initialiser that draws the first
 *   value. A tensor or a typed array keeps its dtype: a Uint8Array is uint8. Booleans become bool, numbers float32
 * @throws ShapeError if the shape is not valid or nested arrays are ragged; DTypeError if `dtype` is not a dtype;
 *   ValueError if `name` is not a string or is empty, if `value` is neither an options object nor a value from which a
 *   tensor can be made, if an option is unknown, or if the initialiser returns another shape or dtype
 */
export function parameter<D extends DType = 'float32'>(
  name: string,
  value: ParameterOptions<D>,
): Variable<NoInfer<D>>;
export function parameter<T extends TensorLike>(name: string, value: T): Variable<DTypeOf<T>>;
export function parameter(name: string, value: TensorLike | ParameterOptions): Variable;
export function parameter(name: string, value: TensorLike | ParameterOptions): Variable {
  const context = `parameter ${nameOf(name, 'parameter')}:`;
  if (!isRecord(value) || isPlainTensor(value))
    return new Variable('parameter', name, fittingTensor(value as TensorLike, undefined, context));
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
      `${context} the initialiser must return ${dtype} ${formatShape(shape)}, but returned ${came}`,
    );
  }
  return new Variable('parameter', name, drawn);
}

/**
 * Makes a state: a leaf whose value is carried from run to run, such as the cell of an LSTM, the moments of an
 * optimizer or a learning rate.
 * @param value the first value, which is copied. A tensor or a typed array keeps its dtype: a Uint8Array is uint8. Other
 *   values get the dtype of the options; without it, booleans become bool, numbers float32
 * @throws DTypeError if the value has another dtype than the options; ShapeError if nested arrays are ragged;
 *   ValueError if `name` is not a string or is empty, if `value` cannot be made a tensor, or if an option is unknown
 */
export function state<T extends TensorLike, D extends DType = DTypeOf<T>>(
  name: string,
  value: T,
  options?: LeafOptions<D>,
): Variable<NoInfer<D>> {
  const context = `state ${nameOf(name, 'state')}:`;
  const { dtype } = leafOptions.read(options, `state '${name}'`);
  return new Variable('state', name, tensorOf(value, dtype, context) as Tensor<D>);
}

/**
 * Makes a constant: a leaf whose value never changes. Numbers are interned: equal numbers of one dtype are one node.
 * @param value the value, which is copied. A value without a dtype, such as a number or nested arrays, becomes float32
 *   or the dtype of the options
 * @throws DTypeError if the value has another dtype than the options; ShapeError if nested arrays are ragged;
 *   ValueError if `value` cannot be made a tensor, or if an option is unknown
 */
export function constant<T extends TensorLike, D extends DType = DTypeOf<T>>(
  value: T,
  options?: LeafOptions<D>,
): Constant<NoInfer<D>> {
  const { dtype } = leafOptions.read(options, 'constant');
  const made =
    typeof value === 'number'
      ? scalar(value, dtype ?? 'float32')
      : new Constant(tensorOf(value, dtype, 'constant:'));
  return made as Constant<D>;
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
 * Converts operands to nodes. A number takes the dtype of the first operand that is a node or a tensor; if there is
 * none, it becomes float32.
 * @param checkDType called with the first operand that has a dtype, as a node, if a number does not fit this dtype. If
 *   the op refuses the dtype anyway, it throws the op's own error
 * @throws ValueError if an operand is not a node, a tensor or a number, or if a number does not fit the dtype;
 *   GraphError if an operand is a node with several results
 */
export function lift(
  opName: string,
  operands: readonly Operand[],
  checkDType?: (operand: Node) => void,
): Node[] {
  for (const operand of operands) {
    if (isNode(operand) && operand.op.results !== undefined) assertValue(operand, `[${opName}]`);
  }
  if (operands.every(isNode)) return [...operands];
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
      const expected = misfit(operand, dtype);
      if (expected !== undefined) {
        checkDType?.(isNode(typed) ? typed : new Constant(typed as Tensor));
        return refuse(
          `operand ${index} must be ${expected}, because the other operands are ${dtype}, but is ${operand}; to use another number, cast() them`,
        );
      }
      return scalar(operand, dtype);
    }
    const form = isTensorLike(operand) ? '; make it a node with constant()' : '';
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

/** Makes a tensor from `value`. If `value` has no dtype itself, the tensor gets the dtype `dtype` if it is given. */
function fittingTensor(value: TensorLike, dtype: DType | undefined, context: string): Tensor {
  if (!isTensorLike(value)) {
    throw new ValueError(
      `${context} expected a tensor, a number or nested arrays of numbers, but received ${describeValue(value)}`,
    );
  }
  return asTensor(value, dtype, context);
}

/**
 * Makes a tensor from `value`, like `fittingTensor`, but if `dtype` is given, refuses a value that has another dtype.
 * @throws DTypeError if the value has another dtype than `dtype`
 */
function tensorOf(value: TensorLike, dtype: DType | undefined, context: string): Tensor {
  const made = fittingTensor(value, dtype, context);
  if (dtype === undefined || made.dtype === dtype) return made;
  throw new DTypeError(
    `${context} the value is ${made.dtype}, but the option dtype is ${dtype}; leave the option out, or convert the value first`,
  );
}
