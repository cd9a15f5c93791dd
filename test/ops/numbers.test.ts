// Rounding, remainders, and special and trigonometric functions: dtypes, edges, and both executors.
import { describe, expect, it } from 'vitest';
import {
  acos,
  add,
  asin,
  atan,
  atan2,
  backward,
  ceil,
  constant,
  DTypeError,
  erf,
  evaluate,
  expm1,
  floor,
  input,
  log1p,
  mod,
  mul,
  type Node,
  parameter,
  round,
  rsqrt,
  sum,
  type Tensor,
  tan,
  tensor,
  trunc,
} from '../../src/index.js';
import { errorOf, generator } from '../support.js';
import { equalInBoth } from './agreement.js';

const rounding = { floor, ceil, round, trunc };

describe('rounding', () => {
  it.each(['float32', 'float64'] as const)('of %s', (dtype) => {
    const numbers = [
      -2.5,
      -1.5,
      -0.5,
      -0,
      0,
      0.5,
      1.5,
      2.5,
      3.7,
      -3.7,
      8_388_609,
      1e30,
      NaN,
      Infinity,
    ];
    const x = input('x', [numbers.length], { dtype });
    const nodes = Object.fromEntries(Object.entries(rounding).map(([name, op]) => [name, op(x)]));
    const values = equalInBoth(nodes, { x: tensor(numbers, { dtype }) });
    const given = tensor(numbers, { dtype }).toArray() as number[];
    const even = (n: number) => (Math.abs(n % 1) === 0.5 ? 2 * Math.round(n / 2) : Math.round(n));
    const exact = { floor: Math.floor, ceil: Math.ceil, round: even, trunc: Math.trunc };
    for (const [name, f] of Object.entries(exact)) {
      // Adding 0 makes 0 of -0.
      const found = (values[name] as Tensor).toArray() as number[];
      expect(
        found.map((n) => n + 0),
        name,
      ).toEqual(given.map((n) => f(n) + 0));
    }
  });

  it('returns integers as they are, refuses bools, and sends no gradient', () => {
    const i = input('i', [2], { dtype: 'int32' });
    const bytes = input('u', [2], { dtype: 'uint8' });
    const x = parameter('x', [1.5, -0.2]);
    for (const [name, op] of Object.entries(rounding)) {
      expect(op(i)).toBe(i);
      expect(op(bytes)).toBe(bytes);
      const error = errorOf(() => op(input('b', [2], { dtype: 'bool' })));
      expect(error).toBeInstanceOf(DTypeError);
      expect(error.message).toContain(
        `[${name}] is defined for float32 and float64, but received bool`,
      );
      const gradients = backward(sum(op(x)));
      expect(gradients.reaches(x)).toBe(false);
      expect(evaluate(gradients.of(x)).toArray()).toEqual([0, 0]);
    }
  });
});

