/** The variables of a module, by their paths relative to the module. */

import { GraphError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import { heldBy, placesIn } from './held.js';
import { isModule } from './known.js';
import type { Module } from './module.js';

/** For modules whose paths do not depend on names: the function that returns the path of what a field holds. */
const pathsOf = new WeakMap<Module, (field: string) => string>();

/** Sets the function that returns the path, relative to the module, of what a field holds. */
export function setPaths(module: Module, pathOf: (field: string) => string): void {
  pathsOf.set(module, pathOf);
}

/**
 * Returns the path, relative to a module, of what a field holds: the part of the name below the name of the module. If
 * the name is not below it, the path of the field.
 */
function pathWithin(module: Module, field: string, name: string): string {
  const isBelow = !pathsOf.has(module) && name.startsWith(`${module.name}.`);
  return isBelow ? name.slice(module.name.length + 1) : pathOfField(module, field);
}

/** Returns the path, relative to a module, of a field, whatever the name of what it holds. */
function pathOfField(module: Module, field: string): string {
  return pathsOf.get(module)?.(field) ?? field;
}

/**
 * Returns what a module holds itself, by relative path, in the order of its fields. What several fields hold has several
 * paths, of which the first is that of `entriesOf`.
 */
export function placesOf(module: Module): { path: string; value: Variable | Module }[] {
  const seen = new Set<Variable | Module>();
  return placesIn(module).map(({ field, value }) => {
    const path = seen.has(value)
      ? pathOfField(module, field)
      : pathWithin(module, field, value.name as string);
    seen.add(value);
    return { path, value };
  });
}

/**
 * Returns the variables of a module and of all modules below it, by relative path, in the order of their fields. A
 * variable that is held twice has the path that is found first.
 * @throws GraphError if two variables have the same path
 */
export function entriesOf(module: Module): Map<string, Variable> {
  const entries = new Map<string, Variable>();
  for (const { path, value } of partsOf(module)) {
    if (!isModule(value)) addEntry(entries, path, value, module);
  }
  return entries;
}

/** A variable or a module below a module. */
export interface Part {
  /** The path relative to the module. */
  readonly path: string;
  readonly value: Variable | Module;
  /** The module that holds it. */
  readonly within: Module;
}

/**
 * Returns the variables and the modules below a module, each once, in the order of their fields. What a module holds
 * follows the module.
 */
export function partsOf(module: Module): Part[] {
  const parts: Part[] = [];
  const seen = new Set<object>([module]);
  const visit = (within: Module, prefix: string) => {
    for (const { field, value } of heldBy(within)) {
      if (seen.has(value)) continue;
      seen.add(value);
      const path = `${prefix}${pathWithin(within, field, value.name as string)}`;
      parts.push({ path, value, within });
      if (isModule(value)) visit(value, `${path}.`);
    }
  };
  visit(module, '');
  return parts;
}

function addEntry(
  entries: Map<string, Variable>,
  path: string,
  variable: Variable,
  module: Module,
): void {
  const known = entries.get(path);
  if (known !== undefined) {
    throw new GraphError(
      `${module}: ${known} and ${variable} have the same path '${path}' below it; give their modules different scopes`,
    );
  }
  entries.set(path, variable);
}
