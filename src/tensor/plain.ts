/**
 * Tensors as plain objects `{ dtype, shape, data }`. `JSON.stringify` writes a tensor in this form. `structuredClone`
 * and `postMessage` also produce this form, because they copy the fields of a tensor but not its class.
 */

import { describeValue } from '../arguments/describe.js';
import { assertList, isList, isRecord } from '../arguments/read.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import {
  assertDType,
  assertRepresentable,
  canHold,
  type DType,
  dtypeOf,
  isTypedArray,
  type TypedArray,
} from './dtype.js';
import { isNumberArray, type NumberArray } from './nested.js';
import { assertShape, formatShape, sizeOf } from './shape.js';

/** A tensor as a plain object, as read from JSON or returned by `structuredClone`. */
export interface PlainTensor<D extends DType = DType> {
  /** The dtype of the elements. */
  readonly dtype: D;
  /** The dimensions, outermost first. */
  readonly shape: readonly number[];
  /**
   * The elements in row-major order, as a typed array or as a list. A list has the strings `'NaN'`, `'Infinity'`,
   * `'-Infinity'` and `'-0'` in place of the numbers that JSON cannot represent.
   */
  readonly data: NumberArray | readonly (number | string)[];
}

/** A plain tensor whose elements are a list, as JSON needs it. */
export interface JsonTensor<D extends DType = DType> extends PlainTensor<D> {
  readonly data: readonly (number | string)[];
}

const words = new Map(['NaN', 'Infinity', '-Infinity', '-0'].map((word) => [word, Number(word)]));

/** Returns a tensor in the form that is written to JSON. */
export function toPlain<D extends DType>(
  dtype: D,
  shape: readonly number[],
  data: TypedArray,
): JsonTensor<D> {
  const elements = Array.from(data, (value) => {
    // Users can write any byte into the memory of bools, but a plain tensor must have 0 and 1.
    if (dtype === 'bool') return Number(value !== 0);
    if (Object.is(value, -0)) return '-0';
    return Number.isFinite(value) ? value : String(value);
  });
  return { dtype, shape: [...shape], data: elements };
}

/** Returns whether a value has the fields of a plain tensor. The elements are not checked. Never throws. */
export function isPlainTensor(value: unknown): value is PlainTensor {
  try {
    return (
      isRecord(value) && typeof value.dtype === 'string' && isList(value.shape) && 'data' in value
    );
  } catch {
    return false; // a getter, or a trap of a proxy, threw
  }
}

/** The memory and the shape of a tensor. */
interface Parts {
  readonly data: TypedArray;
  readonly shape: readonly number[];
}

/**
 * Reads a plain tensor. Returns the memory and the shape of the tensor that it describes. If the data are a typed array
 * of the dtype of the plain tensor, the memory is this typed array, not a copy.
 * @param allocate returns new memory, filled with zeros
 * @throws DTypeError if the dtype is unknown, or differs from that of the typed array; ShapeError if the shape is not
 *   valid, or does not fit the number of elements; ValueError if an element is not a number that the dtype can hold
 */
export function fromPlain(
  plain: PlainTensor,
  context: string,
  allocate: (dtype: DType, shape: readonly number[], context: string) => TypedArray,
): Parts {
  const { dtype, shape: given, data } = plain;
  assertDType(dtype, context);
  const shape = assertShape(given, context);
  if (isTypedArray(data)) {
    if (canHold(data, dtype)) return { data, shape };
    throw new DTypeError(
      `${context} the object has dtype ${dtype}, but its data has ${dtypeOf(data)} elements`,
    );
  }
  const expected = `${context} expected data to be a typed array or a list of numbers,`;
  const elements = isNumberArray(data) ? [...data] : assertList(data, expected);
  if (elements.length !== sizeOf(shape)) {
    throw new ShapeError(
      `${context} shape ${formatShape(shape)} holds ${sizeOf(shape)} elements, but the data has ${elements.length}`,
    );
  }
  const made = allocate(dtype, shape, context);
  for (const [index, element] of elements.entries()) {
    const value = typeof element === 'string' ? words.get(element) : element;
    if (typeof value !== 'number') {
      throw new ValueError(
        `${context} element ${index} of the data must be a number, but is ${describeValue(element)}`,
      );
    }
    assertRepresentable(value, dtype, context);
    made[index] = value;
  }
  return { data: made, shape };
}
