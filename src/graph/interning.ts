/** Interning: equal views of one node, and equal number constants, are one node. Tables find them by a key. */

import { isList, isRecord } from '../arguments/read.js';
import type { Node } from './node.js';

/** The key of a method that makes an equal node without the label. It is a symbol because the method is not public. */
export const twin: unique symbol = Symbol('twin');

/** For each interned node, a function that removes it from its table. */
const evictions = new WeakMap<Node, () => void>();

/** Interned nodes that were built more than once, so that several users may have them. */
const shared = new WeakSet<Node>();

/** Records that an equal node was built again, so that another user has this node, too. */
export function share(node: Node): void {
  shared.add(node);
}

/** Whether several users may have the node. Then it must not get a property that only one of them wants. */
export function isShared(node: Node): boolean {
  return shared.has(node);
}

/** Stops interning a node that gets a label. The next equal node will be a new one. */
export function forget(node: Node): void {
  evictions.get(node)?.();
}

/**
 * Nodes by key, in weak references. A parameter lives long, and must not keep alive every graph that was built with it.
 */
export class NodeTable<N extends Node> {
  readonly #known = new Map<string, WeakRef<N>>();
  // Dead references are removed when the table has doubled. At fixed intervals, this would take quadratic time, because
  // weak references do not die within one job of the event loop.
  #sweepAt = 512;

  get(key: string): N | undefined {
    return this.#known.get(key)?.deref();
  }

  set(key: string, node: N): void {
    this.#known.set(key, new WeakRef(node));
    // The key may belong to a newer node by then.
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

// Nodes whose attributes are nested more deeply, or contain themselves, are not interned.
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
    return undefined; // a proxy whose traps throw
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
  // An instance of a subclass of Array is not plain data, nor is an array with properties besides its elements.
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
