/** A tensor: a dense N-dimensional array of one element type. A value; it knows nothing of graphs. */

import { inspect } from 'node:util';
import { brand, describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { isList, isRecord, reading } from '../arguments/read.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import {
  assertDType,
  bytesOf,
  type DType,
  dtypeName,
  dtypeOf,
  isTypedArray,
  type TypedArray,
  typedArray,
} from './dtype.js';
import { inspected } from './inspected.js';
import {
  assertRepresentable,
  firstTypedArray,
  flattenInto,
  isDetached,
  isNumberArray,
  type Nested,
  type NestedData,
  nest,
  shapeOfNested,
} from './nested.js';
import { fromPlain, isPlainTensor, type JsonTensor, type PlainTensor, toPlain } from './plain.js';
import { assertShape, formatShape, sizeOf } from './shape.js';

/**
 * What can be made a tensor of: a tensor, a number, a typed array (of one axis), arrays of numbers or of typed arrays
 * nested to any depth, or what JSON or `structuredClone` made of a tensor.
 */
export type TensorLike = Tensor | NestedData | PlainTensor;

const tensorOptions = declareOptions('tensor', {
  /** Defaults to the shape of the nested arrays, or to one axis for a typed array. */
  shape: optional(checkedLater<readonly number[]>('a list of dimensions'), 'size', 'dims'),
  /** Defaults to the typed array's own, else `float32`. */
  dtype: optional(dtypeName, 'type'),
});

/** What `tensor` may be told. */
export interface TensorOptions extends OptionsOf<typeof tensorOptions> {}

const filledOptions = declareOptions('Tensor.zeros, Tensor.ones, Tensor.full', {
  /** `float32` unless told otherwise. */
  dtype: optional(dtypeName, 'type'),
});

/** What `Tensor.zeros`, `Tensor.ones` and `Tensor.full` may be told. */
export interface FilledOptions extends OptionsOf<typeof filledOptions> {}

let isOurs: (value: object) => boolean;

/** A dense array of any rank up to 32, of one element type, in row-major order. It knows nothing of graphs. */
export class Tensor {
  static {
    brand<Tensor>(Tensor, ({ dtype, shape }) => `a tensor of ${dtype} ${formatShape(shape)}`);
    isOurs = (value) => #made in value;
  }

  // Tells a tensor from what only has its prototype, and from a proxy of one.
  readonly #made = true;

  /** Dimensions, outermost first; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** The type of the elements. */
  readonly dtype: DType;
  /** The elements in row-major order; not a copy. */
  readonly data: TypedArray;

