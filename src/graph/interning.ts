/**
 * Interning: if a user builds a view that equals an existing view of the same node, or a number constant that equals an
 * existing one, the existing node is returned. Tables find existing nodes by a key.
 */

import { isList, isRecord } from '../arguments/read.js';
import type { Node } from './node.js';

/**
 * The name of a method of `Node` that returns a new, equal node without a label. The name is a symbol, so that the
 * method is not public.
 */
export const twin: unique symbol = Symbol('twin');

/** For each interned node, a function that removes it from its table. */
const evictions = new WeakMap<Node, () => void>();

/** Interned nodes that were built more than once, so that several parts of the user's code may hold them. */
const shared = new WeakSet<Node>();

/** Records that an interned node was returned a second time, so that several parts of the user's code may hold it. */
export function share(node: Node): void {
  shared.add(node);
}

/**
 * Returns whether several parts of the user's code may hold the node. Such a node must not get a label, because only
 * one of them wants the label.
 */
export function isShared(node: Node): boolean {
  return shared.has(node);
}

/** Removes a node from its table, because it gets a label. If an equal node is built later, it will be a new node. */
export function forget(node: Node): void {
  evictions.get(node)?.();
}

/**
 * A table of interned nodes by key. It holds them in weak references: a parameter lives long, and its table must not
 * keep every graph alive that was built with the parameter.
 */
export class NodeTable<N extends Node> {
  readonly #known = new Map<string, WeakRef<N>>();
  // When the table has this size, the references to garbage-collected nodes are removed. Then this size is set to about
  // twice the number of remaining nodes. Removing at fixed intervals would take quadratic time in a long job of the
  // event loop, because a new weak reference keeps its node alive until the job ends.
  #sweepAt = 512;

  get(key: string): N | undefined {
    return this.#known.get(key)?.deref();
  }

  set(key: string, node: N): void {
    this.#known.set(key, new WeakRef(node));
    // At the time of the call, the key may belong to a newer node, which must stay in the table.
    evictions.set(node, () => {
      if (this.get(key) === node) this.#known.delete(key);
    });
    if (this.#known.size < this.#sweepAt) return;
    for (const [stale, reference] of this.#known) {
      if (!reference.deref()) this.#known.delete(stale);
    }
    this.#sweepAt = 2 * this.#known.size + 512;
  }
}

// The greatest depth of attributes. Nodes whose attributes are nested more deeply, or contain themselves, are not
// interned.
const deepest = 8;

/**
 * Returns a text that is the same for equal plain data and different for different data. Plain data are numbers
 * (including NaN and -0), strings, bigints, booleans, null, undefined, and lists and plain objects of these. Returns
 * undefined for other values, such as a Map, a function or an object with getters, because they cannot be compared.
 */
export function keyOf(value: unknown): string | undefined {
  try {
    return keyWithin(value, 0);
  } catch {
    return undefined; // `value` contains a proxy whose traps throw
  }
}

function keyWithin(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'number':
      return Object.is(value, -0) ? '-0' : `${value}`;
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
      return `${value}n`;
    case 'boolean':
    case 'undefined':
      return `${value}`;
    case 'object':
      if (value === null) return 'null';
      if (depth === deepest) return undefined;
      return isList(value) ? keyOfList(value, depth) : keyOfRecord(value, depth);
    default:
      return undefined; // a function or a symbol
  }
}

function keyOfList(list: readonly unknown[], depth: number): string | undefined {
  // An instance of a subclass of Array is not plain data. An array that lacks elements or has other properties is not
  // plain data, either.
  if (Object.getPrototypeOf(list) !== Array.prototype) return undefined;
  if (Object.keys(list).length !== list.length) return undefined;
  const keys: string[] = [];
  for (let index = 0; index < list.length; index++) {
    const key = Object.hasOwn(list, index) ? keyWithin(list[index], depth + 1) : undefined;
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return `[${keys.join()}]`;
}

function keyOfRecord(record: object, depth: number): string | undefined {
  if (!isRecord(record) || Object.getOwnPropertySymbols(record).length > 0) return undefined;
  const keys: string[] = [];
  for (const name of Object.getOwnPropertyNames(record)) {
    const property = Object.getOwnPropertyDescriptor(record, name);
    if (!property?.enumerable || property.get || property.set) return undefined;
    const key = keyWithin(property.value, depth + 1);
    if (key === undefined) return undefined;
    keys.push(`${JSON.stringify(name)}:${key}`);
  }
  return `{${keys.join()}}`;
}
