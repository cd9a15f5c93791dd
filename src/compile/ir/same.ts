/** Equality of values: two values are equal if they have the same kind, dtype, shape, operands and details. */

import type { DType } from '../../tensor/dtype.js';
import type { Details, Kind, Ref, Value } from './value.js';
import { equalLists } from './view.js';

/** Returns a hash of a value, from its definition. Equal values have equal hashes. */
export function hashOf(
  kind: Kind,
  dtype: DType,
  shape: readonly number[],
  args: readonly Ref[],
  { kernel = '', seed = 0, starts }: Details,
): number {
  let hash = kind.length * 31 + dtype.length + seed;
  for (let i = 0; i < kernel.length; i++) hash = mix(hash, kernel.charCodeAt(i));
  for (const dim of shape) hash = mix(hash, dim);
  for (const arg of args) hash = mixRef(hash, arg);
  if (starts) hash = mix(hash, starts.length);
  return hash;
}

function mixRef(hash: number, { value, offset, strides }: Ref): number {
  let mixed = mix(mix(hash, value.id), offset);
  for (const stride of strides) mixed = mix(mixed, stride);
  return mixed;
}

/** Mixes the number `next` into a hash, as the hash function FNV-1a does with a byte. Returns the new hash. */
function mix(hash: number, next: number): number {
  return Math.imul(hash ^ next, 16777619);
}

/** Whether the existing value `value` equals the value that the other arguments describe. */
export function isSame(
  value: Value,
  kind: Kind,
  dtype: DType,
  shape: readonly number[],
  args: readonly Ref[],
  details: Details,
): boolean {
  const own = value.details;
  return (
    value.kind === kind &&
    value.dtype === dtype &&
    own.kernel === details.kernel &&
    own.converts === details.converts &&
    own.seed === details.seed &&
    own.adds === details.adds &&
    own.gaps === details.gaps &&
    equalLists(value.shape, shape) &&
    value.args.length === args.length &&
    value.args.every((arg, i) => sameRef(arg, args[i] as Ref)) &&
    (own.starts ?? []).every((start, i) => equalLists(start, details.starts?.[i] ?? []))
  );
}

/** Assigns a number, the key, to each ref. Equal refs get the same key, and different refs get different keys. */
export class Keys {
  /** All refs, by their keys. A key is the hash of the ref or, if another ref has this key, the next free number. */
  readonly #refs = new Map<number, Ref>();

  /** Returns the key of a ref. */
  of(ref: Ref): number {
    let key = mixRef(0, ref);
    for (let known = this.#refs.get(key); known; known = this.#refs.get(++key)) {
      if (sameRef(known, ref)) return key;
    }
    this.#refs.set(key, ref);
    return key;
  }
}

function sameRef(a: Ref, b: Ref): boolean {
  return (
    a.value === b.value &&
    a.offset === b.offset &&
    equalLists(a.shape, b.shape) &&
    equalLists(a.strides, b.strides)
  );
}
