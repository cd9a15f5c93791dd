/**
 * Dimensions: numbers, names, and polynomials over names with integer coefficients. A quotient that is rounded down, such
 * as `floor(steps/100)`, stands in a polynomial like a name.
 *
 * A dimension that depends on a name is stored as the text of its normal form ('batch', '2*batch', 'batch*steps + 1').
 * Equal polynomials are therefore equal strings: dimensions are compared with `===`, printed directly and used as keys.
 */

import { describeValue } from '../arguments/describe.js';
import { ShapeError } from '../errors.js';

/**
 * A dimension: a number, or the normal form of a polynomial over dimension names, such as `'2*batch + 1'`. It may contain
 * quotients that are rounded down, such as `'floor(steps/100)'`.
 */
export type Dim = number | string;
/** The shape of a node: its dimensions, outermost first; `[]` for a scalar. */
export type Shape = readonly Dim[];
/** For each dimension name, the number to which it is bound in one run. */
export type Bindings = ReadonlyMap<string, number>;

/**
 * A polynomial over dimension names: maps each monomial to its coefficient, which is never 0. The key of a monomial is
 * its sorted names, joined by '*'. The key '' belongs to the constant term. A quotient is like a name.
 */
type Polynomial = ReadonlyMap<string, number>;

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** The text of a quotient: `floor(steps/100)`, or `floor((2*steps+1)/100)`. It has no spaces. */
const quotientPattern = /^floor\((.+)\/([1-9]\d*)\)$/;

// The polynomials of texts that were parsed, and the products of dimensions. They are kept, because building a graph
// needs those of the same few dimensions many times. A full table is cleared, because otherwise a long-lived process
// would keep every text that it ever parsed. What is needed again is computed again.
const parsed = new Map<string, Polynomial>();
const products = new Map<string, Dim>();
const maxKept = 4096;

export function isDimensionName(value: unknown): value is string {
  return typeof value === 'string' && namePattern.test(value);
}

/** Returns the normal form of a dimension that a user wrote. @throws ShapeError if `value` is not a dimension */
export function dimension(value: unknown, context: string): Dim {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return value;
  } else if (typeof value === 'string') {
    const polynomial = parse(value);
    const dim = polynomial && print(polynomial);
    if (typeof dim === 'string' || (dim !== undefined && dim >= 0)) return dim;
  }
  throw new ShapeError(
    `${context} expected a dimension (an integer from 0 to 2^53 - 1, or a name), but received ${describeValue(value)}`,
  );
}

export function addDims(a: Dim, b: Dim): Dim {
  return typeof a === 'number' && typeof b === 'number' ? a + b : print(sum(poly(a), poly(b), 1));
}

export function subtractDims(a: Dim, b: Dim): Dim {
  return typeof a === 'number' && typeof b === 'number' ? a - b : print(sum(poly(a), poly(b), -1));
}

export function multiplyDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  if (a === 1) return b;
  if (b === 1) return a;
  const key = `${a} * ${b}`;
  const known = products.get(key);
  if (known !== undefined) return known;
  const dim = print(product(poly(a), poly(b)));
  if (products.size === maxKept) products.clear();
  products.set(key, dim);
  return dim;
}

/** Returns the number of elements of a shape: the product of all its dimensions. */
export function sizeOfDims(shape: Shape): Dim {
  return shape.reduce<Dim>(multiplyDims, 1);
}

/** Returns the quotient a / b; undefined if polynomial long division leaves a remainder, or if `b` is 0. */
export function divideDims(a: Dim, b: Dim): Dim | undefined {
  if (a === b && a !== 0) return 1;
  const divisor = poly(b);
  const [leadName, leadCoefficient] = leading(divisor) ?? [];
  if (leadName === undefined || leadCoefficient === undefined) return undefined;
  let remainder = poly(a);
  let quotient: Polynomial = new Map();
  for (let lead = leading(remainder); lead; lead = leading(remainder)) {
    const names = divideMonomials(lead[0], leadName);
    const coefficient = lead[1] / leadCoefficient;
    if (names === undefined || !Number.isInteger(coefficient)) return undefined;
    const term = new Map([[names, coefficient]]);
    quotient = sum(quotient, term, 1);
    remainder = sum(remainder, product(term, divisor), -1);
  }
  return print(quotient);
}

