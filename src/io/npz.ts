/** Reads and writes tensors as .npz, the zip archive of .npy files of `numpy.savez` and `numpy.load`. */

import { flag } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { FormatError, ValueError } from '../errors.js';
import { namedValues, type Restored } from '../modules/named.js';
import type { Tensor } from '../tensor/tensor.js';
import { writtenBytes } from './bytes.js';
import { type OpenFile, writeAtomically } from './files.js';
import { type Described, fitting } from './fitting.js';
import { isWritable } from './header.js';
import { readNpy } from './npy.js';
import { formatNpyHeader, UnreadableArray } from './npy-header.js';
import { type Found, type LoadOptions, readLoadOptions, report, Selection } from './selection.js';
import { type FilePath, type FileSource, pathOf, sourceOf } from './sources.js';
import { openMember } from './unzip.js';
import { restoredIn, type Saved, savedTensors } from './values.js';
import { type Unpacked, zip } from './zip.js';
import { type Member, readDirectory } from './zip-directory.js';

const saveNpzOptions = declareOptions('saveNpz', {
  /** Whether to compress with deflate, as `numpy.savez_compressed` does. Trained weights hardly become smaller. */
  compress: optional(flag, 'compressed'),
});

/** The options of `saveNpz`. */
export interface SaveNpzOptions extends OptionsOf<typeof saveNpzOptions> {}

const suffix = '.npy';
// The longest name of a member in bytes, because the archive stores the length of a name in 16 bits.
const longestName = 0xffff;

/**
 * Writes tensors to a .npz file, which `numpy.load` reads. The file is written completely or not at all, as
 * `save` does. Equal tensors give equal bytes.
 * @param file a path or a `file:` URL
 * @param parameters a list of parameters and states, or a record of parameters, states and tensors by their names in
 *   the file
 * @throws ValueError if a value cannot be saved or an option is unknown; GraphError if two parameters have the same
 *   name; StateError if a run in flight writes a parameter; FormatError, naming the file, if it cannot be written.
 *   After an error the file is unchanged.
 */
export function saveNpz(file: FilePath, parameters: Saved, options?: SaveNpzOptions): void {
  const path = pathOf(file, 'saveNpz');
  const { compress = false } = saveNpzOptions.read(options);
  const members = savedTensors('saveNpz', namedValues<Tensor>('saveNpz', parameters)).map(
    ({ name, tensor }): Unpacked => {
      if (!isWritable(name) || Buffer.byteLength(name + suffix) > longestName) {
        throw new ValueError(
          `saveNpz: a tensor of a file cannot be named ${JSON.stringify(name.slice(0, 99))}`,
        );
      }
      const { dtype, shape } = tensor;
      return { name: name + suffix, parts: [formatNpyHeader(dtype, shape), writtenBytes(tensor)] };
    },
  );
  writeAtomically(path, zip(members, { compress }));
}

/**
 * Reads a .npz file. Its members may be stored or deflated, with or without zip64 records. Elements are converted as
 * `loadNpy` does. Arrays of other types, such as pickled objects, are skipped, and a process warning names them unless
 * `onSkipped` is given. Members that are not requested are not unpacked, and may have any type.
 *
 * The size of the file limits the memory that is used. Members that overlap are refused. A member is refused if its
 * stated size is more than deflate can produce from its bytes (1,032 bytes from each byte). No member is unpacked
 * beyond its stated size.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @param into the module, or the parameters and states, to which the tensors are written; if one tensor does not fit,
 *   none is written. Alternatively, options that select the tensors to read and their dtypes
 * @returns the tensors by name
 * @throws FormatError, naming file, member, byte and reason, if the file is missing or damaged, if two members have
 *   the same name, if a member is not a .npy file, or if a requested tensor is missing or cannot be read; ValueError
 *   if an option is unknown; ShapeError or DTypeError if a tensor does not fit; StateError if a run in flight reads or
 *   writes a variable of `into`
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
 * Reads tensors from an `OpenFile`, as `loadNpz` does.
 * @param file the name of the file in error messages
 * @param wanted the names to read, in place of `options.only`; each must be in the file
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
      `${file}: expected only .npy files as members, but the one at byte ${other.begin} is ${JSON.stringify(other.name)}`,
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
