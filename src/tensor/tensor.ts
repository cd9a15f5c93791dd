/** Tensors: dense N-dimensional arrays with elements of one dtype. A tensor is a value and not a node of a graph. */

import { inspect } from 'node:util';
import { brand, describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { isList, isRecord, reading } from '../arguments/read.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import {
  assertDType,
  assertRepresentable,
  bytesOf,
  canHold,
  type DType,
  dtypeName,
  dtypeOf,
  firstNoBool,
  type Holds,
  holds,
  isTypedArray,
  makeBools,
  type TypedArray,
  typedArray,
} from './dtype.js';
import { inspected } from './inspected.js';
import {
  type Booleans,
  firstElement,
  flattenInto,
  isDetached,
  isNumberArray,
  type Nested,
  type NestedData,
  type NumberArray,
  nest,
  shapeOfNested,
} from './nested.js';
import { fromPlain, isPlainTensor, type JsonTensor, type PlainTensor, toPlain } from './plain.js';
import { assertShape, formatShape, sizeOf } from './shape.js';

/**
 * A value from which a tensor can be made:
 *
 * - a tensor, a number or a boolean
 * - a typed array, which becomes a tensor with one axis
 * - arrays of numbers, of booleans or of typed arrays, nested to any depth
 * - a plain object `{ dtype, shape, data }`, as `JSON.parse` and `structuredClone` return it for a tensor
 *
 * If `D` is given, TypeScript refuses tensors and typed arrays that are known to have another dtype.
 */
export type TensorLike<D extends DType = DType> =
  | ((Tensor | PlainTensor) & Holds<D>)
  | NestedData<D>;

/** The dtype of the tensor that `tensor` makes of a value of type `T`, without the option `dtype`. */
export type DTypeOf<T> = T extends { readonly dtype: infer D extends DType }
  ? D
  : T extends Uint8Array
    ? 'uint8'
    : T extends TypedArray
      ? { [D in DType]: T extends TypedArray<D> ? D : never }[DType]
      : T extends Nested | NumberArray
        ? 'float32'
        : T extends Booleans
          ? 'bool'
          : DType;

const tensorOptions = declareOptions('tensor', {
  /** The shape. By default, nested arrays keep their shape, and a typed array becomes a tensor with one axis. */
  shape: optional(checkedLater<readonly number[]>('a list of dimensions'), 'size', 'dims'),
  /**
   * The dtype. By default, a tensor and a plain object keep their dtype. Typed arrays whose element type is a dtype of
   * forebay keep their element type, also in nested arrays. Booleans become `bool`, and other values `float32`.
   */
  dtype: optional(dtypeName, 'type'),
});

/** Options of `tensor`. */
export interface TensorOptions<D extends DType = DType> extends OptionsOf<typeof tensorOptions> {
  /**
   * The dtype. By default, a tensor and a plain object keep their dtype. Typed arrays whose element type is a dtype of
   * forebay keep their element type, also in nested arrays. Other values become `float32`.
   */
  readonly dtype?: D | undefined;
}

const filledOptions = declareOptions('Tensor.zeros, Tensor.ones, Tensor.full', {
  /** The dtype; `float32` by default. */
  dtype: optional(dtypeName, 'type'),
});

/** Options of `Tensor.zeros`, `Tensor.ones` and `Tensor.full`. */
export interface FilledOptions<D extends DType = DType> extends OptionsOf<typeof filledOptions> {
  /** The dtype; `float32` by default. */
  readonly dtype?: D | undefined;
}

let isOurs: (value: object) => boolean;

/**
 * A dense array of one dtype with at most 32 axes, in row-major order. A tensor is a value: it is not a node of a
 * graph. `Tensor` without an argument is a tensor of any dtype.
 */
export class Tensor<D extends DType = DType> implements Holds<D> {
  static {
    brand<Tensor>(Tensor, ({ dtype, shape }) => `a tensor of ${dtype} ${formatShape(shape)}`);
    isOurs = (value) => #made in value;
  }

  // The constructor sets this private field. A proxy of a tensor, or an object with the same prototype, lacks it.
  readonly #made = true;

  /** The dimensions, outermost first; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** The dtype of the elements. */
  readonly dtype: D;
  /**
   * The elements in row-major order. This is the memory of the tensor, not a copy. Bools are bytes: 0 is false and 1 is
   * true. If your code writes another byte into this memory, kernels treat it as true, and results of runs have a 1.
   */
  readonly data: TypedArray<D>;
  /** Never set. @internal */
  [holds]?(dtype: D): void;

