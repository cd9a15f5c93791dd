/** Reads the argument of `Program.prepare`: the sizes of the named dimensions. */

import { describeValue } from '../arguments/describe.js';
import { assertRecord } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import type { FedInputs } from '../evaluate/bind.js';
import { type Bindings, namesOf } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';

/**
 * Returns the binding that `dims`, a record of sizes by dimension name, describes.
 * @throws ValueError if a size is not a whole number of at least 0, or if a dimension name is missing or unknown
 */
export function dimsOf(dims: unknown, { inputs, optional }: FedInputs): Bindings {
  const needed = names(inputs.values());
  const example = `{ ${[...needed].map((name) => `${name}: 64`).join(', ')} }`;
  const given = assertRecord(
    dims as Readonly<Record<string, unknown>>,
    `prepare: expected the sizes of dimensions by name, such as ${example},`,
  );
  const known = new Set([...needed, ...names(optional.values())]);
  const bindings = new Map<string, number>();
  for (const [name, size] of given) {
    if (!known.has(name)) {
      const all = [...known].join(', ') || 'none';
      throw new ValueError(`prepare: no input has a dimension '${name}' (the dimensions: ${all})`);
    }
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw new ValueError(
        `prepare: dimension '${name}' must be a whole number of at least 0, but is ${describeValue(size)}`,
      );
    }
    bindings.set(name, size as number);
  }
  for (const name of needed) {
    if (bindings.has(name)) continue;
    throw new ValueError(
      `prepare: the size of dimension '${name}' is missing: expected ${example}`,
    );
  }
  return bindings;
}

function names(inputs: Iterable<Input>): Set<string> {
  const found = new Set<string>();
  for (const { shape } of inputs)
    for (const dim of shape) for (const n of namesOf(dim)) found.add(n);
  return found;
}
