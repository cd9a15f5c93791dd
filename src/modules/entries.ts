/** The variables of a module, by their paths relative to the module. */

import { GraphError } from '../errors.js';
import type { Variable } from '../graph/leaf.js';
import { heldBy } from './held.js';
import { isModule } from './known.js';
import type { Module } from './module.js';

/**
 * Returns the variables of a module and of all modules below it, by relative path, in the order of their fields. A
 * variable that is held twice has the path that is found first.
 * @throws GraphError if two variables have the same path
 */
export function entriesOf(module: Module): Map<string, Variable> {
  const entries = new Map<string, Variable>();
  const seen = new Set<object>([module]);
  const visit = (within: Module, prefix: string) => {
    for (const { field, value } of heldBy(within)) {
      if (seen.has(value)) continue;
      seen.add(value);
      const path = `${prefix}${relative(within.name, value.name as string, field)}`;
      if (isModule(value)) {
        visit(value, `${path}.`);
      } else {
        addEntry(entries, path, value, module);
      }
    }
  };
  visit(module, '');
  return entries;
}

/** Returns the part of a name below the name of a module. If it is not below it, the path of the field. */
function relative(module: string, name: string, field: string): string {
  return name.startsWith(`${module}.`) ? name.slice(module.length + 1) : field;
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