  /**
   * Wraps `data` without copying it.
   * @param shape one axis unless told otherwise
   * @throws ShapeError if the shape's size is not the data's length; ValueError if `data` is not a Float32Array, a
   *   Float64Array or an Int32Array, or its memory has been transferred away
   */
  constructor(data: TypedArray, shape?: readonly number[]) {
    if (!isTypedArray(data)) {
      throw new ValueError(
        `Tensor: expected a Float32Array, a Float64Array or an Int32Array, but received ${describeValue(data)}`,
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
    this.dtype = dtypeOf(data);
  }

  /**
   * A tensor of zeros; float32 unless told otherwise.
   * @throws ShapeError if `shape` is not a shape; DTypeError if the dtype is not one; ValueError if an option is unknown
   *   or there is not enough memory
   */
  static zeros(shape: readonly number[], options?: FilledOptions): Tensor {
    const { dtype = 'float32' } = filledOptions.read(options, 'Tensor.zeros');
    return filled(shape, dtype, 0, 'Tensor.zeros:');
  }

  /**
   * A tensor of ones; float32 unless told otherwise.
   * @throws as `zeros` does: ShapeError, DTypeError or ValueError
   */
  static ones(shape: readonly number[], options?: FilledOptions): Tensor {
    const { dtype = 'float32' } = filledOptions.read(options, 'Tensor.ones');
    return filled(shape, dtype, 1, 'Tensor.ones:');
  }

  /**
   * A tensor whose elements are all one number; float32 unless told otherwise.
   * @throws as `zeros` does, and ValueError if `value` is not a number, or not a 32-bit integer for int32
   */
  static full(shape: readonly number[], value: number, options?: FilledOptions): Tensor {
    if (typeof value !== 'number') {
      throw new ValueError(`Tensor.full expected a number, but received ${describeValue(value)}`);
    }
    const { dtype = 'float32' } = filledOptions.read(options, 'Tensor.full');
    if (dtype === 'int32') assertRepresentable(value, 'Tensor.full:');
    return filled(shape, dtype, value, 'Tensor.full:');
  }

  /** The number of elements. */
  get size(): number {
    return this.data.length;
  }

  /** The elements as nested arrays of numbers; a number for a scalar. */
  toArray(): Nested {
    return nest(this.data, this.shape);
  }

  /** The only element. @throws ShapeError when there is not exactly one */
  item(): number {
    if (this.size !== 1) {
      throw new ShapeError(
        `item() expected a tensor of one element, but this one has shape ${formatShape(this.shape)}`,
      );
    }
    return this.data[0] as number;
  }

  /**
   * The tensor as `JSON.stringify` writes it: a plain object, of which `tensor` makes the same tensor again. Numbers that
   * JSON does not have, such as NaN, become strings.
   */
  toJSON(): JsonTensor {
    return toPlain(this.dtype, this.shape, this.data);
  }

  /** As `util.inspect` shows it: dtype, shape and elements, of large tensors the first eight. */
  toString(): string {
    return inspect(this);
  }

  /**
   * What `console.log` and `util.inspect` show.
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

/** Whether `value` is a tensor of this copy of forebay. Never throws. */
export function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && isOurs(value);
}

function filled(shape: unknown, dtype: DType, value: number, context: string): Tensor {
  const dims = assertShape(shape, context);
  const data = allocate(dtype, dims, context);
  return new Tensor(value === 0 ? data : data.fill(value), dims);
}

/**
 * Makes a tensor.
 *
 * @param data a number, or nested arrays of numbers (float32 unless told otherwise); a Float32Array, a Float64Array or an
 *   Int32Array, which is wrapped and not copied: the tensor shares its memory; another typed array, such as a Uint8Array
 *   or a Buffer, whose numbers are copied (to float32 unless told otherwise); nested arrays whose innermost ones are typed
 *   arrays, which are copied (to the dtype of the first, if it is one of forebay's, unless told otherwise); or a plain
 *   object { dtype, shape, data }, as `JSON.parse` and `structuredClone` give it
 * @throws ShapeError for ragged arrays or a shape of another size; ValueError if an element is not a number or an
 *   option is unknown; DTypeError if `dtype` is not that of the typed array or the plain object
 */
export function tensor(data: NestedData | PlainTensor, options?: TensorOptions): Tensor {
  const { shape, dtype } = tensorOptions.read(options);
  const own = isTensor(data) ? data : typedTensor(data, 'tensor:');
  if (own !== undefined) {
    if (dtype !== undefined && dtype !== own.dtype) {
      const what = isTypedArray(data) ? 'a typed array' : 'a tensor';
      throw new DTypeError(
        `tensor: ${what} is wrapped as it is: it holds ${own.dtype}, but dtype ${dtype} was asked for`,
      );
    }
    return shape === undefined ? own : new Tensor(own.data, shape);
  }
  if (typeof data !== 'number' && !isList(data) && !isNumberArray(data)) {
    throw new ValueError(
      `tensor: expected a number, nested arrays of numbers, a typed array of numbers or an object { dtype, shape, data }, but received ${describeValue(data)}`,
    );
  }
  const made = fromNested(data, dtype ?? ownDType(data) ?? 'float32', 'tensor:');
  return shape === undefined ? made : new Tensor(made.data, shape);
}

/** A tensor of what has a dtype, as it is: a typed array of ours, or a plain object. */
function typedTensor(value: unknown, context: string): Tensor | undefined {
  if (isTypedArray(value)) return new Tensor(value);
  if (!isPlainTensor(value)) return undefined;
  return reading(context, value, () => {
    const { data, shape } = fromPlain(value, context, allocate);
    return new Tensor(data, shape);
  });
}

/** The dtype of nested arrays whose first innermost one is a typed array of ours. */
function ownDType(data: NestedData): DType | undefined {
  const first = firstTypedArray(data);
  return isTypedArray(first) ? dtypeOf(first) : undefined;
}

function fromNested(data: NestedData, dtype: DType, context: string): Tensor {
  return reading(context, data, () => {
    const shape = assertShape(shapeOfNested(data), context);
    const values = allocate(dtype, shape, context);
    flattenInto(values, data, shape, context);
    return new Tensor(values, shape);
  });
}

/** Whether `asTensor` may make a tensor of it; the elements of nested arrays are not looked at. Never throws. */
export function isTensorLike(value: unknown): value is TensorLike {
  return (
    isTensor(value) ||
    typeof value === 'number' ||
    isList(value) ||
    isNumberArray(value) ||
    isPlainTensor(value)
  );
}

/**
 * A tensor from anything that can be one, for a reader that names itself in errors. Numbers that have no dtype of
 * forebay's take the wanted one; tensors, typed arrays of forebay's dtypes and lists of such keep their own.
 * @throws ShapeError, DTypeError or ValueError, as `tensor` does, and for memory that has been transferred away
 */
export function asTensor(value: TensorLike, dtype: DType, context: string): Tensor {
  const made = isTensor(value) ? value : typedTensor(value, context);
  if (made === undefined) {
    const nested = value as NestedData;
    return fromNested(nested, ownDType(nested) ?? dtype, context);
  }
  if (made.data.length !== sizeOf(made.shape)) {
    throw new ValueError(
      `${context} received a tensor of ${formatShape(made.shape)} whose memory has been transferred away or resized: it holds ${made.data.length} elements`,
    );
  }
  return made;
}

/** Zeroed memory. @throws ValueError if there is not enough */
export function allocate(dtype: DType, shape: readonly number[], context = 'Tensor:'): TypedArray {
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