  /**
   * Makes a tensor that uses `data` as its memory, without copying it. TypeScript does not infer the dtype from `data`:
   * write `new Tensor<'float32'>(data)`, or use `tensor`.
   * @param shape the shape; one axis by default
   * @param dtype the dtype; by default that of `data`. A Uint8Array holds uint8, or bool if `dtype` is `'bool'`
   * @throws ShapeError if the shape is not valid, or has another number of elements than `data`; ValueError if `data`
   *   is not a Float32Array, a Float64Array, an Int32Array or a Uint8Array, if its memory has been transferred away, or
   *   if the dtype is bool and a byte is neither 0 nor 1; DTypeError if `data` cannot hold elements of `dtype`
   */
  constructor(data: TypedArray<D>, shape?: readonly number[], dtype?: D) {
    if (!isTypedArray(data)) {
      throw new ValueError(
        `Tensor: expected a Float32Array, a Float64Array, an Int32Array or a Uint8Array, but received ${describeValue(data)}`,
      );
    }
    if (isDetached(data)) {
      throw new ValueError(
        `Tensor: the memory of ${describeValue(data)} has been transferred away`,
      );
    }
    const dims = shape === undefined ? [data.length] : assertShape(shape, 'Tensor:');
    if (sizeOf(dims) !== data.length) {
      throw new ShapeError(
        `Tensor: shape ${formatShape(dims)} holds ${sizeOf(dims)} elements, but the data has ${data.length}`,
      );
    }
    this.data = data;
    this.shape = Object.freeze(dims);
    this.dtype = (dtype === undefined ? dtypeOf(data) : checkedDType(data, dtype)) as D;
  }

  /**
   * Makes a tensor of zeros, of dtype float32 by default.
   * @throws ShapeError if `shape` is not a list of at most 32 non-negative integers; DTypeError if `dtype` is not a
   *   dtype; ValueError if an option is unknown or there is not enough memory
   */
  static zeros<D extends DType = 'float32'>(
    shape: readonly number[],
    options?: FilledOptions<D>,
  ): Tensor<NoInfer<D>> {
    const { dtype = 'float32' } = filledOptions.read(options, 'Tensor.zeros');
    return filled(shape, dtype as D, 0, 'Tensor.zeros:');
  }

  /**
   * Makes a tensor of ones, of dtype float32 by default.
   * @throws ShapeError, DTypeError or ValueError, as `zeros` does
   */
  static ones<D extends DType = 'float32'>(
    shape: readonly number[],
    options?: FilledOptions<D>,
  ): Tensor<NoInfer<D>> {
    const { dtype = 'float32' } = filledOptions.read(options, 'Tensor.ones');
    return filled(shape, dtype as D, 1, 'Tensor.ones:');
  }

  /**
   * Makes a tensor whose elements are all the same number, of dtype float32 by default.
   * @throws ShapeError, DTypeError or ValueError, as `zeros` does; ValueError also if `value` is not a number, or not
   *   one that the dtype can hold: int32, bool and uint8 hold only the integers in their range
   */
  static full<D extends DType = 'float32'>(
    shape: readonly number[],
    value: number,
    options?: FilledOptions<D>,
  ): Tensor<NoInfer<D>> {
    if (typeof value !== 'number') {
      throw new ValueError(`Tensor.full expected a number, but received ${describeValue(value)}`);
    }
    const { dtype = 'float32' } = filledOptions.read(options, 'Tensor.full');
    assertRepresentable(value, dtype, 'Tensor.full:');
    return filled(shape, dtype as D, value, 'Tensor.full:');
  }

  /** The number of elements. */
  get size(): number {
    return this.data.length;
  }

  /** Returns the elements as nested arrays of numbers; as a number if the shape is `[]`. Bools are 0 and 1. */
  toArray(): Nested {
    return nest(this.data, this.shape);
  }

  /** Returns the only element. @throws ShapeError if the tensor does not have exactly one element */
  item(): number {
    if (this.size !== 1) {
      throw new ShapeError(
        `item() expected a tensor of one element, but this one has shape ${formatShape(this.shape)}`,
      );
    }
    return this.data[0] as number;
  }

  /**
   * Returns the tensor as a plain object. `JSON.stringify` calls this method. From the plain object, `tensor` makes an
   * equal tensor. Numbers that JSON cannot represent, such as NaN, are strings in the plain object.
   */
  toJSON(): JsonTensor<D> {
    return toPlain(this.dtype, this.shape, this.data);
  }

  /**
   * Returns the dtype, the shape and the elements as text, as `util.inspect` shows them. If there are more than 1000
   * elements, only the first eight are shown.
   */
  toString(): string {
    return inspect(this);
  }

