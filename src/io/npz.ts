/** Several tensors in a file: .npz, a zip archive of .npy files, as `numpy.savez` and `numpy.load` have it. */

import { flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { FormatError, ValueError } from '../errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { bytesIn } from './bytes.js';
import { type OpenFile, writeAtomically } from './files.js';
import { isWritable } from './header.js';
import { readNpy } from './npy.js';
import { formatNpyHeader, UnreadableArray } from './npy-header.js';
import { type Described, fitting } from './restore.js';
import { type Found, type LoadOptions, readLoadOptions, report, Selection } from './selection.js';
import { type FilePath, type FileSource, pathOf, sourceOf } from './sources.js';
import { openMember } from './unzip.js';
import { namedValues, type Restored, restoredIn, type Saved, savedTensors } from './values.js';
import { type Unpacked, zip } from './zip.js';
import { type Member, readDirectory } from './zip-directory.js';

const saveNpzOptions = declareOptions('saveNpz', {
  /** Whether to deflate the tensors, as `numpy.savez_compressed` does. Trained weights hardly shrink. */
  compress: optional(flag, 'compressed'),
});

/** What `saveNpz` may be told. */
export interface SaveNpzOptions extends OptionsOf<typeof saveNpzOptions> {}

const suffix = '.npy';
// The archive has 16 bits for it.
const longestName = 0xffff;

/**
 * Writes tensors to a .npz file, which `numpy.load` reads: whole or not at all, as `save` does. Equal
 * tensors give equal bytes.
 * @param file a path or a `file:` URL
 * @param parameters a list of parameters and states, or a record of them (or of tensors) by the
 *   names they are to have in the file
 * @throws ValueError if a value cannot be saved or an option is unknown; GraphError if two parameters have one name;
 *   StateError if a run in flight writes one; FormatError, naming the file, if it cannot be written. After an error the
 *   file is as it was.
 */
export function saveNpz(file: FilePath, parameters: Saved, options?: SaveNpzOptions): void {
  const path = pathOf(file, 'saveNpz');
  const { compress = false } = saveNpzOptions.read(options);
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
  writeAtomically(path, zip(members, { compress }));
}

/**
 * Reads a .npz file, stored or deflated, with zip64's records or without. Types of elements are read as by `loadNpy`.
 * Arrays of types that are not read, pickled objects among them, are skipped, and a warning of the process names them,
 * unless `onSkipped` is given. What is not asked for is not unpacked, and may be of any type.
 *
 * Memory is bounded by the file: members that overlap are refused, and so is one that is said to
 * unpack to more than deflate can make of its bytes (1,032 for each); none is unpacked beyond that.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @param into parameters and states to write what was read to, as `load` does: all of them, or none. Or options: which
 *   tensors to read, and as which dtypes.
 * @returns the tensors by name
 * @throws FormatError, naming file, member, byte and reason, if the file is missing or damaged, if it
 *   holds two members of one name, or a member that is not a .npy file, or if it lacks a tensor that is asked for, or
 *   that cannot be read; ValueError if an option is unknown; ShapeError or DTypeError if a tensor does not fit;
 *   StateError if one of a run in flight would be written
 */
export function loadNpz(file: FileSource, into?: Restored | LoadOptions): Record<string, Tensor> {
  const source = sourceOf(file, 'loadNpz');
  const wanted = restoredIn('loadNpz', into);
  const options = wanted === undefined ? readLoadOptions('loadNpz', into) : {};
  const { tensors, skipped } = source.read((open) => {
    return readNpz(source.name, open, options, wanted && new Set(wanted.keys()));
  });
  report('loadNpz', source.name, skipped, options.onSkipped);
  if (wanted === undefined) return tensors;
  const found = Object.entries(tensors);
  fitting(
    'loadNpz',
    source.name,
    found.map(([name, { dtype, shape }]): Described => {
      return { name, dtype, shape, description: dtype };
    }),
    wanted,
  );
  for (const [name, tensor] of found) wanted.get(name)?.set(tensor);
  return tensors;
}

/**
 * As `loadNpz`, from bytes wherever they are.
 * @param file how errors name them
 * @param wanted the names to read, each of which must be there, whatever the options say
 */
export function readNpz(
  file: string,
  open: OpenFile,
  options: LoadOptions = {},
  wanted?: ReadonlySet<string>,
): Found {
  const members = readDirectory(file, open);
  const other = members.find(({ name }) => !name.endsWith(suffix));
  if (other !== undefined) {
    throw new FormatError(
      `${file}: expected members that are .npy files, but one at byte ${other.begin} is ${JSON.stringify(other.name)}`,
    );
  }
  const only = wanted === undefined ? options.only : [...wanted];
  const selection = new Selection(file, { ...options, only }, members.map(nameOf));
  const tensors: (readonly [string, Tensor])[] = [];
  for (const member of members) {
    const name = nameOf(member);
    if (!selection.has(name)) continue;
    const content = openMember(file, open, member);
    try {
      tensors.push([name, readNpy(`${file}: ${member.name}`, content, selection.dtypeOf(name))]);
    } catch (error) {
      const left = error instanceof UnreadableArray && selection.skip(name, error.reason);
      if (!left) throw error;
    }
  }
  return { tensors: Object.fromEntries(tensors), skipped: selection.skipped };
}

const nameOf = ({ name }: Member) => name.slice(0, -suffix.length);
