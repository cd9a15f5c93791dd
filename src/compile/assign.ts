/** `assign` gives variables new values while programs run. */

import { types } from 'node:util';
import { describeValue } from '../arguments/describe.js';
import { reading } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { assertUnwritten } from '../graph/in-flight.js';
import { type Input, input, isVariable, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Module } from '../modules/module.js';
import { namedValues, namedVariables, type Restored } from '../modules/named.js';
import {
  type LeftOut,
  matched,
  type TransferOptions,
  transferOptions,
  valuesOf,
} from '../modules/transfer.js';
import { sharedArray, type TypedArray } from '../tensor/dtype.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { Line } from './line.js';
import { Runner } from './runner.js';
import { specialisation } from './specialise.js';
import { stepperOf } from './stepper.js';

/**
 * Values for variables, by name: a record or a Map of tensors, variables and modules; or a module or a list of
 * variables, whose values are used.
 */
export type Assigned =
  | Module
  | readonly Variable[]
  | Readonly<Record<string, Tensor | Variable | Module>>
  | ReadonlyMap<string, Tensor>;

/**
 * Gives parameters and states new values, by name, while programs run: a training and a server need not stop. The values
 * are written all at once, like those of a run that updates the variables: when no run is writing or reading them.
 * Several calls write in their order. So a run that begins before the promise is settled reads only old values or only
 * new ones, and a run that begins after it reads the new ones. A value that `set` gives a variable before the promise is
 * settled may be overwritten. If a variable has several names, the last value is written. Tensors are copied before
 * `assign` returns its promise.
 *
 *     await assign(net, load('net.safetensors'));
 *
 * @param into a module, a list of parameters and states, or a record of variables and modules
 * @throws (rejects with) one error that lists all values that are missing, unexpected, or of another shape or dtype: a
 *   ShapeError or a DTypeError if it is only shapes or only dtypes, otherwise a ValueError; GraphError if two variables
 *   have the same path; ValueError if an argument or an option is invalid. After an error all variables are unchanged
 * @returns the names that were left out, which are none unless the option `strict` is false
 */
export async function assign(
  into: Restored,
  values: Assigned,
  options?: TransferOptions,
): Promise<LeftOut> {
  const read = transferOptions.read(options, 'assign');
  const targets = namedVariables('assign', into);
  const sources = sourcesIn(values);
  const offered = new Map(
    [...sources].map(([name, source]) => {
      const { shape, dtype } = isVariable(source) ? source.value : source;
      return [name, { shape, dtype, description: dtype }] as const;
    }),
  );
  const found = matched('assign', targets, offered, read);
  const moved = valuesOf(
    'assign',
    found,
    (name) => sources.get(name) as Source,
    (source) => {
      if (!isVariable(source)) return source;
      // The layout of the value changes, so it is read now and not in the run that writes it.
      assertUnwritten('assign', source);
      return source.value;
    },
  );
  await write(new Map(moved));
  const { missing, unexpected } = found;
  return { missing, unexpected };
}

type Source = Tensor | Variable;

/**
 * Writes values to variables, by a run whose updates are these values, because runs already wait for one another as this
 * write must wait for them.
 */
async function write(sources: ReadonlyMap<Variable, Source>): Promise<void> {
  if (sources.size === 0) return;
  const inputs = new Map<string, Input>();
  const feeds = new Map<string, TypedArray>();
  const updates = [...sources].map(([target, source]): readonly [Variable, Node] => {
    if (isVariable(source)) return [target, source];
    const { data, shape, dtype, size } = source;
    const name = `value ${inputs.size}`;
    const fed = input(name, shape, { dtype });
    const copied = sharedArray(dtype, size);
    if (size > 0) copied.set(data);
    inputs.set(name, fed);
    feeds.set(name, copied);
    return [target, fed];
  });
  const runner = new Runner({
    inputs,
    // A module and its copy usually have the same names.
    namesakes: true,
    outputs: new Map(),
    metrics: new Set(),
    updates,
    constants: undefined,
    threads: 0,
    specialise: specialisation,
    // Compiling the write of hundreds of variables takes too long for one turn of the event loop.
    later: true,
  });
  const entry = line.enter();
  let run: Promise<void>;
  try {
    await runner.executables.prepare(noNames, undefined);
    await entry.turn;
    run = stepperOf(runner).runSteps({
      steps: 1,
      bindings: noNames,
      feeds,
      outputs: new Map(),
      checkFinite: false,
      signal: undefined,
    });
  } finally {
    // The run has started, so the addon keeps its place.
    entry.leave();
  }
  try {
    await run;
  } finally {
    runner.executables.dispose();
  }
}

const noNames: ReadonlyMap<string, number> = new Map();

/** The calls whose runs have not started yet. Their runs start in the order of the calls. */
const line = new Line();

/** @throws ValueError if a value is neither a tensor nor a variable */
function sourcesIn(values: Assigned): Map<string, Source> {
  // `instanceof` would throw for a proxy whose traps throw.
  const given = types.isMap(values)
    ? reading('assign:', values, () => Object.fromEntries(values))
    : values;
  const named = namedValues<Tensor>(
    'assign',
    given as Exclude<Assigned, ReadonlyMap<string, Tensor>>,
  );
  for (const [name, value] of named) {
    if (isTensor(value) || isVariable(value)) continue;
    throw new ValueError(
      `assign: expected a tensor or a variable for '${name}', but received ${describeValue(value)}; make it a tensor with tensor()`,
    );
  }
  return named;
}