/**
 * Returns the quotient a / divisor, rounded up. Returns undefined if it is not a polynomial with integer coefficients
 * for all sizes of the names. `divisor` is a positive integer.
 */
export function ceilDivideDim(a: Dim, divisor: number): Dim | undefined {
  if (typeof a === 'number') return Math.ceil(a / divisor) + 0;
  const quotient = new Map<string, number>();
  for (const [monomial, coefficient] of poly(a)) {
    const exact = coefficient / divisor;
    if (monomial !== '' && !Number.isInteger(exact)) return undefined;
    const rounded = Math.ceil(exact);
    if (rounded !== 0) quotient.set(monomial, rounded);
  }
  return print(quotient);
}

/** Returns the quotient a / divisor, rounded down. `a` is at least 0 in all runs, and `divisor` is a positive integer. */
export function floorDivideDim(a: Dim, divisor: number): Dim {
  if (typeof a === 'number') return Math.floor(a / divisor);
  let quotient: Polynomial = new Map();
  let rest: Polynomial = new Map();
  for (const [monomial, coefficient] of poly(a)) {
    const whole = Math.floor(coefficient / divisor);
    quotient = sum(quotient, new Map([[monomial, whole]]), 1);
    rest = sum(rest, new Map([[monomial, coefficient - whole * divisor]]), 1);
  }
  const text = print(rest);
  // A number is less than the divisor.
  if (typeof text === 'number') return print(quotient);
  const compact = text.replaceAll(' ', '');
  const dividend = rest.size > 1 ? `(${compact})` : compact;
  return print(sum(quotient, new Map([[`floor(${dividend}/${divisor})`, 1]]), 1));
}

/** Returns the parts of a quotient that stands in a dimension like a name; undefined if it is a name. */
export function quotientOf(
  name: string,
): { readonly dividend: Dim; readonly divisor: number } | undefined {
  if (!name.endsWith(')')) return undefined;
  const [, dividend, divisor] = quotientPattern.exec(name) ?? [];
  if (dividend === undefined) return undefined;
  const inner = /^\((.*)\)$/.exec(dividend)?.[1] ?? dividend;
  const polynomial = parse(inner);
  return polynomial && { dividend: print(polynomial), divisor: Number(divisor) };
}

/** The bindings with which a quotient that is rounded down was bound. */
const rounded = new WeakSet<Bindings>();

/** Returns whether a quotient that is rounded down was bound with these bindings. Such a size does not grow linearly. */
export function hasRounded(bindings: Bindings): boolean {
  return rounded.has(bindings);
}

/** Returns the size of a dimension in one run. @throws ShapeError if a name of the dimension is not bound */
export function bindDim(dim: Dim, bindings: Bindings, context = ''): number {
  if (typeof dim === 'number') return dim;
  const simple = bindings.get(dim);
  if (simple !== undefined) return simple;
  let total = 0;
  for (const [monomial, coefficient] of poly(dim)) {
    let term = coefficient;
    for (const name of factors(monomial)) {
      const quotient = quotientOf(name);
      if (quotient) rounded.add(bindings);
      const value = quotient
        ? Math.floor(bindDim(quotient.dividend, bindings, context) / quotient.divisor)
        : bindings.get(name);
      if (value === undefined) {
        throw new ShapeError(
          `${context}dimension '${name}' is not bound: no input of this run has this dimension`,
        );
      }
      term *= value;
    }
    total += term;
  }
  return total;
}

/** Returns the names that a dimension depends on, each once. */
export function namesOf(dim: Dim): string[] {
  if (typeof dim === 'number') return [];
  const names = [...poly(dim).keys()].flatMap(factors).flatMap((name) => {
    const quotient = quotientOf(name);
    return quotient ? namesOf(quotient.dividend) : [name];
  });
  return [...new Set(names)];
}

/** A term of a dimension: a coefficient, which is not 0, times names and quotients. One that is squared occurs twice. */
export interface Term {
  readonly coefficient: number;
  readonly names: readonly string[];
}