describe('mod', () => {
  /** The remainder of JavaScript, which is exact, with the sign of the divisor. */
  const exact = (a: number, b: number) => {
    const r = a % b;
    return r !== 0 && r < 0 !== b < 0 ? r + b : r;
  };

  it.each(['float32', 'float64'] as const)(
    'of %s is exact, in parts with and without huge quotients',
    (dtype) => {
      const draw = generator(3);
      const size = 400;
      const some = () => (draw() < 0.5 ? -1 : 1) * 2 ** (20 * draw() - 10);
      const b = tensor(Array.from({ length: size }, some), { dtype });
      const a = tensor(
        Array.from({ length: size }, (_, i) =>
          i < 200 ? some() : (b.data[i] as number) * (i % 2 === 0 ? i : 2 ** (60 * draw())),
        ),
        { dtype },
      );
      const [x, y] = [input('x', [size], { dtype }), input('y', [size], { dtype })];
      const values = equalInBoth(
        { r: mod(x, y), fused: add(mul(mod(x, y), 2), 1) },
        { x: a, y: b },
      );
      const wanted = Array.from(a.data, (n, i) => exact(n as number, b.data[i] as number));
      const rounded = tensor(wanted, { dtype }).toArray() as number[];
      expect((values.r as Tensor).toArray()).toEqual(rounded);
      if (dtype === 'float64')
        expect(values.fused?.toArray()).toEqual(rounded.map((r) => 2 * r + 1));
    },
  );

  it('of int32 has the sign of the divisor, and is 0 if the divisor is 0', () => {
    const [x, y] = [input('x', [7], { dtype: 'int32' }), input('y', [7], { dtype: 'int32' })];
    const least = -(2 ** 31);
    const values = equalInBoth(
      { r: mod(x, y) },
      {
        x: tensor([7, -7, 7, -7, 5, least, least], { dtype: 'int32' }),
        y: tensor([3, 3, -3, -3, 0, -1, 2 ** 31 - 1], { dtype: 'int32' }),
      },
    );
    expect(values.r?.toArray()).toEqual([1, 2, -2, -1, 0, 0, 2 ** 31 - 2]);
  });

  it('of bools and of bytes is refused', () => {
    for (const dtype of ['bool', 'uint8'] as const) {
      const x = input('x', [2], { dtype });
      expect(errorOf(() => mod(x, x)).message).toContain(
        `[mod] is defined for float32, float64 and int32, but received ${dtype}; cast() it first`,
      );
    }
  });

  it('has the gradient of the exact quotient where the rounded one is an integer', () => {
    const x = parameter('x', tensor([0.9, 6, -6], { dtype: 'float64' }));
    const y = parameter('y', tensor([0.1, 3, 3], { dtype: 'float64' }));
    const gradients = backward(sum(mod(x, y)));
    // 0.9 / 0.1 is rounded to 9, but 9 times the number nearest to 0.1 is larger than the number nearest to 0.9.
    expect(evaluate(gradients.of(y)).toArray()).toEqual([-8, -2, 2]);
    expect(evaluate(gradients.of(x)).toArray()).toEqual([1, 1, 1]);
  });
});

