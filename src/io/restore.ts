/** `restore` reads the values of the variables of a module from a file. */

import { assertAtRest } from '../graph/in-flight.js';
import { namedVariables, type Restored } from '../modules/named.js';
import {
  type LeftOut,
  type Matched,
  matched,
  type TransferOptions,
  transferOptions,
} from '../modules/transfer.js';
import type { Tensor } from '../tensor/tensor.js';
import { described, readChosen } from './safetensors.js';
import { type FileSource, sourceOf } from './sources.js';

/**
 * Reads the values of variables from a safetensors file, by name: those of a module by the paths relative to it, as
 * `save(file, module)` writes them.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @param into a module, a list of parameters and states, or a record of variables and modules. Their elements are
 *   converted as `load` does
 * @throws one error that lists all tensors that are missing, unexpected, or of another shape or dtype: a ShapeError or a
 *   DTypeError if it is only shapes or only dtypes, otherwise a FormatError; FormatError also if the file is missing or
 *   damaged; StateError if a run in flight uses a variable (`assign` works during runs); GraphError if two variables have
 *   the same path; ValueError if an argument or an option is invalid. After an error all variables are unchanged
 * @returns the names that were left out, which are none unless the option `strict` is false
 */
export function restore(file: FileSource, into: Restored, options?: TransferOptions): LeftOut {
  const source = sourceOf(file, 'restore');
  const wanted = namedVariables('restore', into);
  const read = transferOptions.read(options, 'restore');
  for (const variable of wanted.values()) assertAtRest('restore', variable);
  let found!: Matched;
  const tensors = source.read((open) => {
    return readChosen(source.name, open, ({ entries }) => {
      const offered = new Map(entries.map((entry) => [entry.name, described(entry)]));
      found = matched(source.name, wanted, offered, read, true);
      return new Set(found.pairs.map(([, name]) => name));
    });
  });
  const { pairs, missing, unexpected } = found;
  for (const [variable, name] of pairs) variable.set(tensors.get(name) as Tensor);
  return { missing, unexpected };
}
