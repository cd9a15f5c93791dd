/** One tensor in a file: .npy, as `numpy.save` and `numpy.load` write and read it. */

import { describeValue } from '../arguments/describe.js';
import { ValueError } from '../errors.js';
import { Variable } from '../graph/leaf.js';
import { allocate, asTensor, isTensorLike, Tensor, type TensorLike } from '../tensor/tensor.js';
import { bytesIn } from './bytes.js';
import { readElements, toRowMajor } from './elements.js';
import { assertPath, type OpenFile, withFile, writeAtomically } from './files.js';
import { formatNpyHeader, readNpyHeader } from './npy-header.js';
import { assertUnwritten } from './values.js';

/**
 * Writes one tensor to a .npy file, which `numpy.load` reads: of version 1.0, little-endian, row-major,
 * whole or not at all, as `save` does.
 * @param value a tensor or what can be one (nested numbers are float32), a parameter or a state
 * @throws ValueError for what cannot be saved; StateError for a parameter that a run in flight writes;
 *   FormatError, naming the file, when it cannot be written. What the file was before, it is then.
 */
export function saveNpy(file: string, value: TensorLike | Variable): void {
  assertPath(file, 'saveNpy:');
  const saved = savedValue(value);
  writeAtomically(file, [formatNpyHeader(saved.dtype, saved.shape), bytesIn(saved)]);
}

function savedValue(value: TensorLike | Variable): Tensor {
  if (value instanceof Variable) {
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

/**
 * Reads a .npy file of version 1.0, 2.0 or 3.0, of either byte order, row-major or Fortran's.
 *
 * float32, float64 and int32 are read as they are. float16 becomes float32; bool, int8, uint8, int16
 * and uint16 become int32; so do uint32, int64 (NumPy's own choice for whole numbers) and uint64,
 * and an element that int32 does not hold is refused. All other types are refused by name, pickled
 * objects among them: nothing in a file is ever run.
 * @returns a tensor that owns its memory, row-major
 * @throws FormatError, naming file, byte and reason, for a file that is missing, damaged, or longer
 *   or shorter than it says, and for what is not read
 */
export function loadNpy(file: string): Tensor {
  assertPath(file, 'loadNpy:');
  return withFile(file, (open) => readNpy(file, open));
}

/** As `loadNpy`, from bytes wherever they are. `file`: how errors name them. */
export function readNpy(file: string, open: OpenFile): Tensor {
  const { type, fortranOrder, shape, dataStart } = readNpyHeader(file, open);
  const data = allocate(type.dtype, shape, `${file}:`);
  readElements(file, open, dataStart, type, data);
  // A vector lies the same way in both orders.
  if (!fortranOrder || shape.length < 2) return new Tensor(data, shape);
  const ordered = allocate(type.dtype, shape, `${file}:`);
  toRowMajor(data, shape, ordered);
  return new Tensor(ordered, shape);
}