describe('special and trigonometric functions', () => {
  const functions = { erf, log1p, expm1, rsqrt, tan, asin, acos, atan };
  const exact: Readonly<Record<string, (x: number) => number>> = {
    log1p: Math.log1p,
    expm1: Math.expm1,
    rsqrt: (x) => 1 / Math.sqrt(x),
    tan: Math.tan,
    asin: Math.asin,
    acos: Math.acos,
    atan: Math.atan,
    // Abramowitz and Stegun, table 7.1.
    erf: (x) =>
      ({ 0.5: 0.5204998778130465, 1: 0.8427007929497149, 2: 0.9953222650189527 })[x] ?? NaN,
  };

  it.each(['float32', 'float64'] as const)('of %s', (dtype) => {
    const numbers = [0.5, 1, 2, -0.5, 1e-9, 0.3, -0.9, 123.4, 1e5, 3e6, 1e22, -1e15];
    const x = input('x', [numbers.length], { dtype });
    const nodes = Object.fromEntries(Object.entries(functions).map(([name, op]) => [name, op(x)]));
    const given = tensor(numbers, { dtype }).toArray() as number[];
    const values = equalInBoth(nodes, { x: tensor(numbers, { dtype }) });
    const precision = dtype === 'float64' ? 2 ** -51 : 2 ** -22;
    for (const [name, f] of Object.entries(exact)) {
      const found = (values[name] as Tensor).toArray() as number[];
      given.slice(0, name === 'erf' ? 3 : undefined).forEach((n, i) => {
        const wanted = f(n);
        if (Number.isFinite(wanted) && (dtype === 'float64' || Math.abs(wanted) < 3e38)) {
          expect(Math.abs((found[i] as number) - wanted), `${name}(${n})`).toBeLessThanOrEqual(
            2 * precision * Math.abs(wanted),
          );
        } else expect(Number.isFinite(found[i]), `${name}(${n})`).toBe(false);
      });
    }
  });

  it('atan2 has the angles of all quadrants, and gradient 0 at the origin', () => {
    const one = [1, 1, -1, -1, 0, 0, 2];
    const other = [1, -1, -1, 1, -1, 0, 0];
    const y = parameter('y', tensor(one, { dtype: 'float64' }));
    const x = parameter('x', tensor(other, { dtype: 'float64' }));
    const angle = atan2(y, x);
    const values = equalInBoth({ angle }, {});
    (values.angle as Tensor).toArray();
    one.forEach((n, i) => {
      expect(values.angle?.data[i]).toBeCloseTo(Math.atan2(n, other[i] as number), 15);
    });
    const gradients = backward(sum(angle));
    expect(evaluate(gradients.of(y)).data[5]).toBe(0);
    expect(evaluate(gradients.of(x)).data[5] as number).toBeCloseTo(0, 20);
    expect(evaluate(gradients.of(y)).data[0]).toBe(0.5);
  });

  it('asin and acos have infinite gradients at the ends', () => {
    const x = parameter('x', tensor([1, -1], { dtype: 'float64' }));
    const of = (node: Node) => evaluate(backward(sum(node)).of(x)).toArray();
    expect(of(asin(x))).toEqual([Infinity, Infinity]);
    expect(of(acos(x))).toEqual([-Infinity, -Infinity]);
  });

  it.each<[string, (x: Node) => Node, number, number]>([
    ['expm1', expm1, -20, Math.exp(-20)],
    ['asin', asin, 1 - 2 ** -24, 1 / Math.sqrt(2 ** -24 * (2 - 2 ** -24))],
    ['acos', acos, 2 ** -24 - 1, -1 / Math.sqrt(2 ** -24 * (2 - 2 ** -24))],
  ])('%s of float32 has a gradient without cancellation', (_name, op, at, wanted) => {
    const x = parameter('x', tensor([at]));
    const found = equalInBoth({ g: backward(sum(op(x))).of(x) }, {}).g?.data[0] as number;
    expect(Math.abs(found / wanted - 1)).toBeLessThan(2 ** -21);
  });

  it.each([
    [1e-20, 0, 0, -1e20],
    [1e20, 1e20, 5e-21, -5e-21],
    [1e-30, -1e-25, -1e25, -1e20],
    [Infinity, 1, 0, NaN],
    [Infinity, -Infinity, NaN, NaN],
    [NaN, Infinity, NaN, NaN],
    [0, 0, 0, 0],
  ])('atan2(%d, %d) of float32 has the gradients %d and %d', (one, other, ofY, ofX) => {
    const [y, x] = [parameter('y', tensor([one])), parameter('x', tensor([other]))];
    const gradients = backward(sum(atan2(y, x)));
    const values = equalInBoth({ y: gradients.of(y), x: gradients.of(x) }, {});
    for (const [key, wanted] of Object.entries({ y: ofY, x: ofX })) {
      const found = values[key]?.data[0] as number;
      if (Number.isNaN(wanted)) expect(found).toBeNaN();
      else expect(Math.abs(found - wanted)).toBeLessThanOrEqual(Math.abs(wanted) * 2 ** -21);
    }
  });

  it('atan2 has derivatives of the second order, which are 0 at the origin and at infinities', () => {
    const y = parameter('y', tensor([0.3, -2, 0, Infinity], { dtype: 'float64' }));
    const x = parameter('x', tensor([0.4, 1, 0, 2], { dtype: 'float64' }));
    const slope = backward(sum(atan2(y, x))).of(y);
    const gradients = backward(sum(slope));
    // The derivatives of x / (x^2 + y^2).
    const close = (list: number[]) => list.map((n) => expect.closeTo(n, 12));
    expect(evaluate(gradients.of(y)).toArray()).toEqual(close([-3.84, 0.16, 0, 0]));
    expect(evaluate(gradients.of(x)).toArray()).toEqual(close([-1.12, 0.12, 0, 0]));
  });

  it('refuse integers', () => {
    const i = constant(tensor([1, 2], { dtype: 'int32' }));
    for (const [name, op] of Object.entries({ ...functions, atan2: (n: Node) => atan2(n, n) })) {
      expect(errorOf(() => op(i)).message).toContain(
        `[${name}] is defined for float32 and float64, but received int32; cast() it first`,
      );
    }
  });
});
