/**
 * Encodes tensors for files. The elements of most tensors are written as they are in memory. `save` can also round
 * floats to a narrower type, and `maps.pytorch` has tensors of int64.
 */

import type { Kind } from '../arguments/options.js';
import { isRecord } from '../arguments/read.js';
import { DTypeError, ValueError } from '../errors.js';
import { bytesOf, type DType, isFloating } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { writtenBytes } from './bytes.js';
import type { Outgoing } from './values.js';

/** A type of floating-point numbers in files. */
export type FloatType = 'float16' | 'bfloat16' | 'float32' | 'float64';

/** A type for all tensors of floats, or types by the names of the tensors. */
export type FloatTypes = FloatType | Readonly<Record<string, FloatType>>;

/** A type of elements that is written to files. */
export type WrittenType = DType | FloatType | 'int64';

/** The dtype codes of safetensors. */
export const codes: Readonly<Record<WrittenType, string>> = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  bool: 'BOOL',
  uint8: 'U8',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
};

/** The number of bytes of one element. */
export const writtenBytesOf: Readonly<Record<WrittenType, number>> = {
  ...bytesOf,
  float16: 2,
  bfloat16: 2,
  int64: 8,
};

/** The kind of the option `dtype` of `save`. */
export const floatTypes: Kind<FloatTypes> = {
  expected: `one of 'float16', 'bfloat16', 'float32', 'float64', or a record of these by the names of tensors`,
  accepts: (value) => isFloatType(value) || isRecordOfFloatTypes(value),
  error: DTypeError,
};

function isFloatType(value: unknown): value is FloatType {
  return value === 'float16' || value === 'bfloat16' || value === 'float32' || value === 'float64';
}

function isRecordOfFloatTypes(value: unknown): boolean {
  try {
    return isRecord(value) && Object.values(value).every(isFloatType);
  } catch {
    return false; // The value has a getter that throws.
  }
}

/** A tensor to write, with the type of its elements in the file. */
export interface Written {
  readonly name: string;
  readonly tensor: Tensor;
  readonly type: WrittenType;
}

/**
 * Returns the types in which tensors are written.
 * @param asked the option `dtype` of `save`: a type applies to all tensors of floats
 * @throws DTypeError if a type is given for a tensor that is not written, or whose elements are not floats
 */
export function withTypes(
  context: string,
  tensors: readonly Outgoing[],
  asked?: FloatTypes,
): Written[] {
  const own = ({ tensor, elements }: Outgoing): WrittenType => elements ?? tensor.dtype;
  if (!isRecord(asked)) {
    return tensors.map((one) => {
      const { name, tensor } = one;
      return { name, tensor, type: (isFloating(tensor.dtype) ? asked : undefined) ?? own(one) };
    });
  }
  const types = new Map(Object.entries(asked));
  const written = tensors.map((one) => {
    const { name, tensor } = one;
    const type = types.get(name);
    if (type !== undefined && !isFloating(tensor.dtype)) {
      throw new DTypeError(
        `${context}: the option dtype is ${type} for '${name}', but its elements are ${own(one)}, which is written as it is`,
      );
    }
    types.delete(name);
    return { name, tensor, type: type ?? own(one) };
  });
  const [unused] = types.keys();
  if (unused === undefined) return written;
  throw new DTypeError(
    `${context}: the option dtype has '${unused}', but no tensor of that name is written`,
  );
}

// Elements are encoded in pieces of this number, so that memory never holds a second copy of a large tensor.
const pieceElements = 2 ** 18;

/**
 * Encodes a tensor, in pieces.
 * @throws ValueError, naming the tensor and the element, if a finite number is too large for the type
 */
export function* encoded(context: string, { name, tensor, type }: Written): Generator<Uint8Array> {
  const { data, dtype } = tensor;
  if (type === dtype) {
    yield writtenBytes(tensor);
    return;
  }
  const put = encoders[type as keyof typeof encoders];
  const width = writtenBytesOf[type];
  for (let start = 0; start < data.length; start += pieceElements) {
    const count = Math.min(pieceElements, data.length - start);
    const view = new DataView(new ArrayBuffer(count * width));
    for (let index = 0; index < count; index++) {
      const element = data[start + index] as number;
      if (put(view, index * width, element)) continue;
      throw new ValueError(
        `${context}: tensor '${name}': element ${start + index} is ${element}, but the largest ${type} is ${largest[type]}`,
      );
    }
    yield new Uint8Array(view.buffer);
  }
}

const largest: Readonly<Partial<Record<WrittenType, number>>> = {
  float16: 65504,
  bfloat16: (2 - 2 ** -7) * 2 ** 127,
  float32: (2 - 2 ** -23) * 2 ** 127,
};

/** Functions that write one element. They return false if it is finite, but its rounded value is not. */
const encoders: Readonly<
  Record<FloatType | 'int64', (view: DataView, at: number, element: number) => boolean>
> = {
  float16: narrow(10, -14, 15),
  bfloat16: narrow(7, -126, 127),
  float32: (view, at, element) => {
    view.setFloat32(at, element, true);
    return Number.isFinite(Math.fround(element)) || !Number.isFinite(element);
  },
  float64: (view, at, element) => {
    view.setFloat64(at, element, true);
    return true;
  },
  int64: (view, at, element) => {
    view.setBigInt64(at, BigInt(element), true);
    return true;
  },
};

/**
 * Returns the encoder of a 16-bit float of 1 sign bit, an exponent and a fraction. Numbers are rounded to the nearest, of
 * two equally near ones to the even one. NaN is written as the quiet NaN without a sign.
 * @param fractionBits the number of bits of the fraction
 * @param least the exponent of the smallest number that is not subnormal
 * @param most the exponent of the largest number
 */
function narrow(fractionBits: number, least: number, most: number) {
  const perBinade = 2 ** fractionBits;
  const infinity = (most - least + 2) * perBinade;
  // For each exponent, the factor that makes the unit in the last place 1.
  const scales = Float64Array.from(
    { length: most - least + 1 },
    (_, index) => 2 ** (fractionBits - least - index),
  );
  const word = new DataView(new ArrayBuffer(8));
  return (view: DataView, at: number, element: number): boolean => {
    word.setFloat64(0, element);
    const high = word.getUint16(0);
    const sign = high & 0x8000;
    const magnitude = Math.abs(element);
    const exponent = Math.max(((high >> 4) & 0x7ff) - 1023, least);
    let bits = infinity;
    if (Number.isNaN(element)) {
      view.setUint16(at, infinity + perBinade / 2, true);
      return true;
    }
    if (exponent <= most) {
      // Of numbers below 2^52, this sum and difference keep the nearest integer, of two the even one.
      const units = magnitude * (scales[exponent - least] as number) + 2 ** 52 - 2 ** 52;
      // The leading bit of `units`, which subnormal numbers lack, adds 1 to the exponent.
      bits = (exponent - least) * perBinade + units;
    }
    view.setUint16(at, sign | Math.min(bits, infinity), true);
    return bits < infinity || magnitude === Infinity;
  };
}
