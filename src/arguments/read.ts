/**
 * Reads values that a caller passed. Such a value may have getters or be a proxy. So each access may throw, or may
 * return another value than the access before it. These functions read each value only once, into a copy. If reading
 * throws, they throw a ValueError with the thrown error as its cause.
 */

import { ForebayError, ValueError } from '../errors.js';
import { describeValue } from './describe.js';

/**
 * Returns the result of `read`, a function that reads `value`, which a caller passed.
 * @throws ForebayErrors of `read` unchanged; ValueError if `read` throws anything else (its message begins with
 *   `context`, followed by the description of `value`)
 */
export function reading<T>(context: string, value: unknown, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof ForebayError) throw cause;
    throw new ValueError(`${context} ${describeValue(value)} cannot be read: ${said(cause)}`, {
      cause,
    });
  }
}

/** Returns the message of an error that was thrown; if another value was thrown, its description. */
function said(cause: unknown): string {
  return cause instanceof Error ? cause.message : describeValue(cause);
}

/** Returns whether `value` is an array, which may be from another realm. Never throws. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false; // a revoked proxy
  }
}

/**
 * Returns a copy of an array.
 * @throws ValueError if `value` is not an array or its elements cannot be read; the message begins with `expectation`
 */
export function assertList<T>(value: readonly T[], expectation: string): readonly T[] {
  try {
    if (Array.isArray(value)) return [...value];
  } catch (cause) {
    throw new ValueError(`${expectation} but received one that cannot be read: ${said(cause)}`, {
      cause,
    });
  }
  throw new ValueError(`${expectation} but received ${describeValue(value)}`);
}

/**
 * Returns whether `value` is a record: a plain object, which may be from another realm, or an object without a
 * prototype. An array, a Map or an instance of a class is not a record. Never throws.
 */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || isList(value)) return false;
  try {
    const prototype = Object.getPrototypeOf(value);
    // The prototype of a plain object of another realm is the Object.prototype of that realm. Like ours, it has no
    // prototype itself.
    return prototype === null || Object.getPrototypeOf(prototype) === null;
  } catch {
    return false; // a proxy whose traps throw
  }
}

/**
 * Returns the names and values of the properties of a record. Each value is read once.
 * @throws ValueError if `value` is not a record or cannot be read; the message begins with `expectation`
 */
export function assertRecord<T>(
  value: Readonly<Record<string, T>>,
  expectation: string,
): readonly (readonly [name: string, value: T])[] {
  if (!isRecord(value)) {
    throw new ValueError(`${expectation} but received ${describeValue(value)}`);
  }
  return reading(`${expectation} but`, value, () => Object.entries(value));
}
