/**
 * Reads values that a caller passed. A getter or a proxy may throw on any access. So these functions read and copy a
 * value once. An error thrown while they read becomes the cause of a ValueError.
 */

import { ForebayError, ValueError } from '../errors.js';
import { describeValue } from './describe.js';

/**
 * Runs `read`, which accesses a value that the caller passed.
 * @throws ForebayErrors of `read` unchanged; ValueError if `read` throws anything else. Its message begins with `context`
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

function said(cause: unknown): string {
  return cause instanceof Error ? cause.message : describeValue(cause);
}

/** True for an array of any realm. Never throws. */
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
 * True for a plain object of any realm and for an object without a prototype. False for an array, a Map or an instance
 * of a class. Never throws.
 */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || isList(value)) return false;
  try {
    const prototype = Object.getPrototypeOf(value);
    // A plain object of another realm has another Object.prototype, which has no prototype itself.
    return prototype === null || Object.getPrototypeOf(prototype) === null;
  } catch {
    return false; // a proxy whose traps throw
  }
}

/**
 * Returns the names and values of a record. Each is read once.
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
