/** `copy` copies the values of variables from one module to another. */

import { assertAtRest, assertUnwritten } from '../graph/in-flight.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { Tensor } from '../tensor/tensor.js';
import { namedVariables, type Restored } from './named.js';
import {
  type LeftOut,
  matched,
  type TransferOptions,
  transferOptions,
  valuesOf,
} from './transfer.js';

/**
 * Copies the values of parameters and states to those of the same relative path. Each argument is a module, a list of
 * variables, or a record of variables and modules.
 * @throws one error that lists all values that are missing, unexpected, or of another shape or dtype: a ShapeError or a
 *   DTypeError if it is only shapes or only dtypes, otherwise a ValueError; StateError if a run in flight writes a
 *   variable of `from`, or uses one of `to` (see `assign`); GraphError if two variables have the same path; ValueError if
 *   an argument or an option is invalid. After an error all variables are unchanged
 * @returns the names that were left out, which are none unless the option `strict` is false
 */
export function copy(from: Restored, to: Restored, options?: TransferOptions): LeftOut {
  const read = transferOptions.read(options, 'copy');
  const sources = namedVariables('copy', from);
  const targets = namedVariables('copy', to);
  const offered = new Map(
    [...sources].map(
      ([
        name,
        {
          value: { shape, dtype },
        },
      ]) => {
        return [name, { shape, dtype, description: dtype }] as const;
      },
    ),
  );
  const found = matched('copy', targets, offered, read);
  const copies = valuesOf(
    'copy',
    found,
    (name) => {
      const source = sources.get(name) as Variable;
      assertUnwritten('copy', source);
      return source;
    },
    ({ value }) => value,
  );
  for (const [target] of copies) assertAtRest('copy', target);
  // If a variable is both read and written, as in a swap, its value is read before it is written.
  const written = new Set(copies.map(([target]) => target));
  const values = copies.map(([, source]) => {
    if (!isVariable(source)) return source;
    const { data, shape, dtype } = source.value;
    return written.has(source) ? new Tensor(data.slice(), shape, dtype) : source.value;
  });
  copies.forEach(([target], index) => {
    target.set(values[index] as Tensor);
  });
  const { missing, unexpected } = found;
  return { missing, unexpected };
}
