/** `restore` reads the values of the variables of a module from a file. */

import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { isRecord } from '../arguments/read.js';
import { DTypeError } from '../errors.js';
import { assertAtRest } from '../graph/in-flight.js';
import { namedVariables, type Restored } from '../modules/named.js';
import { type LeftOut, matched, transferring, valuesOf } from '../modules/transfer.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Entry } from './header.js';
import { type DTypes, dtypeOrDTypes, listed } from './selection.js';
import { weightsAt } from './sharded.js';
import type { FileSource } from './sources.js';
import { described, readStored } from './stored.js';

const restoreOptions = declareOptions('restore', {
  ...transferring,
  /**
   * The dtype in which the floats of the file are read, or dtypes by the names of tensors. Floats are rounded to a float
   * dtype, and a number that would become infinite is refused. All other conversions must be exact. By default float16
   * and bfloat16 become float32, and float32 and float64 are unchanged.
   */
  dtype: optional(dtypeOrDTypes, 'dtypes', 'type'),
});

/** Options of `restore`. */
export interface RestoreOptions extends OptionsOf<typeof restoreOptions> {}

/**
 * Reads the values of variables from a safetensors file, by name: those of a module by the paths relative to it, as
 * `save(file, module)` writes them; or by the names of another library, with a map:
 *
 *     restore('model.safetensors', net, { map: maps.pytorch(net) });
 *
 * @param file a path, a `file:` URL, or the bytes of a file. A path that ends in `.index.json` is the index of a model in
 *   several files (see `loadSharded`)
 * @param into a module, a list of parameters and states, or a record of variables and modules. Their elements are
 *   converted as `load` does
 * @throws one error that lists all tensors that are missing, unexpected, or of another shape or dtype: a ShapeError or a
 *   DTypeError if it is only shapes or only dtypes, otherwise a FormatError; FormatError also if a file is missing or
 *   damaged, or if an element does not fit its dtype; StateError if a run in flight uses a variable (`assign` works
 *   during runs); GraphError if two variables have the same path; DTypeError if `dtype` is not a dtype, or is given for a
 *   tensor that is not in the file; ValueError if an argument or an option is invalid. After an error all variables are
 *   unchanged
 * @returns the names that were left out, which are none unless the option `strict` is false
 */
export function restore(file: FileSource, into: Restored, options?: RestoreOptions): LeftOut {
  const source = weightsAt(file, 'restore');
  const wanted = namedVariables('restore', into);
  const { dtype, ...transfer } = restoreOptions.read(options, 'restore');
  for (const variable of wanted.values()) assertAtRest('restore', variable);
  const { found, values } = source.read((stored) => {
    const byName = new Map(stored.map((one) => [one.entry.name, one]));
    const dtypeOf = requested(source.name, dtype, [...byName.keys()]);
    const offered = new Map(
      stored.map(({ entry }) => [entry.name, described(entry, dtypeOf(entry))]),
    );
    const found = matched(source.name, wanted, offered, transfer, true);
    const values = valuesOf<Tensor>(
      source.name,
      found,
      (name) => {
        const one = byName.get(name) as (typeof stored)[number];
        return readStored(one, dtypeOf(one.entry));
      },
      (tensor) => tensor,
      true,
    );
    return { found, values };
  });
  for (const [variable, value] of values) variable.set(value);
  const { missing, unexpected } = found;
  return { missing, unexpected };
}

/**
 * Returns the function that returns the dtype in which a tensor is to be read; undefined if none was requested.
 * @throws DTypeError if a dtype is requested for a tensor that the file lacks
 */
function requested(
  file: string,
  dtype: DTypes | undefined,
  names: readonly string[],
): (entry: Entry) => DType | undefined {
  if (!isRecord(dtype)) {
    return ({ type }) => (type?.name.includes('float') ? (dtype as DType | undefined) : undefined);
  }
  const dtypes = new Map(Object.entries(dtype as Readonly<Record<string, DType>>));
  const there = new Set(names);
  const unknown = [...dtypes.keys()].find((name) => !there.has(name));
  if (unknown !== undefined) {
    throw new DTypeError(
      `${file}: a dtype is given for '${unknown}', but there is no tensor of that name ${listed(names)}`,
    );
  }
  return ({ name }) => dtypes.get(name);
}