/** Returns the terms of which a dimension is the sum; none if it is 0. */
export function termsOf(dim: Dim): Term[] {
  return [...poly(dim)].map(([monomial, coefficient]) => ({
    coefficient,
    names: factors(monomial),
  }));
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

function poly(dim: Dim): Polynomial {
  if (typeof dim === 'number') return dim === 0 ? new Map() : new Map([['', dim]]);
  const polynomial = parse(dim);
  if (!polynomial) throw new ShapeError(`'${dim}' is not a dimension`);
  return polynomial;
}

function factors(monomial: string): string[] {
  return monomial === '' ? [] : split(monomial, '*');
}

/** Splits a text where a separator is not within parentheses. */
function split(text: string, separator: string): string[] {
  if (!text.includes('(')) return text.split(separator);
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '(') depth++;
    else if (character === ')') depth--;
    else if (character === separator && depth === 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, text.slice(from)];
}

/**
 * Parses a text and returns its polynomial. Returns undefined if the text is not a polynomial, or if a coefficient is
 * not a safe integer.
 */
function parse(text: string): Polynomial | undefined {
  const known = parsed.get(text);
  if (known) return known;
  let polynomial: Polynomial = new Map();
  // Removes the spaces around operators. Spaces within a name remain, so that the name is refused below.
  const compact = text.trim().replace(/\s*([-+*])\s*/g, '$1');
  for (const signed of split(compact.replace(/-/g, '+-').replace(/^\+/, ''), '+')) {
    const negative = signed.startsWith('-');
    let coefficient = negative ? -1 : 1;
    const names: string[] = [];
    for (const factor of split(negative ? signed.slice(1) : signed, '*')) {
      if (/^\d+$/.test(factor)) coefficient *= Number(factor);
      else if (namePattern.test(factor)) names.push(factor);
      else {
        const quotient = quotientOf(factor);
        const normal = quotient && floorDivideDim(quotient.dividend, quotient.divisor);
        if (normal !== factor) return undefined;
        names.push(factor);
      }
    }
    if (coefficient !== 0) {
      polynomial = sum(polynomial, new Map([[names.sort().join('*'), coefficient]]), 1);
    }
  }
  if ([...polynomial.values()].some((coefficient) => !Number.isSafeInteger(coefficient))) {
    return undefined;
  }
  if (parsed.size === maxKept) parsed.clear();
  parsed.set(text, polynomial);
  return polynomial;
}

/** Returns the normal form of a polynomial: a number if it is constant, otherwise a text. */
function print(polynomial: Polynomial): Dim {
  let text = '';
  for (const [monomial, coefficient] of [...polynomial].sort(descending)) {
    const size = Math.abs(coefficient);
    const sign = coefficient < 0 ? '-' : '+';
    const term = monomial === '' ? `${size}` : size === 1 ? monomial : `${size}*${monomial}`;
    if (text === '') text = coefficient < 0 ? `-${term}` : term;
    else text += ` ${sign} ${term}`;
  }
  const constantOnly = polynomial.size === 0 || (polynomial.size === 1 && polynomial.has(''));
  return constantOnly ? (polynomial.get('') ?? 0) : text;
}

/**
 * Compares two terms, for sorting: by degree, highest first, and terms of equal degree by their names. The long
 * division in `divideDims` relies on this order.
 */
function descending([a]: [string, number], [b]: [string, number]): number {
  const degrees = factors(b).length - factors(a).length;
  if (degrees !== 0) return degrees;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Returns the term that comes first in the monomial order; undefined if the polynomial is 0. */
function leading(polynomial: Polynomial): [string, number] | undefined {
  return [...polynomial].sort(descending)[0];
}

/** Returns a + sign * b. */
function sum(a: Polynomial, b: Polynomial, sign: 1 | -1): Polynomial {
  const result = new Map(a);
  for (const [monomial, coefficient] of b) {
    const total = (result.get(monomial) ?? 0) + sign * coefficient;
    if (total === 0) result.delete(monomial);
    else result.set(monomial, total);
  }
  return result;
}

function product(a: Polynomial, b: Polynomial): Polynomial {
  let result: Polynomial = new Map();
  for (const [monomialA, coefficientA] of a) {
    for (const [monomialB, coefficientB] of b) {
      const names = [...factors(monomialA), ...factors(monomialB)].sort().join('*');
      result = sum(result, new Map([[names, coefficientA * coefficientB]]), 1);
    }
  }
  return result;
}

/** Returns the quotient of two monomials; undefined if `b` does not divide `a`. */
function divideMonomials(a: string, b: string): string | undefined {
  const left = factors(a);
  for (const name of factors(b)) {
    const index = left.indexOf(name);
    if (index < 0) return undefined;
    left.splice(index, 1);
  }
  return left.join('*');
}
