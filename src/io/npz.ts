/** Several tensors in a file: .npz, a zip archive of .npy files, as `numpy.savez` and `numpy.load` have it. */

import { describeValue } from '../arguments/describe.js';
import { FormatError, ValueError } from '../errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { bytesIn } from './bytes.js';
import { assertPath, type OpenFile, withFile, writeAtomically } from './files.js';
import { isWritable } from './header.js';
import { readNpy } from './npy.js';
import { formatNpyHeader } from './npy-header.js';
import { fitting, type Restored } from './safetensors.js';
import { openMember } from './unzip.js';
import { namedValues, type Saved, savedTensors } from './values.js';
import { type Unpacked, zip } from './zip.js';
import { readDirectory } from './zip-directory.js';

/** What `saveNpz` may be told. */
export interface SaveNpzOptions {
  /** Whether to deflate the tensors, as `numpy.savez_compressed` does. Trained weights hardly shrink. */
  readonly compress?: boolean | undefined;
}

const suffix = '.npy';
// The archive has 16 bits for it.
const longestName = 0xffff;

/**
 * Writes tensors to a .npz file, which `numpy.load` reads: whole or not at all, as `save` does. Equal
 * tensors give equal bytes.
 * @param parameters a list of parameters and states, or a record of them (or of tensors) by the
 *   names they are to have in the file
 * @throws ValueError for what cannot be saved; GraphError for two parameters of one name; StateError
 *   for one that a run in flight writes; FormatError, naming the file, when it cannot be written. What the file was
 *   before, it is then.
 */
export function saveNpz(
  file: string,
  parameters: Saved,
  { compress = false }: SaveNpzOptions = {},
): void {
  assertPath(file, 'saveNpz:');
  if (typeof compress !== 'boolean') {
    throw new ValueError(
      `saveNpz: expected compress to be true or false, but received ${describeValue(compress)}`,
    );
  }
  const members = savedTensors('saveNpz', namedValues('saveNpz', parameters)).map(
    ({ name, tensor }): Unpacked => {
      if (!isWritable(name) || Buffer.byteLength(name + suffix) > longestName) {
        throw new ValueError(
          `saveNpz: no tensor of a file can be named ${JSON.stringify(name.slice(0, 99))}`,
        );
      }
      const { dtype, shape } = tensor;
      return { name: name + suffix, parts: [formatNpyHeader(dtype, shape), bytesIn(tensor)] };
    },
  );
  writeAtomically(file, zip(members, { compress }));
}

/**
 * Reads a .npz file, stored or deflated, with zip64's records or without. Element types are read
 * and refused as by `loadNpy`.
 *
 * Memory is bounded by the file: members that overlap are refused, and so is one that is said to
 * unpack to more than deflate can make of its bytes (1,032 for each); none is unpacked beyond that.
 * @param into parameters and states to write what was read to, as `load` does: all of them, or none
 * @returns the tensors by name
 * @throws FormatError, naming file, member, byte and reason, for a file that is missing or damaged, that
 *   holds two members of one name, or what is no .npy file, or that lacks one of `into`; ShapeError or
 *   DTypeError for one that does not fit; StateError for one of a run in flight
 */
export function loadNpz(file: string, into?: Restored): Record<string, Tensor> {
  assertPath(file, 'loadNpz:');
  const tensors = withFile(file, (open) => readNpz(file, open));
  if (into === undefined) return tensors;
  const entries = Object.entries(tensors).map(([name, { dtype, shape }]) => ({
    name,
    dtype,
    shape,
  }));
  const wanted = fitting('loadNpz', file, { entries }, namedValues('loadNpz', into));
  const chosen = Object.entries(tensors).filter(([name]) => wanted.has(name));
  for (const [name, tensor] of chosen) wanted.get(name)?.set(tensor);
  return Object.fromEntries(chosen);
}

/** As `loadNpz`, from bytes wherever they are. `file`: how errors name them. */
export function readNpz(file: string, open: OpenFile): Record<string, Tensor> {
  const members = readDirectory(file, open);
  const other = members.find(({ name }) => !name.endsWith(suffix));
  if (other !== undefined) {
    throw new FormatError(
      `${file}: expected members that are .npy files, but one at byte ${other.begin} is ${JSON.stringify(other.name)}`,
    );
  }
  return Object.fromEntries(
    members.map((member) => [
      member.name.slice(0, -suffix.length),
      readNpy(`${file}: ${member.name}`, openMember(file, open, member)),
    ]),
  );
}
