/** The kinds of values that options and arguments may have. The kinds for forebay's own classes are in their rooms. */

import type { Kind } from './options.js';

const isNumber = (value: unknown): value is number => typeof value === 'number';

/** true or false. */
export const flag: Kind<boolean> = {
  expected: 'true or false',
  accepts: (value) => typeof value === 'boolean',
};

/** Any text. */
export const text: Kind<string> = {
  expected: 'a string',
  accepts: (value) => typeof value === 'string',
};

/** Any text that is not empty. */
export const filledText: Kind<string> = {
  expected: 'a non-empty string',
  accepts: (value) => typeof value === 'string' && value !== '',
};

/** A whole number of at least `least`. */
export function wholeNumber(least: 0 | 1): Kind<number> {
  return {
    expected: least === 0 ? 'a non-negative integer' : 'a positive integer',
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= least,
  };
}

/** A number of at least `least` and less than `bound`. */
export function numberFrom(least: number, bound = Infinity): Kind<number> {
  return {
    expected:
      bound === Infinity
        ? `a finite number of at least ${least}`
        : `a number from ${least} to below ${bound}`,
    accepts: (value) => isNumber(value) && value >= least && value < bound,
  };
}

/** A finite number greater than 0. */
export const positiveNumber: Kind<number> = {
  expected: 'a finite number greater than 0',
  accepts: (value) => isNumber(value) && value > 0 && value < Infinity,
};

/** One of the given strings. */
export function oneOf<const W extends string>(...words: readonly W[]): Kind<W> {
  return {
    expected: words.map((word) => `'${word}'`).join(' or '),
    accepts: (value) => typeof value === 'string' && (words as readonly string[]).includes(value),
  };
}

/** A function. Its parameters and result are not checked here, and its errors are passed on unchanged. */
export function callback<F extends (...args: never[]) => unknown>(
  expected = 'a function',
): Kind<F> {
  return { expected, accepts: (value) => typeof value === 'function' };
}

/** A seed for random draws. */
export const seedNumber: Kind<number> = {
  expected: 'an integer from 0 to 2^53 - 1',
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
};

/** A value that is checked later, where more is known about it. Accepts everything. */
export function checkedLater<T>(expected: string): Kind<T> {
  return { expected, accepts: () => true };
}

/** A value of either kind. */
export function either<A, B>(a: Kind<A>, b: Kind<B>): Kind<A | B> {
  return {
    expected: `${a.expected} or ${b.expected}`,
    accepts: (value) => a.accepts(value) || b.accepts(value),
  };
}
