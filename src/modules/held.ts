/** What a module holds in its fields: variables and other modules, also in arrays, records and Maps. */

import { types } from 'node:util';
import { isList, isRecord, reading } from '../arguments/read.js';
import { isVariable, type Variable } from '../graph/leaf.js';
import { isNode } from '../graph/node.js';
import { isModule } from './known.js';
import type { Module } from './module.js';

/** A variable or a module, with the path of the field that holds it, such as `blocks.0`. */
export interface Held {
  readonly field: string;
  readonly value: Variable | Module;
}

/**
 * Returns what a module holds itself, in the order of its fields. Each thing is listed once.
 * @throws ValueError if what a field holds cannot be read
 */
export function heldBy(module: Module): Held[] {
  const seen = new Set<unknown>();
  return placesIn(module).filter(({ value }) => !seen.has(value) && seen.add(value));
}

/**
 * Returns what a module holds itself, in the order of its fields. A variable or a module is listed for each place that
 * holds it.
 * @throws ValueError if what a field holds cannot be read
 */
export function placesIn(module: Module): Held[] {
  const found: Held[] = [];
  const seen = new Set<unknown>([module]);
  const visit = (field: string, value: unknown) => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    if (isVariable(value) || isModule(value)) {
      found.push({ field, value });
      return;
    }
    seen.add(value);
    if (!isNode(value)) {
      const parts = reading(`${module}: the field ${field}:`, value, () => [...partsOf(value)]);
      for (const [key, part] of parts) visit(`${field}.${key}`, part);
    }
  };
  for (const [key, value] of Object.entries(module)) visit(key, value);
  return found;
}

function partsOf(value: object): Iterable<readonly [key: string, part: unknown]> {
  if (isList(value)) return value.map((part, index) => [`${index}`, part] as const);
  if (types.isMap(value)) return [...value].map(([key, part]) => [String(key), part] as const);
  return isRecord(value) ? Object.entries(value) : [];
}

/** The modules that modules apply without holding them. */
const besides = new WeakMap<Module, Module>();

/**
 * Records that a module applies another one that it does not hold, on purpose: whoever trains and saves the first does
 * not train or save the other.
 */
export function noteBeside(module: Module, other: Module): void {
  besides.set(module, other);
}

/** Returns a module and all modules that it may apply, directly or not, each once, in the order of their fields. */
export function modulesOf(module: Module): Set<Module> {
  const found = new Set([module]);
  // The iteration over a Set includes elements that are added during the iteration.
  for (const one of found) {
    for (const { value } of heldBy(one)) if (isModule(value)) found.add(value);
    const other = besides.get(one);
    if (other !== undefined) found.add(other);
  }
  return found;
}
