/** Equal views of one node, and equal numbers, are one node: found here by what they are made of. */

import { isList, isRecord } from '../arguments/read.js';
import type { Node } from './node.js';

/** The method of a node that makes another node of the same value, without its label. Not public: a symbol names it. */
export const twin: unique symbol = Symbol('twin');

/** How to forget an interned node, for those that are. */
const evictions = new WeakMap<Node, () => void>();

/** Interned nodes that several users hold: each built it. */
const shared = new WeakSet<Node>();

/** Says that one more user holds the node, who built an equal one. */
export function share(node: Node): void {
  shared.add(node);
}

/** Whether several users hold the node. Nothing may be said of it then that only one of them says. */
export function isShared(node: Node): boolean {
  return shared.has(node);
}

/** Makes the next equal node a fresh one: this one got a name of its own. */
export function forget(node: Node): void {
  evictions.get(node)?.();
}

/**
 * Nodes by key. They are held weakly: a parameter lives for long, and must not keep every graph alive
 * that was ever built over it.
 */
export class NodeTable<N extends Node> {
  readonly #known = new Map<string, WeakRef<N>>();
  // Swept when the table has doubled: within one job of the event loop nothing is collected, and
  // sweeping at fixed intervals would take quadratic time.
  #sweepAt = 512;

  get(key: string): N | undefined {
    return this.#known.get(key)?.deref();
  }

  set(key: string, node: N): void {
    this.#known.set(key, new WeakRef(node));
    // Only its own entry: another node may have taken the key since.
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

// Deeper attributes, and those that contain themselves, are not interned.
const deepest = 8;

/**
 * A text that is equal for equal plain data, and for nothing else: numbers (NaN and -0 among them), strings, bigints,
 * booleans, null, undefined, and lists and plain objects of these. Undefined for all other values, such as a Map, a
 * function, or an object with getters: whether two of them are equal is not known.
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
  // A list that has properties besides its elements is not plain data, and neither is a subclass of Array.
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
