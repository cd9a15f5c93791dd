/** The element types of ONNX, and the tensors of a file. */

import { FormatError, StateError, ValueError } from '../errors.js';
import type { Dim } from '../graph/dimension.js';
import { inMemory } from '../io/bytes.js';
import { type ElementType as FileType, readElements, safetensorsType } from '../io/elements.js';
import { type DType, isFloating } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { TensorProto } from './messages.js';
import { BinaryReader } from './wire.js';

/** The type of the elements of a tensor in ONNX. */
export interface ElementType {
  /** The name in the specification, in small letters. */
  readonly name: string;
  /** The number in the format. */
  readonly code: number;
  /** The dtype of such a tensor in forebay. */
  readonly dtype: DType;
  /** The bytes of one element. */
  readonly bytes: number;
  /** How forebay's readers convert the bytes. */
  readonly file: FileType;
}

const typed = (name: string, code: number, safetensors: string, dtype: DType): ElementType => {
  const file = safetensorsType(safetensors) as FileType;
  return { name, code, dtype, bytes: file.bytes, file };
};

/** The element types that forebay has a dtype for. int64 is int32: a number that does not fit is refused. */
export const elementTypes = {
  float: typed('float', 1, 'F32', 'float32'),
  uint8: typed('uint8', 2, 'U8', 'uint8'),
  int8: typed('int8', 3, 'I8', 'int32'),
  uint16: typed('uint16', 4, 'U16', 'int32'),
  int16: typed('int16', 5, 'I16', 'int32'),
  int32: typed('int32', 6, 'I32', 'int32'),
  int64: typed('int64', 7, 'I64', 'int32'),
  bool: typed('bool', 9, 'BOOL', 'bool'),
  float16: typed('float16', 10, 'F16', 'float32'),
  double: typed('double', 11, 'F64', 'float64'),
  uint32: typed('uint32', 12, 'U32', 'int32'),
  uint64: typed('uint64', 13, 'U64', 'int32'),
  bfloat16: typed('bfloat16', 16, 'BF16', 'float32'),
} as const satisfies Readonly<Record<string, ElementType>>;

/** The names of all types of the specification, by their numbers. */
const typeNames: readonly string[] =
  'undefined float uint8 int8 uint16 int16 int32 int64 string bool float16 double uint32 uint64 complex64 complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2 float6e2m3 float6e3m2'.split(
    ' ',
  );

const byCode = new Map<number, ElementType>(
  Object.values(elementTypes).map((type) => [type.code, type]),
);

/** Returns the element type of a number; undefined if forebay has no dtype for it. */
export function elementTypeOf(code: number | undefined): ElementType | undefined {
  return byCode.get(code ?? 0);
}

/** Returns the name of the element type of a number. */
export function elementTypeName(code: number | undefined): string {
  return typeNames[code ?? 0] ?? `type ${code}`;
}

export function isFloatingType(type: ElementType): boolean {
  return isFloating(type.dtype);
}

