/** Reads and writes one tensor as a .npy file, the format of `numpy.save` and `numpy.load`. */

import { describeValue } from '../arguments/describe.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { assertUnwritten } from '../graph/in-flight.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { type DType, dtypeName } from '../tensor/dtype.js';
import { allocate, asTensor, isTensorLike, Tensor, type TensorLike } from '../tensor/tensor.js';
import { writtenBytes } from './bytes.js';
import { readElements, toRowMajor } from './elements.js';
import { type OpenFile, writeAtomically } from './files.js';
import { formatNpyHeader, readNpyHeader } from './npy-header.js';
import { type FilePath, type FileSource, pathOf, sourceOf } from './sources.js';

/**
 * Writes one tensor to a .npy file, which `numpy.load` reads: version 1.0, little-endian, row-major. The file is
 * written completely or not at all, as `save` does.
 * @param file a path or a `file:` URL
 * @param value a tensor of any shape and dtype, nested numbers (written as float32), a parameter or a state
 * @throws ValueError or ShapeError if the value is none of these; StateError if a run in flight writes the parameter;
 *   FormatError, naming the file, if it cannot be written. After an error the file is unchanged.
 */
export function saveNpy(file: FilePath, value: TensorLike | Variable): void {
  const path = pathOf(file, 'saveNpy');
  const saved = savedValue(value);
  writeAtomically(path, [formatNpyHeader(saved.dtype, saved.shape), writtenBytes(saved)]);
}

function savedValue(value: TensorLike | Variable): Tensor {
  if (isVariable(value)) {
    assertUnwritten('saveNpy', value);
    return value.value;
  }
  if (!isTensorLike(value)) {
    throw new ValueError(
      `saveNpy: expected a tensor, a parameter or a state, but received ${describeValue(value)}`,
    );
  }
  return asTensor(value, 'float32', 'saveNpy:');
}

const loadNpyOptions = declareOptions('loadNpy', {
  /** The dtype of the tensor. Floats are rounded to a float dtype. All other conversions must be exact. */
  dtype: optional(dtypeName, 'type'),
});

/** The options of `loadNpy`. */
export interface LoadNpyOptions extends OptionsOf<typeof loadNpyOptions> {}

/**
 * Reads a .npy file of version 1.0, 2.0 or 3.0, of either byte order, in row-major or Fortran order.
 *
 * Without the option `dtype`, float32, float64, int32, bool and uint8 are read unchanged. float16 becomes float32. int8,
 * int16, uint16, uint32, int64 (NumPy's default for whole numbers) and uint64 become int32, and an element
 * that does not fit in int32 is refused. All other types are refused by name. This includes pickled objects: no
 * code in a file is ever run.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @returns a row-major tensor of the shape in the file, which owns its memory
 * @throws FormatError, naming file, byte and reason, if the file is missing or damaged, if its length does not match
 *   its header, or if forebay does not read its type; ValueError or DTypeError if an option is not acceptable
 */
export function loadNpy(file: FileSource, options?: LoadNpyOptions): Tensor {
  const source = sourceOf(file, 'loadNpy');
  const { dtype } = loadNpyOptions.read(options);
  return source.read((open) => readNpy(source.name, open, dtype));
}

/** Reads a tensor from an `OpenFile`, as `loadNpy` does. `file` is the name of the file in error messages. */
export function readNpy(file: string, open: OpenFile, asked?: DType): Tensor {
  const { type, fortranOrder, shape, dataStart } = readNpyHeader(file, open);
  const dtype = asked ?? type.dtype;
  const data = allocate(dtype, shape, `${file}:`);
  readElements(file, open, dataStart, type, dtype, data);
  // A tensor with fewer than two axes is the same in both orders.
  if (!fortranOrder || shape.length < 2) return new Tensor(data, shape, dtype);
  const ordered = allocate(dtype, shape, `${file}:`);
  toRowMajor(data, shape, ordered);
  return new Tensor(ordered, shape, dtype);
}
