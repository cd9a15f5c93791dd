/**
 * Kinds of options and arguments. A `Kind` checks a value, and describes the acceptable values in errors. If the value
 * must be an instance of a class of forebay, the kind is defined next to the class.
 */

import type { Kind } from './options.js';

const isNumber = (value: unknown): value is number => typeof value === 'number';

/** The `Kind` of booleans. */
export const flag: Kind<boolean> = {
  expected: 'true or false',
  accepts: (value) => typeof value === 'boolean',
};

/** The `Kind` of strings. */
export const text: Kind<string> = {
  expected: 'a string',
  accepts: (value) => typeof value === 'string',
};

/** The `Kind` of non-empty strings. */
export const filledText: Kind<string> = {
  expected: 'a non-empty string',
  accepts: (value) => typeof value === 'string' && value !== '',
};

/** Returns the `Kind` of integers from `least` to 2^53 - 1. */
export function wholeNumber(least: 0 | 1): Kind<number> {
  return {
    expected: least === 0 ? 'a non-negative integer' : 'a positive integer',
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= least,
  };
}

/** Returns the `Kind` of numbers that are at least `least` and less than `bound`. */
export function numberFrom(least: number, bound = Infinity): Kind<number> {
  return {
    expected:
      bound === Infinity
        ? `a finite number of at least ${least}`
        : `a number from ${least} to below ${bound}`,
    accepts: (value) => isNumber(value) && value >= least && value < bound,
  };
}

/** The `Kind` of finite numbers greater than 0. */
export const positiveNumber: Kind<number> = {
  expected: 'a finite number greater than 0',
  accepts: (value) => isNumber(value) && value > 0 && value < Infinity,
};

/** The `Kind` of finite numbers. */
export const finiteNumber: Kind<number> = {
  expected: 'a finite number',
  accepts: (value) => Number.isFinite(value),
};

/** The `Kind` of probabilities and shares: numbers from 0 to 1. */
export const fraction: Kind<number> = {
  expected: 'a number from 0 to 1',
  accepts: (value) => isNumber(value) && value >= 0 && value <= 1,
};

/** Returns a `Kind` that accepts only the given strings. */
export function oneOf<const W extends string>(...words: readonly W[]): Kind<W> {
  return {
    expected: words.map((word) => `'${word}'`).join(' or '),
    accepts: (value) => typeof value === 'string' && (words as readonly string[]).includes(value),
  };
}

/** The `Kind` of steps: integers that are not 0. */
export const nonZeroInteger: Kind<number> = {
  expected: 'an integer that is not 0',
  accepts: (value) => Number.isSafeInteger(value) && value !== 0,
};

/**
 * Returns the `Kind` of functions. The parameters and the result of a function are not checked. Errors that the
 * function throws are passed on unchanged.
 */
export function callback<F extends (...args: never[]) => unknown>(
  expected = 'a function',
): Kind<F> {
  return { expected, accepts: (value) => typeof value === 'function' };
}

/** The `Kind` of seeds for random numbers. */
export const seedNumber: Kind<number> = {
  expected: 'an integer from 0 to 2^53 - 1',
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
};

/** Returns a `Kind` that accepts every value, because the function that uses the value checks it later. */
export function checkedLater<T>(expected: string): Kind<T> {
  return { expected, accepts: () => true };
}

/** Returns the `Kind` of values that `a` or `b` accepts. */
export function either<A, B>(a: Kind<A>, b: Kind<B>): Kind<A | B> {
  return {
    expected: `${a.expected} or ${b.expected}`,
    accepts: (value) => a.accepts(value) || b.accepts(value),
  };
}
