/** How errors name what they were given; a value of another copy of forebay is told apart here. */

import { dirname } from 'node:path';
import { ValueError } from '../errors.js';

/** One copy of forebay in this process: two may be installed, or one may be loaded twice by a test runner. */
interface Copy {
  /** The folder that it was loaded from. */
  readonly path: string;
}

const copyOf = Symbol.for('forebay.copy');
const thisCopy: Copy = Object.freeze({ path: ownPath() });

/** Marks the instances of a class as this copy's, so that `describeValue` of another copy can name both. */
export function brand(ofClass: { readonly prototype: object }): void {
  Object.defineProperty(ofClass.prototype, copyOf, { value: thisCopy });
}

function ownPath(): string {
  // A bundle of ES modules has no __dirname; one of CommonJS has that of the bundle.
  return typeof __dirname === 'string' ? dirname(__dirname) : 'a bundle';
}

/** A short description of any value, for "expected …, but received …" messages. Never throws. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(shortened(value))}`;
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number' || typeof value === 'boolean') return `${typeof value} ${value}`;
  if (typeof value === 'bigint') return `bigint ${value}n`;
  if (typeof value === 'symbol') return 'a symbol';
  try {
    if (typeof value === 'function') return `a function ${value.name || '(anonymous)'}`;
    if (Array.isArray(value)) return `an array of ${value.length}`;
    const type = String((value as object).constructor?.name ?? 'Object');
    return foreign(value as object, type) ?? `an object of type ${type}`;
  } catch {
    return 'an object that cannot be looked at'; // a revoked proxy, or a getter that throws
  }
}

const longest = 80;

function shortened(text: string): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}

/** The description of a value that another copy of forebay made; undefined for all others. */
function foreign(value: object, type: string): string | undefined {
  const copy = (value as { readonly [copyOf]?: Copy })[copyOf];
  if (copy === undefined || copy === thisCopy) return undefined;
  return copy.path === thisCopy.path
    ? `a ${type} of forebay as loaded another time from ${copy.path} (a test runner loads modules anew for each file; make and use a value in one)`
    : `a ${type} of another copy of forebay, in ${copy.path}, while this one is in ${thisCopy.path} (install one copy: npm ls forebay)`;
}

/** @throws ValueError, which begins with `expectation`, unless `value` is an array; returns it */
export function assertList<T>(value: readonly T[], expectation: string): readonly T[] {
  if (Array.isArray(value)) return value;
  throw new ValueError(`${expectation} but received ${describeValue(value)}`);
}