  /**
   * Returns the text that `console.log` and `util.inspect` show.
   * @internal
   */
  [inspected](_depth: number, options: object): string {
    const head = `Tensor ${this.dtype} ${formatShape(this.shape)}`;
    if (this.size > 1000) {
      const first = Array.from(this.data.subarray(0, 8)).join(', ');
      return `${head} [ ${first}, … ${this.size - 8} more ]`;
    }
    const style = isRecord(options) ? options : {};
    const text = reading('inspect: options', style, () => ({ ...style, depth: null }));
    return `${head} ${inspect(this.toArray(), text)}`;
  }
}

/** Returns the dtype of a tensor with the memory `data`, after checking that `data` can hold its elements. */
function checkedDType(data: TypedArray, dtype: unknown): DType {
  assertDType(dtype, 'Tensor:');
  if (!canHold(data, dtype)) {
    throw new DTypeError(
      `Tensor: the data is ${describeValue(data)}, which holds ${dtypeOf(data)}, but the dtype is ${dtype}`,
    );
  }
  if (dtype === 'bool') assertBools(data as Uint8Array, 'Tensor:');
  return dtype;
}

/** @throws ValueError if a byte is neither 0 nor 1 */
function assertBools(bytes: Uint8Array, context: string): void {
  const index = firstNoBool(bytes);
  if (index < 0) return;
  throw new ValueError(
    `${context} element ${index} of the data is ${bytes[index]}, expected 0 or 1, because the dtype is bool; to make every other byte true, convert a uint8 tensor with cast(x, 'bool')`,
  );
}

/**
 * Makes a tensor of the result of a run, which uses `data` as its memory. Every byte of a bool that is not 0 becomes 1:
 * a run copies the bools of its feeds and leaves, and users can write any byte into the memory of a bool tensor.
 */
export function resultTensor(data: TypedArray, shape: readonly number[], dtype: DType): Tensor {
  if (dtype === 'bool') makeBools(data as Uint8Array);
  return new Tensor(data, shape, dtype);
}

/** Returns whether `value` is a tensor that this copy of forebay made. Never throws. */
export function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && isOurs(value);
}

function filled<D extends DType>(
  shape: unknown,
  dtype: D,
  value: number,
  context: string,
): Tensor<D> {
  const dims = assertShape(shape, context);
  const data = allocate(dtype, dims, context);
  if (value !== 0) data.fill(value);
  return new Tensor(data, dims, dtype);
}

/**
 * Makes a tensor from `data`, which may be:
 *
 * - a number, or nested arrays of numbers. They are copied; the dtype is float32 by default.
 * - a boolean, or nested arrays of booleans. They are copied; the dtype is bool.
 * - a Float32Array, a Float64Array or an Int32Array. It is not copied: the tensor shares its memory and has its dtype.
 * - a Uint8Array, or a Buffer. If the dtype is uint8 (the default) or bool, the tensor shares its memory. For any other
 *   dtype, the elements are copied and converted.
 * - another typed array of numbers, such as an Int16Array. It is copied; the dtype is float32 by default.
 * - nested arrays whose innermost arrays are typed arrays. They are copied. By default, the dtype is that of the first
 *   typed array if forebay has this dtype, and float32 otherwise.
 * - a plain object `{ dtype, shape, data }`, as `JSON.parse` and `structuredClone` return it for a tensor.
 * - a tensor. It is returned itself; if `shape` is given, a new tensor of this shape is returned, which shares its
 *   memory.
 *
 * @throws ShapeError if nested arrays are ragged, or the size of `shape` is not the number of elements; ValueError if
 *   an element is not a number that the dtype can hold (int32, bool and uint8 hold only the integers in their range, and
 *   only bool holds booleans), if memory has been transferred away, if an option is unknown, or if there is not enough
 *   memory; DTypeError if `dtype` is not a dtype, or differs from the dtype of the typed array, the plain object or the
 *   tensor
 */
export function tensor<T extends TensorLike, D extends DType = DTypeOf<T>>(
  data: T,
  options?: TensorOptions<D>,
): Tensor<NoInfer<D>> {
  return tensorWith(data, tensorOptions.read(options)) as Tensor<D>;
}

