/** Which objects are modules. */

import type { Module } from './module.js';

const modules = new WeakSet<object>();

/** Records that an object is a module. The constructor of `Module` calls it. */
export function noteModule(module: Module): void {
  modules.add(module);
}

/** Returns whether `value` is a module of this copy of forebay. Never throws. */
export function isModule(value: unknown): value is Module {
  return typeof value === 'object' && value !== null && modules.has(value);
}
