/** A tensor: a dense N-dimensional array of one element type. A value; it knows nothing of graphs. */

import { inspect } from 'node:util';
import { brand, describeValue } from '../arguments/describe.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import {
  assertDType,
  bytesOf,
  type DType,
  dtypeOf,
  isTypedArray,
  type TypedArray,
  typedArray,
} from './dtype.js';
import { inspected } from './inspected.js';
import { flattenInto, type Nested, nest, shapeOfNested } from './nested.js';
import { assertShape, formatShape, sizeOf } from './shape.js';

/** What can be made a tensor of: a tensor, a number, nested arrays of numbers, or a typed array, which has one axis. */
export type TensorLike = Tensor | Nested | TypedArray;

/** What `tensor` may be told. */
export interface TensorOptions {
  /** Defaults to the shape of the nested arrays, or to one axis for a typed array. */
  readonly shape?: readonly number[] | undefined;
  /** Defaults to the typed array's own, else `float32`. */
  readonly dtype?: DType | undefined;
}

/** A dense array of any rank up to 32, of one element type, in row-major order: a value, which knows of no graph. */
export class Tensor {
  static {
    brand(Tensor);
  }

  /** Dimensions, outermost first; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** The type of the elements. */
  readonly dtype: DType;
  /** The elements in row-major order; not a copy. */
  readonly data: TypedArray;

  /**
   * Wraps `data` without copying it.
   * @throws ShapeError when the shape's size is not the data's length; ValueError for other arrays
   */
  constructor(data: TypedArray, shape: readonly number[] = [data?.length]) {
    if (!isTypedArray(data)) {
      throw new ValueError(
        `Tensor: expected a Float32Array, a Float64Array or an Int32Array, but received ${describeValue(data)}`,
      );
    }
    assertShape(shape, 'Tensor:');
    if (sizeOf(shape) !== data.length) {
      throw new ShapeError(
        `Tensor: shape ${formatShape(shape)} holds ${sizeOf(shape)} elements, but the data has ${data.length}`,
      );
    }
    this.data = data;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtypeOf(data);
  }

  /**
   * A tensor of zeros; float32 unless told otherwise.
   * @throws ShapeError for what is no shape; DTypeError for what is no dtype; ValueError when there is not that much memory
   */
  static zeros(
    shape: readonly number[],
    options: { readonly dtype?: DType | undefined } = {},
  ): Tensor {
    return new Tensor(allocate(options.dtype ?? 'float32', shape), shape);
  }

  /**
   * A tensor of ones; float32 unless told otherwise.
   * @throws as `zeros` does: ShapeError, DTypeError or ValueError
   */
  static ones(
    shape: readonly number[],
    options: { readonly dtype?: DType | undefined } = {},
  ): Tensor {
    return Tensor.full(shape, 1, options);
  }

  /**
   * A tensor that holds one number throughout; float32 unless told otherwise.
   * @throws as `zeros` does, and ValueError for what is no number, or no 32-bit integer where the dtype is int32
   */
  static full(
    shape: readonly number[],
    value: number,
    options: { readonly dtype?: DType | undefined } = {},
  ): Tensor {
    if (typeof value !== 'number') {
      throw new ValueError(`Tensor.full expected a number, but received ${describeValue(value)}`);
    }
    const dtype = options.dtype ?? 'float32';
    assertRepresentable(value, dtype, 'Tensor.full:');
    return new Tensor(allocate(dtype, shape).fill(value), shape);
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
    return `${head} ${inspect(this.toArray(), { ...options, depth: null })}`;
  }
}

/**
 * Makes a tensor.
 *
 * @param data a number, nested arrays of numbers (float32 unless told otherwise), or a typed array,
 *   which is wrapped and not copied: the tensor shares its memory.
 * @throws ShapeError for ragged arrays or a shape of another size; ValueError for what is not a
 *   number; DTypeError when `dtype` contradicts a typed array
 */
export function tensor(data: Nested | TypedArray, options: TensorOptions = {}): Tensor {
  if (options.dtype !== undefined) assertDType(options.dtype, 'tensor:');
  if (isTypedArray(data)) {
    if (options.dtype !== undefined && options.dtype !== dtypeOf(data)) {
      throw new DTypeError(
        `tensor: a typed array is wrapped as it is: it holds ${dtypeOf(data)}, but dtype ${options.dtype} was asked for`,
      );
    }
    return new Tensor(data, options.shape ?? [data.length]);
  }
  if (typeof data !== 'number' && !Array.isArray(data)) {
    throw new ValueError(
      `tensor: expected a number, nested arrays of numbers, a Float32Array, a Float64Array or an Int32Array, but received ${describeValue(data)}`,
    );
  }
  const made = fromNested(data as Nested, options.dtype ?? 'float32', 'tensor:');
  return options.shape === undefined ? made : new Tensor(made.data, options.shape);
}

function fromNested(data: Nested, dtype: DType, context: string): Tensor {
  const shape = shapeOfNested(data);
  assertShape(shape, context);
  const values = allocate(dtype, shape, context);
  flattenInto(values, data, shape, context);
  if (dtype === 'int32') assertIntegers(values as Int32Array, data, context);
  return new Tensor(values, shape);
}

/** Whether `asTensor` may make a tensor of it; the elements of nested arrays are not looked at. */
export function isTensorLike(value: unknown): value is TensorLike {
  return (
    value instanceof Tensor ||
    typeof value === 'number' ||
    Array.isArray(value) ||
    isTypedArray(value)
  );
}

/**
 * A tensor from anything that can be one, for a reader that names itself in errors. Nested numbers
 * take the wanted dtype; tensors and typed arrays keep their own.
 * @throws ShapeError or ValueError, as `tensor` does, and for memory that has been transferred away
 */
export function asTensor(value: TensorLike, dtype: DType, context: string): Tensor {
  const made =
    value instanceof Tensor ? value : isTypedArray(value) ? new Tensor(value) : undefined;
  if (made === undefined) return fromNested(value as Nested, dtype, context);
  if (made.data.length !== sizeOf(made.shape)) {
    throw new ValueError(
      `${context} received a tensor of ${formatShape(made.shape)} whose memory has been transferred away or resized: it holds ${made.data.length} elements`,
    );
  }
  return made;
}

/** Zeroed memory. @throws ValueError when there is not that much */
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

function assertRepresentable(value: number, dtype: DType, context: string): void {
  if (dtype === 'int32' && value !== (value | 0)) {
    throw new ValueError(`${context} ${value} is not a 32-bit integer, but the dtype is int32`);
  }
}

// An Int32Array wraps silently; labels and indices must not change their value on the way in.
function assertIntegers(values: Int32Array, data: Nested, context: string): void {
  const flat = typeof data === 'number' ? [data] : (data as readonly unknown[]).flat(Infinity);
  for (let index = 0; index < values.length; index++) {
    if (values[index] !== flat[index]) assertRepresentable(flat[index] as number, 'int32', context);
  }
}
