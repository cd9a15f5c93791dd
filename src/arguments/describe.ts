/**
 * Describes values for error messages. If another copy of forebay made a value, the description says so, because such a
 * value is refused although it looks right.
 */

import { dirname } from 'node:path';
import { version } from './version.js';

/**
 * The brand of a class: the loaded copy of forebay that has the class. A process can have several copies: two may be
 * installed, or a test runner may load the same copy twice. Later versions of forebay read these fields, too.
 */
interface Copy {
  /** The folder from which the copy was loaded. */
  readonly path: string;
  /** The version of the copy. */
  readonly version: string;
}

const copyOf = Symbol.for('forebay.copy');
const thisCopy: Copy = Object.freeze({ path: ownPath(), version });

/**
 * The value that `brand` stores in a class: the function that describes the instances of the class in error messages.
 */
interface Words {
  describe(value: unknown): string;
}

const wordsOf = Symbol('words');

/**
 * Marks the instances of a class as made by this copy. If an instance is passed to another copy, the function
 * `describeValue` of the other copy can name both copies.
 * @param describe returns the description of an instance for `describeValue`. By default, `describeValue` describes the
 *   type
 */
export function brand<T>(
  ofClass: { readonly prototype: T & object },
  describe?: (value: T) => string,
): void {
  Object.defineProperty(ofClass.prototype, copyOf, { value: thisCopy });
  if (describe) Object.defineProperty(ofClass.prototype, wordsOf, { value: { describe } });
}

/** Returns the folder from which this copy was loaded; `'a bundle'` if it is not known. */
function ownPath(): string {
  // In a bundle of ES modules, __dirname does not exist. In a bundle of CommonJS, it is the folder of the bundle.
  return typeof __dirname === 'string' ? dirname(__dirname) : 'a bundle';
}

/** Returns a short description of any value, for messages such as "expected …, but received …". Never throws. */
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
    const words = (value as { readonly [wordsOf]?: Words })[wordsOf];
    return (
      words?.describe(value) ?? foreign(value as object, type) ?? ofType(value as object, type)
    );
  } catch {
    return 'an object that cannot be looked at'; // a revoked proxy, or a getter that throws
  }
}

function ofType(value: object, type: string): string {
  const names = type === 'Object' ? Object.keys(value) : [];
  if (names.length === 0) return `an object of type ${type}`;
  return `an object { ${shortened(names.join(', '))} }`;
}

const longest = 80;

function shortened(text: string): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}

/** Returns whether another copy of forebay made the value. May throw if the value is a proxy. */
export function isOfAnotherCopy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const copy = (value as { readonly [copyOf]?: Copy })[copyOf];
  return copy !== undefined && copy !== thisCopy;
}

/** Returns the description of a value that another copy of forebay made; undefined for all other values. */
function foreign(value: object, type: string): string | undefined {
  const copy = (value as { readonly [copyOf]?: Copy })[copyOf];
  if (copy === undefined || copy === thisCopy) return undefined;
  const versions =
    copy.version === version ? '' : `; this is version ${version}, the other is ${copy.version}`;
  const what = `${/^[AEIOU]/.test(type) ? 'an' : 'a'} ${type}`;
  return copy.path === thisCopy.path
    ? `${what} of forebay that was loaded a second time from ${copy.path} (a test runner loads modules again for each file; create and use a value in the same file)`
    : `${what} of another copy of forebay, in ${copy.path}, while this one is in ${thisCopy.path} (install one copy: npm ls forebay${versions})`;
}