function tensorWith(data: TensorLike, { shape, dtype }: TensorOptions): Tensor {
  const own = isTensor(data) ? data : typedTensor(data, dtype, 'tensor:');
  if (own !== undefined) {
    if (dtype !== undefined && dtype !== own.dtype) {
      const what = isTypedArray(data) ? 'a typed array' : 'a tensor';
      throw new DTypeError(
        `tensor: ${what} is not converted: it holds ${own.dtype}, but the option dtype is ${dtype}; leave the option out, or convert the elements first`,
      );
    }
    return shape === undefined ? own : new Tensor(own.data, shape, own.dtype);
  }
  if (!isScalar(data) && !isList(data) && !isNumberArray(data)) {
    throw new ValueError(
      `tensor: expected a number, nested arrays of numbers or booleans, a typed array of numbers or an object { dtype, shape, data }, but received ${describeValue(data)}`,
    );
  }
  const made = fromNested(data, dtype ?? ownDType(data) ?? 'float32', 'tensor:');
  return shape === undefined ? made : new Tensor(made.data, shape, made.dtype);
}

const isScalar = (value: unknown): value is number | boolean =>
  typeof value === 'number' || typeof value === 'boolean';

/**
 * Returns a tensor for a value that has a dtype itself: a typed array whose element type is a dtype of forebay, or a
 * plain tensor. Returns undefined for any other value, and for a Uint8Array that must be converted to `dtype`.
 */
function typedTensor(
  value: unknown,
  dtype: DType | undefined,
  context: string,
): Tensor | undefined {
  if (isTypedArray(value)) {
    if (dtypeOf(value) !== 'uint8') return new Tensor(value);
    const bytes = dtype === undefined || canHold(value, dtype);
    // The constructor checks the bytes, too, but its error does not begin with the context.
    if (dtype === 'bool') assertBools(value as Uint8Array, context);
    return bytes ? new Tensor(value, undefined, dtype) : undefined;
  }
  if (!isPlainTensor(value)) return undefined;
  return reading(context, value, () => {
    const { data, shape } = fromPlain(value, context, allocate);
    return new Tensor(data, shape, value.dtype);
  });
}

/**
 * Returns the dtype of the first innermost array, or of the first element if it is a boolean; undefined for numbers, and
 * for a typed array whose element type is not a dtype of forebay.
 */
function ownDType(data: NestedData): DType | undefined {
  const first = firstElement(data);
  if (typeof first === 'boolean') return 'bool';
  return isTypedArray(first) ? dtypeOf(first) : undefined;
}

function fromNested(data: NestedData, dtype: DType, context: string): Tensor {
  return reading(context, data, () => {
    const shape = assertShape(shapeOfNested(data), context);
    const values = allocate(dtype, shape, context);
    flattenInto(values, dtype, data, shape, context);
    return new Tensor(values, shape, dtype);
  });
}

/**
 * Returns whether `value` has a form that `asTensor` accepts. The elements of nested arrays are not checked. Never
 * throws.
 */
export function isTensorLike(value: unknown): value is TensorLike {
  return (
    isTensor(value) ||
    isScalar(value) ||
    isList(value) ||
    isNumberArray(value) ||
    isPlainTensor(value)
  );
}

/**
 * Makes a tensor from any value that `isTensorLike` accepts. Tensors and plain tensors keep their dtype. Typed arrays,
 * and nested arrays of typed arrays, keep their element type if it is a dtype of forebay. All other values get the
 * dtype `dtype`, and so do Uint8Arrays if it is given. If it is undefined, booleans become bool, and numbers float32.
 * @param context the beginning of error messages
 * @throws ShapeError, DTypeError or ValueError, as `tensor` does; ValueError also if the memory of a tensor has been
 *   transferred away or resized
 */
export function asTensor(value: TensorLike, dtype: DType | undefined, context: string): Tensor {
  const made = isTensor(value) ? value : typedTensor(value, dtype, context);
  if (made === undefined) {
    const nested = value as NestedData;
    const own = ownDType(nested);
    const converts = own === undefined || own === 'uint8' || own === 'bool';
    return fromNested(nested, (converts ? dtype : own) ?? own ?? 'float32', context);
  }
  if (made.data.length !== sizeOf(made.shape)) {
    throw new ValueError(
      `${context} received a tensor of ${formatShape(made.shape)} whose memory has been transferred away or resized: it holds ${made.data.length} elements`,
    );
  }
  return made;
}

/**
 * Returns new memory for a tensor, filled with zeros.
 * @throws DTypeError if `dtype` is not a dtype; ShapeError if `shape` is not a shape; ValueError if there is not enough
 *   memory
 */
export function allocate<D extends DType>(
  dtype: D,
  shape: readonly number[],
  context = 'Tensor:',
): TypedArray<D> {
  assertDType(dtype, context);
  assertShape(shape, context);
  try {
    return typedArray(dtype, sizeOf(shape));
  } catch (cause) {
    const bytes = sizeOf(shape) * bytesOf[dtype];
    throw new ValueError(
      `${context} cannot allocate ${bytes} bytes for ${dtype} ${formatShape(shape)}`,
      { cause },
    );
  }
}
