/** One tensor in a file: .npy, as `numpy.save` and `numpy.load` write and read it. */

import { describeValue } from '../arguments/describe.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import { type DType, dtypeName } from '../tensor/dtype.js';
import { allocate, asTensor, isTensorLike, Tensor, type TensorLike } from '../tensor/tensor.js';
import { bytesIn } from './bytes.js';
import { readElements, toRowMajor } from './elements.js';
import { type OpenFile, writeAtomically } from './files.js';
import { formatNpyHeader, readNpyHeader } from './npy-header.js';
import { type FilePath, type FileSource, pathOf, sourceOf } from './sources.js';
import { assertUnwritten, isVariable } from './values.js';

/**
 * Writes one tensor to a .npy file, which `numpy.load` reads: of version 1.0, little-endian, row-major,
 * whole or not at all, as `save` does.
 * @param file a path or a `file:` URL
 * @param value a tensor or what can be one (nested numbers are float32), a parameter or a state
 * @throws ValueError or ShapeError if the value is none of these; StateError if a run in flight writes the parameter;
 *   FormatError, naming the file, if it cannot be written. After an error the file is as it was.
 */
export function saveNpy(file: FilePath, value: TensorLike | Variable): void {
  const path = pathOf(file, 'saveNpy');
  const saved = savedValue(value);
  writeAtomically(path, [formatNpyHeader(saved.dtype, saved.shape), bytesIn(saved)]);
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
  /** The dtype of the tensor. Floats are rounded to it; an integer that it does not hold exactly is refused. */
  dtype: optional(dtypeName, 'type'),
});

/** What `loadNpy` may be told. */
export interface LoadNpyOptions extends OptionsOf<typeof loadNpyOptions> {}

/**
 * Reads a .npy file of version 1.0, 2.0 or 3.0, of either byte order, row-major or Fortran's.
 *
 * Unless a dtype is asked for, float32, float64 and int32 are read as they are. float16 becomes float32; bool, int8,
 * uint8, int16 and uint16 become int32; so do uint32, int64 (NumPy's own choice for whole numbers) and uint64,
 * and an element that int32 does not hold is refused. All other types are refused by name, pickled
 * objects among them: nothing in a file is ever run.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @returns a tensor that owns its memory, row-major
 * @throws FormatError, naming file, byte and reason, if the file is missing, damaged, or longer
 *   or shorter than it says, or if its type is not read; ValueError or DTypeError for an option
 */
export function loadNpy(file: FileSource, options?: LoadNpyOptions): Tensor {
  const source = sourceOf(file, 'loadNpy');
  const { dtype } = loadNpyOptions.read(options);
  return source.read((open) => readNpy(source.name, open, dtype));
}

/** As `loadNpy`, from bytes wherever they are. `file`: how errors name them. */
export function readNpy(file: string, open: OpenFile, asked?: DType): Tensor {
  const { type, fortranOrder, shape, dataStart } = readNpyHeader(file, open);
  const dtype = asked ?? type.dtype;
  const data = allocate(dtype, shape, `${file}:`);
  readElements(file, open, dataStart, type, data);
  // A vector lies the same way in both orders.
  if (!fortranOrder || shape.length < 2) return new Tensor(data, shape);
  const ordered = allocate(dtype, shape, `${file}:`);
  toRowMajor(data, shape, ordered);
  return new Tensor(ordered, shape);
}
