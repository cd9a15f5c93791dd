// Comparisons and logical operations: all dtypes, NaN, errors, and masks in the registers of a fused loop.
import { describe, expect, it } from 'vitest';
import {
  and,
  cast,
  compile,
  DTypeError,
  equal,
  greater,
  greaterEqual,
  input,
  isFinite as isFiniteNode,
  isNaN as isNaNNode,
  less,
  lessEqual,
  not,
  notEqual,
  or,
  reshape,
  ShapeError,
  type Tensor,
  tensor,
  where,
  xor,
} from '../../src/index.js';
import { errorOf } from '../support.js';
import { equalInBoth } from './agreement.js';

const comparisons = { greater, greaterEqual, less, lessEqual, equal, notEqual };
const expected = {
  greater: (a: number, b: number) => a > b,
  greaterEqual: (a: number, b: number) => a >= b,
  less: (a: number, b: number) => a < b,
  lessEqual: (a: number, b: number) => a <= b,
  equal: (a: number, b: number) => a === b,
  notEqual: (a: number, b: number) => a !== b,
};

describe('comparisons', () => {
  it.each(['float32', 'float64', 'int32', 'bool', 'uint8'] as const)('of %s', (dtype) => {
    const isFloat = dtype === 'float32' || dtype === 'float64';
    const some = isFloat
      ? [-1, 0, 1, NaN, Infinity, -Infinity]
      : dtype === 'bool'
        ? [0, 1]
        : [0, 1, 7];
    // 60 pairs, so that whole registers and a rest are computed.
    const a = Array.from({ length: 60 }, (_, i) => some[i % some.length] as number);
    const b = Array.from(
      { length: 60 },
      (_, i) => some[Math.floor(i / some.length) % some.length] as number,
    );
    const x = input('x', [60], { dtype });
    const y = input('y', [60], { dtype });
    const nodes = Object.fromEntries(
      Object.entries(comparisons).map(([name, op]) => [name, op(x, y)]),
    );
    const values = equalInBoth(nodes, { x: tensor(a, { dtype }), y: tensor(b, { dtype }) });
    for (const [name, test] of Object.entries(expected)) {
      const wanted = a.map((left, i) => Number(test(left, b[i] as number)));
      expect([...(values[name] as Tensor).data], name).toEqual(wanted);
    }
  });

  it('name the op that was called, and its operands in their order, in errors', () => {
    for (const [name, op] of Object.entries(comparisons)) {
      const shapes = errorOf(() => op(input('a', [2]), input('b', [3])));
      expect(shapes).toBeInstanceOf(ShapeError);
      expect(shapes.message).toContain(`[${name}] shapes do not broadcast: [2] and [3]`);
      const dtypes = errorOf(() => op(input('a', [2]), input('b', [2], { dtype: 'int32' })));
      expect(dtypes).toBeInstanceOf(DTypeError);
      expect(dtypes.message).toContain(
        `[${name}] operands have different dtypes: float32 and int32`,
      );
    }
  });

  it('less and greater with exchanged operands are computed once', () => {
    const [x, y] = [input('x', [8]), input('y', [8])];
    const program = compile({ outputs: { a: less(x, y), b: greater(y, x), c: x } });
    const single = compile({ outputs: { a: less(x, y), c: x } });
    const feeds = { x: tensor([1, 2, 3, 4, 5, 6, 7, 8]), y: tensor([8, 7, 6, 5, 4, 3, 2, 1]) };
    const { a, b } = program.run(feeds);
    expect(a).toEqual(b);
    expect(single.run(feeds).a).toEqual(a);
    program.dispose();
    single.dispose();
  });
});

