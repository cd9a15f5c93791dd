import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDims,
  bindDim,
  type Dim,
  dimension,
  divideDims,
  floorDivideDim,
  multiplyDims,
  namesOf,
  quotientOf,
  sameShape,
  sizeOfDims,
  subtractDims,
} from '../../src/graph/dimension.js';
import { ShapeError } from '../../src/index.js';
import { errorOf } from '../support.js';

const names = ['a', 'aa', 'b', 'B', 'a_1', 'batch'];

/** A random polynomial in two forms: as a dimension, and as a function that computes its value from integers. */
interface Term {
  readonly dim: Dim;
  at(values: readonly number[]): number;
}

const leaf: fc.Arbitrary<Term> = fc.oneof(
  fc.integer({ min: 0, max: 4 }).map((n) => ({ dim: n, at: () => n })),
  fc.nat({ max: names.length - 1 }).map((i) => ({
    dim: names[i] as string,
    at: (values: readonly number[]) => values[i] as number,
  })),
);
const { term } = fc.letrec<{ term: Term; pair: Term }>((tie) => ({
  term: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('pair')),
  pair: fc.tuple(fc.constantFrom('+', '-', '*'), tie('term'), tie('term')).map(([sign, x, y]) => {
    if (sign === '+') return { dim: addDims(x.dim, y.dim), at: (v) => x.at(v) + y.at(v) };
    if (sign === '-') return { dim: subtractDims(x.dim, y.dim), at: (v) => x.at(v) - y.at(v) };
    return { dim: multiplyDims(x.dim, y.dim), at: (v) => x.at(v) * y.at(v) };
  }),
}));
const values = fc.array(fc.integer({ min: 0, max: 9 }), {
  minLength: names.length,
  maxLength: names.length,
});
const bound = (v: readonly number[]) => new Map(names.map((name, i) => [name, v[i] as number]));