/** The range of an integer type: its least and its greatest number. */
export function rangeOf({ name, bytes }: ElementType): readonly [least: number, greatest: number] {
  const bits = 8 * bytes;
  return name.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** The tensor of a file, whose bytes may still have to be read from another file. */
export class Stored {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Whether it is an initializer of a graph, and not the value of a node. */
  isInitializer = false;
  readonly #file: string;
  #bytes: Uint8Array | undefined;
  #uniform: boolean | undefined;
  /** Whether the elements were needed as numbers. */
  #computed = false;
  #load: (() => Promise<Uint8Array>) | undefined;

  /** The largest number of bytes of a tensor that is kept when its file is freed. */
  static readonly most = 2 ** 15;

  /**
   * @param file the name of the file in error messages
   * @param external returns the bytes of a tensor whose elements are in another file
   * @throws FormatError if the tensor is not valid, or if forebay has no dtype for its elements
   */
  constructor(
    file: string,
    name: string,
    proto: TensorProto,
    external?: (tensor: Stored, bytes: number) => Promise<Uint8Array>,
  ) {
    this.#file = file;
    this.name = name;
    const type = elementTypeOf(proto.dataType);
    if (type === undefined) {
      throw new FormatError(
        `${this.context}: its elements are ${elementTypeName(proto.dataType)}, which forebay does not have`,
      );
    }
    this.type = type;
    this.shape = shapeOf(this.context, proto.dims);
    if (proto.segment !== undefined) {
      throw new FormatError(`${this.context}: it is a segment of a tensor; forebay reads none`);
    }
    const needed = sizeOf(this.shape) * type.bytes;
    if (!Number.isSafeInteger(needed)) {
      throw new FormatError(
        `${this.context}: its shape ${formatShape(this.shape)} is larger than any memory`,
      );
    }
    if (proto.dataLocation === 1) {
      if (external === undefined) {
        throw new FormatError(`${this.context}: its elements are in another file`);
      }
      this.#load = () => external(this, needed);
    } else {
      this.#bytes = rawBytes(proto, type);
      this.#assertLength(this.#bytes, needed);
    }
  }

  /** The beginning of error messages. */
  get context(): string {
    return `${this.#file}: tensor ${JSON.stringify(this.name)}`;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /**
   * Frees the memory of the file. The elements of small tensors are kept, and those that the import has computed with,
   * because each graph of the model needs them.
   */
  release(): void {
    const kept = this.#computed || (this.#bytes?.length ?? 0) <= Stored.most;
    this.#bytes = kept ? this.#bytes?.slice() : undefined;
  }

  /** Whether all elements are equal. */
  isUniform(): boolean {
    this.#uniform ??= uniform(this.#ready(), this.type.bytes);
    return this.#uniform;
  }

  /** Reads the bytes if they are in another file; undefined if they are here. */
  pending(): Promise<void> | undefined {
    const load = this.#load;
    if (load === undefined) return undefined;
    return load().then((bytes) => {
      this.#assertLength(bytes, this.size * this.type.bytes);
      this.#bytes = bytes;
      this.#load = undefined;
    });
  }

  #assertLength(bytes: Uint8Array, needed: number): void {
    if (bytes.length === needed) return;
    throw new FormatError(
      `${this.context}: ${this.type.name} ${formatShape(this.shape)} takes ${needed} bytes, but the file has ${bytes.length}`,
    );
  }

  #ready(): Uint8Array {
    const bytes = this.#bytes;
    if (bytes === undefined) throw gone(this.context);
    if (bytes.length !== this.size * this.type.bytes) {
      throw new ValueError(`${this.context}: the bytes of the model have been transferred away`);
    }
    return bytes;
  }

  /** Returns the elements as a tensor. @throws FormatError if an element does not fit the dtype */
  tensor(dtype: DType): Tensor {
    const bytes = this.#ready();
    const made = Tensor.zeros(this.shape, { dtype });
    try {
      readElements(this.context, inMemory(this.#file, bytes), 0, this.type.file, dtype, made.data);
    } catch (cause) {
      // The hint of the readers of files, to read another dtype, does not apply here.
      const hint = /; dtype: 'float64' reads integers up to 2\^53$/;
      if (!(cause instanceof FormatError) || !hint.test(cause.message)) throw cause;
      const message = cause.message.replace(hint, ', with which graphs compute');
      throw new FormatError(message, { cause });
    }
    return made;
  }

  /** Returns the elements as numbers. Integers beyond 2^53 are rounded. */
  numbers(): number[] {
    const bytes = this.#ready();
    this.#computed = true;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { get } = this.type.file;
    return Array.from({ length: this.size }, (_, index) =>
      Number(get(view, index * this.type.bytes, true)),
    );
  }
}

/** Returns the error for elements that are needed after the file was freed. */
export function gone(context: string): StateError {
  return new StateError(
    `${context}: its elements were not needed for the shapes of the import, so they were not kept; import the model with other inputs`,
  );
}

function shapeOf(context: string, dims: readonly bigint[]): readonly number[] {
  const shape = dims.map(Number);
  const wrong = shape.find((dim) => !Number.isSafeInteger(dim) || dim < 0);
  if (wrong === undefined && shape.length <= 32) return shape;
  throw new FormatError(
    `${context}: expected at most 32 dimensions from 0 to 2^53 - 1, but found [${shape.slice(0, 33).join(', ')}]`,
  );
}

/** Returns the elements as little-endian bytes. */
function rawBytes(proto: TensorProto, type: ElementType): Uint8Array {
  if (proto.rawData !== undefined) return proto.rawData;
  if (type === elementTypes.float) return joined(proto.floatData);
  if (type === elementTypes.double) return joined(proto.doubleData);
  if (type === elementTypes.int64) {
    return varints(proto.int64Data, 8, (reader, view, at) =>
      view.setBigInt64(at, BigInt(reader.int64()), true),
    );
  }
  if (type === elementTypes.uint64 || type === elementTypes.uint32) {
    return varints(proto.uint64Data, type.bytes, (reader, view, at) => {
      const number = BigInt(reader.uint64());
      if (type.bytes === 8) view.setBigUint64(at, number, true);
      else view.setUint32(at, Number(BigInt.asUintN(32, number)), true);
    });
  }
  return varints(proto.int32Data, type.bytes, (reader, view, at) => {
    const number = reader.int32();
    if (type.bytes === 4) view.setInt32(at, number, true);
    else if (type.bytes === 2) view.setUint16(at, number & 0xffff, true);
    else view.setUint8(at, number & 0xff);
  });
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
}

/** Converts numbers of variable length to elements of `width` bytes. */
function varints(
  pieces: readonly Uint8Array[],
  width: number,
  read: (reader: BinaryReader, into: DataView, at: number) => void,
): Uint8Array {
  const bytes = joined(pieces);
  // A number takes at least one byte.
  const into = new Uint8Array(bytes.length * width);
  const view = new DataView(into.buffer);
  const reader = new BinaryReader(bytes);
  let count = 0;
  while (reader.pos < reader.len) read(reader, view, count++ * width);
  return into.subarray(0, count * width);
}

/** The elements of a tensor that are known when a model is imported: numbers, and dimensions with names. */
export class Known {
  constructor(
    readonly type: ElementType,
    readonly shape: readonly number[],
    readonly elements: readonly Dim[],
  ) {}

  /** A scalar or a list of integers. */
  static ints(elements: readonly Dim[], shape: readonly number[] = [elements.length]): Known {
    return new Known(elementTypes.int64, shape, elements);
  }

  /** Returns the elements as numbers; undefined if one is not a number. */
  numbers(): readonly number[] | undefined {
    return this.elements.every((element) => typeof element === 'number')
      ? (this.elements as readonly number[])
      : undefined;
  }

  /** Returns the elements as a tensor; undefined if one is not a number, or does not fit the dtype. */
  tensor(dtype: DType): Tensor | undefined {
    const numbers = this.numbers();
    if (numbers === undefined) return undefined;
    const made = Tensor.zeros(this.shape, { dtype });
    const { data } = made;
    for (let index = 0; index < numbers.length; index++) {
      const number = numbers[index] as number;
      data[index] = number;
      if (!isFloating(dtype) && data[index] !== number) return undefined;
    }
    return made;
  }
}

/** Returns the elements of a tensor as numbers that are known. */
export function knownOf(type: ElementType, tensor: Tensor): Known {
  return new Known(type, tensor.shape, Array.from(tensor.data));
}

/** Returns whether all elements, of `width` bytes each, are equal. */
function uniform(bytes: Uint8Array, width: number): boolean {
  for (let at = width; at < bytes.length; at++) if (bytes[at] !== bytes[at - width]) return false;
  return true;
}
