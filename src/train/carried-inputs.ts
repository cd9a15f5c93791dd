/**
 * Finds the inputs of a program that a training with the option `stateful` carries from minibatch to minibatch: those that
 * have the name of an output.
 */

import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { labelOf } from '../evaluate/bind.js';
import { sameShape } from '../graph/dimension.js';
import type { Input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { formatShape } from '../tensor/shape.js';
import { batchName } from './columns.js';

/** The nodes of a program. */
export interface ProgramNodes {
  readonly inputs: ReadonlyMap<string, Input>;
  readonly outputs: ReadonlyMap<string, Node>;
  readonly metrics: ReadonlySet<string>;
}

/**
 * Returns the inputs that the dataset does not have and that have the name of an output, whose value they get in the next
 * minibatch.
 * @throws GraphError if such an input does not have exactly one dimension 'batch'; DTypeError or ShapeError if it does not
 *   have the dtype and the shape of the output
 */
export function carriedIn(
  context: string,
  { inputs, outputs, metrics }: ProgramNodes,
  given: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, Input> {
  const found = [...inputs].filter(([name]) => {
    return given.get(name) === undefined && outputs.has(name) && !metrics.has(name);
  });
  for (const [name, input] of found) {
    const { dtype, shape } = outputs.get(name) as Node;
    const what = `${context}: stateful: ${labelOf(name, input)} is ${input.dtype} ${formatShape(input.shape)}`;
    if (input.shape.filter((dim) => dim === batchName).length !== 1) {
      throw new GraphError(
        `${what}: expected exactly one dimension '${batchName}', because each row is carried to the same row of the next minibatch`,
      );
    }
    const came = `${what}, but the output '${name}', whose value it gets in the next minibatch, is ${dtype} ${formatShape(shape)}`;
    if (dtype !== input.dtype) throw new DTypeError(came);
    if (!sameShape(shape, input.shape)) throw new ShapeError(came);
  }
  return new Map(found);
}

/** @throws ValueError if no input of a stateful program is carried */
export function assertCarries(
  context: string,
  { carried }: { readonly carried: ReadonlyMap<string, Input> },
  { inputs, outputs, metrics }: ProgramNodes,
): void {
  if (carried.size > 0) return;
  const names = new Map([...outputs].filter(([name]) => !metrics.has(name)));
  throw new ValueError(
    `${context}: stateful: expected an input that has the name of an output and is not in the dataset, because it gets the value of this output in the next minibatch (inputs: ${listed(inputs)}; outputs: ${listed(names)})`,
  );
}

/** Returns the end of the error if the dataset lacks an input. */
export function hintFor(
  name: string,
  { outputs, metrics }: ProgramNodes,
  stateful: boolean,
): string {
  const names = new Map([...outputs].filter(([output]) => !metrics.has(output)));
  if (stateful) {
    return `; with stateful, an input that is carried has the name of an output (outputs: ${listed(names)})`;
  }
  if (!names.has(name)) return '';
  return '; to carry it from minibatch to minibatch, give the option stateful: true';
}

/** Returns names in quotes, for errors. */
export function listed(names: ReadonlyMap<string, unknown>): string {
  return [...names.keys()].map((key) => `'${key}'`).join(', ') || 'none';
}