describe('a dimension is a polynomial in normal form', () => {
  it.each([
    ['batch', 'batch'],
    ['b + a', 'a + b'],
    ['b*a', 'a*b'],
    ['a + a', '2*a'],
    ['3 + a*2 - 1', '2*a + 2'],
    ['a*b + a*a + 1', 'a*a + a*b + 1'],
    ['-a + b', '-a + b'],
    ['a - a', 0],
    ['0*a + 7', 7],
    ['  a  *  b ', 'a*b'],
  ])('%s is %s', (text, normal) => {
    expect(dimension(text, '')).toBe(normal);
  });

  it.each<unknown>([
    'a b',
    '',
    'a-',
    'a**b',
    '2a',
    'é',
    '1.5',
    '-1',
    'a - a - 1',
    -1,
    0.5,
    NaN,
    null,
    1n,
  ])('refuses %o', (value) => {
    const error = errorOf(() => dimension(value, '[op]'));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(/^\[op\] expected a dimension/);
  });

  it('has the value that integers give, under every binding', () => {
    fc.assert(
      fc.property(term, values, (x, v) => {
        expect(bindDim(x.dim, bound(v)) === x.at(v)).toBe(true); // toBe would distinguish -0 and 0, === does not
      }),
      { numRuns: 500 },
    );
  });

  it('has the same text for equal polynomials, built in any order', () => {
    fc.assert(
      fc.property(term, term, term, (x, y, z) => {
        const left = multiplyDims(x.dim, addDims(y.dim, z.dim));
        const right = addDims(multiplyDims(z.dim, x.dim), multiplyDims(y.dim, x.dim));
        expect(left === right, `${left} and ${right}`).toBe(true);
        expect(subtractDims(left, right) === 0).toBe(true);
        if (typeof left === 'string') expect(dimension(left, '')).toBe(left);
      }),
      { numRuns: 300 },
    );
  });

  it('never has the same text for different polynomials', () => {
    fc.assert(
      fc.property(term, term, values, (x, y, v) => {
        if (x.at(v) !== y.at(v)) expect(x.dim).not.toBe(y.dim);
      }),
      { numRuns: 300 },
    );
  });

  it('divides any product by its factor', () => {
    fc.assert(
      fc.property(term, term, (x, y) => {
        fc.pre(y.dim !== 0);
        expect(divideDims(multiplyDims(x.dim, y.dim), y.dim) === x.dim).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('divides only without a remainder', () => {
    fc.assert(
      fc.property(term, term, (x, y) => {
        const quotient = divideDims(x.dim, y.dim);
        if (quotient !== undefined) expect(multiplyDims(quotient, y.dim) === x.dim).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(divideDims('3*a', 2)).toBeUndefined();
    expect(divideDims(7, 2)).toBeUndefined();
    expect(divideDims('a + 1', 'a')).toBeUndefined();
    expect(divideDims('a', 'b')).toBeUndefined();
    expect(divideDims('a', 0)).toBeUndefined();
    expect(divideDims(0, 0)).toBeUndefined();
    expect(divideDims(subtractDims('a*a', 'b*b'), addDims('a', 'b'))).toBe('a - b');
  });

  it('rounds quotients down, which are like names in a polynomial', () => {
    const { quotient } = fc.letrec<{ quotient: Term }>((tie) => ({
      quotient: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        term,
        fc
          .tuple(tie('quotient'), tie('quotient'), fc.integer({ min: 1, max: 6 }))
          .map(([x, y, n]) => {
            const divided = floorDivideDim(addDims(x.dim, 1), n);
            return {
              dim: addDims(multiplyDims(divided, y.dim), x.dim),
              at: (v: readonly number[]) => Math.floor((x.at(v) + 1) / n) * y.at(v) + x.at(v),
            };
          }),
      ),
    }));
    fc.assert(
      fc.property(quotient, values, (one, sizes) => {
        expect(bindDim(one.dim, bound(sizes)) + 0).toBe(one.at(sizes) + 0);
        expect(names).toEqual(expect.arrayContaining(namesOf(one.dim)));
        if (typeof one.dim === 'string') expect(dimension(one.dim, '')).toBe(one.dim);
      }),
    );
  });

  it('has a normal form of quotients', () => {
    expect(floorDivideDim('steps', 100)).toBe('floor(steps/100)');
    expect(floorDivideDim('200*steps + 150', 100)).toBe('2*steps + 1');
    expect(floorDivideDim('3*steps - 1', 2)).toBe('floor((steps+1)/2) + steps - 1');
    expect(floorDivideDim(7, 2)).toBe(3);
    expect(quotientOf('floor((steps+1)/2)')).toEqual({ dividend: 'steps + 1', divisor: 2 });
    expect(quotientOf('steps')).toBeUndefined();
    const rest = subtractDims('steps', multiplyDims(100, floorDivideDim('steps', 100)));
    expect(rest).toBe('-100*floor(steps/100) + steps');
    expect(addDims(rest, multiplyDims(100, 'floor(steps/100)'))).toBe('steps');
    expect(bindDim(rest, new Map([['steps', 731]]))).toBe(31);
    for (const text of [
      'floor(steps/0)',
      'floor(steps)',
      'floor(2*steps/2)',
      'floor(steps/2',
      'floor((steps/2)',
      'floor(7/2)',
      'floor(/2)',
    ])
      expect(() => dimension(text, 'here:'), text).toThrow(ShapeError);
  });

  it('treats different names as different', () => {
    expect(sameShape(['a', 3], ['b', 3])).toBe(false);
    expect(sameShape(['a*b'], ['b*a'])).toBe(false);
    expect(sizeOfDims(['b', 2, 'a'])).toBe('2*a*b');
    expect(namesOf('a*b + a + 3')).toEqual(['a', 'b']);
    expect(namesOf(3)).toEqual([]);
  });

  it('names a dimension that is not bound', () => {
    const error = errorOf(() => bindDim('2*steps', new Map([['batch', 2]]), '[op] '));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(/^\[op\] dimension 'steps' is not bound/);
  });
});
