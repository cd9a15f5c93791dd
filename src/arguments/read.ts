/**
 * Reading values that a caller passed. A getter or a proxy may throw whenever it is looked at, so what is read is copied
 * once, here, and what is thrown on the way becomes the cause of a ValueError.
 */

import { ForebayError, ValueError } from '../errors.js';
import { describeValue } from './describe.js';

/**
 * Runs `read`, which looks into a value of the caller's.
 * @throws the ForebayErrors of `read`; ValueError, which begins with `context`, in place of all others
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

/** True for an array, of whichever realm. Never throws. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false; // a revoked proxy
  }
}

/**
 * A copy of a list.
 * @throws ValueError, which begins with `expectation`, if `value` is not an array or its elements cannot be read
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
 * True for an object that can hold values by name: a plain one of any realm, or one without a prototype. Not an array,
 * a Map or an instance of a class. Never throws.
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
 * The names and values of a record, each read once.
 * @throws ValueError, which begins with `expectation`, if `value` is not a record or cannot be read
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
