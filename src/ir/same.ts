/** Equality of values: two values are equal if they have the same kind, dtype, shape, operands and details. */

import type { Definition } from './rule.js';
import type { Details, Ref, Value } from './value.js';
import { equalLists } from './view.js';

// The factor of the hash function FNV-1a.
const prime = 16777619;

/**
 * Returns a hash of a value. Equal values have equal hashes. Different values may have equal hashes, but not many of them:
 * the views, shapes and places of which a graph can have many, such as the prefixes of a sequence, are in the hash.
 */
export function hashOf({ kind, shape, args, details }: Definition): number {
  const { kernel, seed = 0, integers, starts } = details;
  let hash = kind.length + seed;
  if (kernel !== undefined) hash = mix(hash, kernel.length);
  for (let i = 0; i < shape.length; i++) hash = mix(hash, shape[i] as number);
  for (let i = 0; i < args.length; i++) hash = mixRef(hash, args[i] as Ref);
  if (integers) for (const integer of integers) hash = mix(hash, integer);
  if (starts) for (const start of starts[0] ?? []) hash = mix(hash, start);
  return hash;
}

function mixRef(hash: number, { value, offset, shape, strides }: Ref): number {
  let mixed = mix(mix(hash, value.id), offset);
  for (let i = 0; i < shape.length; i++) {
    mixed = mix(mix(mixed, shape[i] as number), strides[i] as number);
  }
  return mixed;
}

/** Mixes the number `next` into a hash, as the hash function FNV-1a does with a byte. Returns the new hash. */
function mix(hash: number, next: number): number {
  return Math.imul(hash ^ next, prime);
}

/** Whether an existing value is the value of this definition. */
export function isSame(value: Value, { kind, dtype, shape, args, details }: Definition): boolean {
  return (
    value.kind === kind &&
    value.dtype === dtype &&
    equalLists(value.shape, shape) &&
    value.args.length === args.length &&
    value.args.every((arg, i) => sameRef(arg, args[i] as Ref)) &&
    sameDetails(value.details, details)
  );
}

/** Whether two details have the same fields with equal values: equal numbers and texts, or lists of equal values. */
export function sameDetails(a: Details, b: Details): boolean {
  if (a === b) return true;
  const names = Object.keys(a) as (keyof Details)[];
  return (
    names.length === Object.keys(b).length && names.every((name) => sameValue(a[name], b[name]))
  );
}

function sameValue(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return Object.is(a, b);
  return a.length === b.length && a.every((item, i) => sameValue(item, b[i]));
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
    a === b ||
    (a.value === b.value &&
      a.offset === b.offset &&
      equalLists(a.shape, b.shape) &&
      equalLists(a.strides, b.strides))
  );
}
