/** What layers are applied to, from the JSON of Keras. */

import { describeValue } from '../arguments/describe.js';
import { FormatError } from '../errors.js';
import { isJson, type Json, member } from './config.js';

/** One of the results of a layer. */
export interface Ref {
  readonly layer: string;
  /** The number of the application of the layer; a layer may be applied several times. */
  readonly call: number;
  /** The number of the result of the application. */
  readonly index: number;
}

/** What a layer is applied to. */
export interface Application {
  readonly inputs: readonly Ref[];
  /** Why forebay does not support the application; undefined if it may. */
  readonly unsupported: string | undefined;
}

/** Returns a reference [layer, application, result]. @throws FormatError if it is none */
export function refOf(context: string, entry: unknown): Ref {
  const ref = refIn(entry);
  if (ref !== undefined) return ref;
  throw new FormatError(
    `${context}: expected a reference [layer, node, tensor], but found ${described(entry)}`,
  );
}

function refIn(entry: unknown): Ref | undefined {
  const [layer, call, index] = Array.isArray(entry) ? entry : [];
  const isIndex = (value: unknown): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 0;
  return typeof layer === 'string' && isIndex(call) && isIndex(index)
    ? { layer, call, index }
    : undefined;
}

/** Returns an application, from a list of references or, as Keras 3 writes it, from arguments. */
export function applicationOf(context: string, node: unknown): Application {
  if (isJson(node)) {
    const args = member(node, 'args') ?? [];
    return withNamed(
      args,
      Array.isArray(args) ? args.map(refsIn) : [undefined],
      member(node, 'kwargs'),
    );
  }
  if (!Array.isArray(node)) {
    throw new FormatError(
      `${context}: an element of inbound_nodes must be a list, but is ${described(node)}`,
    );
  }
  // A single reference may have no list around it.
  const list: readonly unknown[] = typeof node[0] === 'string' ? [node] : node;
  const inputs = list.map((entry) => [refOf(context, entry)]);
  // The named arguments are written once for each reference.
  return withNamed(list, inputs, Array.isArray(list[0]) ? list[0][3] : undefined);
}

/** Returns an application with the initial states among the named arguments. The others must have no effect. */
function withNamed(
  list: unknown,
  args: readonly (readonly Ref[] | undefined)[],
  named: unknown,
): Application {
  const kwargs: Json = isJson(named) ? named : {};
  const state = member(kwargs, 'initial_state') ?? undefined;
  const states = state === undefined ? [] : refsIn(state);
  const others = Object.entries(kwargs).flatMap(([key, value]) =>
    key === 'initial_state' || value === null || value === false ? [] : [`'${key}'`],
  );
  const inputs = args.flatMap((refs) => refs ?? []);
  let unsupported: string | undefined;
  if (args.includes(undefined)) unsupported = `it is applied to ${described(list)}`;
  else if (states === undefined) unsupported = `its initial state is ${described(state)}`;
  else if (others.length > 0) unsupported = `it is applied with ${others.join(', ')}`;
  return { inputs: [...inputs, ...(states ?? [])], unsupported };
}

/** Returns the references of an argument: of a tensor, or of a list of tensors; undefined if it is neither. */
function refsIn(value: unknown): readonly Ref[] | undefined {
  const one = refOfTensor(value);
  if (one !== undefined) return [one];
  if (!Array.isArray(value)) return undefined;
  const refs = value.map(refOfTensor);
  return refs.every((ref) => ref !== undefined) ? refs : undefined;
}

/** Returns the reference of a tensor, which is a record in Keras 3. */
function refOfTensor(value: unknown): Ref | undefined {
  if (!isJson(value)) return refIn(value);
  const config = member(value, 'config');
  return isJson(config) ? refIn(member(config, 'keras_history')) : undefined;
}

/** Returns the beginning of the JSON of a value that was read from JSON, for errors. */
export function described(entry: unknown): string {
  try {
    return JSON.stringify(entry).slice(0, 200);
  } catch {
    return describeValue(entry); // a list that is nested too deeply
  }
}