describe('logical operations', () => {
  const bits = Uint8Array.from({ length: 40 }, (_, i) => i % 2);
  const others = Uint8Array.from({ length: 40 }, (_, i) => (i >> 1) % 2);
  const p = input('p', [40], { dtype: 'bool' });
  const q = input('q', [40], { dtype: 'bool' });
  const feeds = { p: tensor(bits, { dtype: 'bool' }), q: tensor(others, { dtype: 'bool' }) };
  const of = (test: (a: number, b: number) => number) =>
    Uint8Array.from(bits, (bit, i) => test(bit, others[i] as number));

  it('compute bools in memory', () => {
    const values = equalInBoth(
      { and: and(p, q), or: or(p, q), xor: xor(p, q), not: not(p) },
      feeds,
    );
    expect(values.and?.data).toEqual(of((a, b) => a & b));
    expect(values.or?.data).toEqual(of((a, b) => a | b));
    expect(values.xor?.data).toEqual(of((a, b) => a ^ b));
    expect(values.not?.data).toEqual(of((a) => 1 - a));
  });

  it('count every byte that is not 0 as true, and give 0 and 1', () => {
    const changed = { p: tensor(Uint8Array.from(bits), { dtype: 'bool' }) };
    changed.p.data.set([255, 2], 2);
    const values = equalInBoth({ and: and(p, 1), not: not(p), xor: xor(p, p) }, changed);
    expect([...(values.and as Tensor).data.subarray(0, 4)]).toEqual([0, 1, 1, 1]);
    expect([...(values.not as Tensor).data.subarray(0, 4)]).toEqual([1, 0, 0, 0]);
    expect((values.xor as Tensor).data.every((byte) => byte === 0)).toBe(true);
  });

  it.each(['float32', 'float64'] as const)('combine masks of %s with stored bools', (dtype) => {
    const x = input('x', [40], { dtype });
    const inside = and(greater(x, -1), less(x, 1));
    const outside = or(lessEqual(x, -1), greaterEqual(x, 1));
    const numbers = Array.from({ length: 40 }, (_, i) => (i === 5 ? NaN : (i - 20) / 8));
    const values = equalInBoth(
      {
        clipped: where(inside, x, 0),
        mixed: where(xor(inside, p), x, 0),
        unordered: not(or(inside, outside)),
        stored: and(not(p), outside),
      },
      { p: feeds.p, x: tensor(numbers, { dtype }) },
    );
    const isInside = numbers.map((n) => Math.abs(n) < 1);
    const rounded = tensor(numbers, { dtype }).toArray() as number[];
    expect(values.clipped?.toArray()).toEqual(rounded.map((n, i) => (isInside[i] ? n : 0)));
    expect(values.mixed?.toArray()).toEqual(
      rounded.map((n, i) => (isInside[i] !== (bits[i] === 1) ? n : 0)),
    );
    expect([...(values.unordered as Tensor).data]).toEqual(
      numbers.map((n) => Number(Number.isNaN(n))),
    );
    expect([...(values.stored as Tensor).data]).toEqual(
      numbers.map((n, i) => Number(bits[i] === 0 && Math.abs(n) >= 1)),
    );
  });

  it('combine masks of both widths', () => {
    const x = input('x', [40]);
    const y = input('y', [40], { dtype: 'float64' });
    const i = input('i', [40], { dtype: 'int32' });
    const narrow = and(greater(x, 0), equal(i, 3));
    const values = equalInBoth(
      { z: where(or(narrow, less(y, 0)), cast(x, 'float64'), y) },
      {
        x: tensor(Array.from({ length: 40 }, (_, k) => k - 20)),
        y: tensor(
          Array.from({ length: 40 }, (_, k) => 0.5 - (k % 3)),
          { dtype: 'float64' },
        ),
        i: tensor(
          Array.from({ length: 40 }, (_, k) => k % 4),
          { dtype: 'int32' },
        ),
      },
    );
    expect(values.z?.toArray()).toEqual(
      Array.from({ length: 40 }, (_, k) =>
        (k > 20 && k % 4 === 3) || k % 3 > 0 ? k - 20 : 0.5 - (k % 3),
      ),
    );
  });

  it('refuse numbers, with an error that says how to make bools of them', () => {
    const x = input('x', [40]);
    for (const [name, op] of Object.entries({ and, or, xor })) {
      for (const call of [() => op(x, p), () => op(p, x)]) {
        const error = errorOf(call);
        expect(error).toBeInstanceOf(DTypeError);
        expect(error.message).toContain(
          `[${name}] is defined for bool, but received float32; compare it with 0 (notEqual), or cast() it first`,
        );
      }
    }
    expect(errorOf(() => not(x)).message).toContain('[not] is defined for bool');
    expect(errorOf(() => and(p, 2)).message).toContain('must be a bool (0 or 1)');
  });

  it('broadcast, also over no elements', () => {
    const rows = reshape(p, [40, 1]);
    const none = input('none', [0], { dtype: 'bool' });
    const values = equalInBoth(
      { all: and(rows, q), empty: or(rows, none) },
      { ...feeds, none: tensor(new Uint8Array(0), { dtype: 'bool' }) },
    );
    expect(values.all?.shape).toEqual([40, 40]);
    expect([...(values.all as Tensor).data.subarray(40, 80)]).toEqual([...others]);
    expect(values.empty?.shape).toEqual([40, 0]);
  });
});

describe('isNaN and isFinite', () => {
  it.each(['float32', 'float64'] as const)('of %s', (dtype) => {
    const x = input('x', [7], { dtype });
    const numbers = [NaN, Infinity, -Infinity, 0, -0, 3.4e38, 1e-45];
    const values = equalInBoth(
      { nan: isNaNNode(x), finite: isFiniteNode(x) },
      { x: tensor(numbers, { dtype }) },
    );
    expect([...(values.nan as Tensor).data]).toEqual([1, 0, 0, 0, 0, 0, 0]);
    expect([...(values.finite as Tensor).data]).toEqual([0, 0, 0, 1, 1, 1, 1]);
  });

  it('refuse integers', () => {
    const i = input('i', [2], { dtype: 'int32' });
    expect(errorOf(() => isNaNNode(i))).toBeInstanceOf(DTypeError);
    expect(errorOf(() => isFiniteNode(i)).message).toContain('[isFinite] is defined for float32');
  });
});
