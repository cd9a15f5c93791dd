/** How errors name what they were given; a value of another copy of forebay is told apart here. */

import { dirname } from 'node:path';

/** One copy of forebay in this process: two may be installed, or one may be loaded twice by a test runner. */
interface Copy {
  /** The folder that it was loaded from. */
  readonly path: string;
}

const copyOf = Symbol.for('forebay.copy');
const thisCopy: Copy = Object.freeze({ path: ownPath() });

/** How a class of this copy describes its instances. */
interface Words {
  describe(value: unknown): string;
}

const wordsOf = Symbol('words');

/**
 * Marks the instances of a class as this copy's, so that `describeValue` of another copy can name both.
 * @param describe what `describeValue` says of an instance; its type unless given
 */
export function brand<T>(
  ofClass: { readonly prototype: T & object },
  describe?: (value: T) => string,
): void {
  Object.defineProperty(ofClass.prototype, copyOf, { value: thisCopy });
  if (describe) Object.defineProperty(ofClass.prototype, wordsOf, { value: { describe } });
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

/** The description of a value that another copy of forebay made; undefined for all others. */
function foreign(value: object, type: string): string | undefined {
  const copy = (value as { readonly [copyOf]?: Copy })[copyOf];
  if (copy === undefined || copy === thisCopy) return undefined;
  return copy.path === thisCopy.path
    ? `a ${type} of forebay as loaded another time from ${copy.path} (a test runner loads modules anew for each file; make and use a value in one)`
    : `a ${type} of another copy of forebay, in ${copy.path}, while this one is in ${thisCopy.path} (install one copy: npm ls forebay)`;
}
