// Tests the compiler passes "lower" and "simplify", which turn a graph into simplified values of the IR.
import { describe, expect, it } from 'vitest';
import { Rebuilder } from '../../src/compile/passes/rebuild.js';
import { finished } from '../../src/graph/sliced.js';
import {
  add,
  addN,
  broadcastTo,
  concat,
  constant,
  input,
  matmul,
  mul,
  neg,
  reshape,
  slice,
  stack,
  sub,
  sum,
  tanh,
  tensor,
  transpose,
} from '../../src/index.js';
import { Builder } from '../../src/ir/builder.js';
import { noRules } from '../../src/ir/rule.js';
import type { Ref, Value } from '../../src/ir/value.js';
import { simplified, text, weight } from './support.js';

const x = input('x', ['batch', 3]);
const y = input('y', ['batch', 2]);
const w = weight('w', [5, 4]);
const batch = { batch: 6 };

describe('views cost nothing', () => {
  it('reads slices, transposes, reshapes and broadcasts by strides', () => {
    const part = transpose(slice(x, { axis: 1, start: 1 }));
    expect(
      text(
        simplified(
          [tanh(part), tanh(broadcastTo(reshape(part, ['2*batch', 1]), ['2*batch', 4]))],
          batch,
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = map tanh(%0[1: 2*1 6*3]) [2, 6]
      %2 = map copy(%0[1: 2*1 6*3]) [2, 6]
      %3 = map tanh(%2[0: 12*1 1*0]) [12, 1]
      roots: %1, %3[0: 12*1 4*0]
      "
    `);
  });

  it('reads a slice of a concat or a stack from its operand', () => {
    const both = concat([tanh(x), tanh(y)], 1);
    const piled = stack([tanh(x), neg(x)], 0);
    const parts = [slice(both, { axis: 1, start: 3 }), slice(piled, { axis: 0, start: 1 })];
    expect(text(simplified(parts, batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = input y() [6, 2]
      %2 = map tanh(%1) [6, 2]
      %3 = map neg(%0) [6, 3]
      roots: %2, %3[0: 1*0 6*3 3*1]
      "
    `);
  });

  it('replaces a concat of adjacent slices by a view of the value', () => {
    const rows = [0, 1, 2].map((i) => slice(w, { axis: 0, start: i, end: i + 1 }));
    expect(text(simplified([concat(rows, 0)]))).toMatchInlineSnapshot(`
      "
      %0 = parameter w() [5, 4]
      roots: %0[0: 3*4 4*1]
      "
    `);
  });
});

describe('redundant values are not computed', () => {
  it('folds constants, and drops zeros and ones', () => {
    const three = mul(constant(1.5), 2);
    const folded = add(mul(x, three), mul(0, 7));
    expect(
      text(simplified([mul(folded, 1), sub(neg(neg(tanh(x))), 0)], batch)),
    ).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = constant() []
      %2 = map mul(%0, %1[0: 6*0 3*0]) [6, 3]
      %3 = map tanh(%0) [6, 3]
      roots: %2, %3
      "
    `);
  });

  it('computes equal expressions once, and a broadcast value once instead of for each element', () => {
    const wide = tanh(broadcastTo(slice(w, { axis: 0, start: 0, end: 1 }), [6, 4]));
    expect(
      text(simplified([wide, tanh(slice(w, { axis: 0, start: 0, end: 1 }))])),
    ).toMatchInlineSnapshot(`
      "
      %0 = parameter w() [5, 4]
      %1 = map tanh(%0[0: 1*0 4*1]) [1, 4]
      %2 = map tanh(%0[0: 1*4 4*1]) [1, 4]
      roots: %1[0: 6*0 4*1], %2
      "
    `);
  });

  it('computes no product with zeros, but gives NaN for columns that are not finite', () => {
    const zeros = broadcastTo(constant(0), ['batch', 5]);
    expect(text(simplified([matmul(zeros, w)], batch))).toMatchInlineSnapshot(`
      "
      %0 = constant() []
      %1 = parameter w() [5, 4]
      %2 = map mul(%0[0: 5*0 4*0], %1) [5, 4]
      %3 = columnSum(%2) [4]
      roots: %3[0: 6*0 4*1]
      "
    `);
  });

  it('drops zeros that are concatenated to an operand of a product', () => {
    const zeros = broadcastTo(constant(0), ['batch', 2]);
    expect(text(simplified([matmul(concat([x, zeros], 1), w)], batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = parameter w() [5, 4]
      %2 = product(%0, %1[0: 3*4 4*1]) [6, 4]
      roots: %2
      "
    `);
  });
});

describe('products of concatenations are split', () => {
  it('along K: a sum of products by slices of the weight', () => {
    expect(text(simplified([matmul(concat([x, y], 1), w)], batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = input y() [6, 2]
      %2 = parameter w() [5, 4]
      %3 = product(%0, %2[0: 3*4 4*1]) [6, 4]
      %4 = product(%1, %2[12: 2*4 4*1]) [6, 4]
      %5 = sum(%3, %4) [6, 4]
      roots: %5
      "
    `);
  });

  it('along M: blocks of rows', () => {
    const dy = input('dy', ['batch', 4]);
    const gradient = matmul(concat([x, y], 1), dy, { transposeA: true });
    expect(text(simplified([gradient], batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = input y() [6, 2]
      %2 = input dy() [6, 4]
      %3 = product(%0[0: 3*1 6*3], %2) [3, 4]
      %4 = product(%1[0: 2*1 6*2], %2) [2, 4]
      %5 = assemble(%3 at 0,0, %4 at 3,0) [5, 4]
      roots: %5
      "
    `);
  });

  it('along N: blocks of columns', () => {
    const weights = concat([w, weight('v', [5, 2])], 1);
    expect(
      text(simplified([matmul(input('z', ['batch', 5]), weights)], batch)),
    ).toMatchInlineSnapshot(`
      "
      %0 = input z() [6, 5]
      %1 = parameter w() [5, 4]
      %2 = parameter v() [5, 2]
      %3 = product(%0, %1) [6, 4]
      %4 = product(%0, %2) [6, 2]
      %5 = assemble(%3 at 0,0, %4 at 0,4) [6, 6]
      roots: %5
      "
    `);
  });

  it('and sums of such blocks become blocks of sums', () => {
    const step = (t: number) => {
      const z = concat([input(`x${t}`, ['batch', 1]), input(`h${t}`, ['batch', 2])], 1);
      return matmul(z, input(`d${t}`, ['batch', 4]), { transposeA: true });
    };
    expect(text(simplified([addN([step(1), step(2)])], batch))).toMatchInlineSnapshot(`
      "
      %0 = input x1() [6, 1]
      %1 = input h1() [6, 2]
      %2 = input d1() [6, 4]
      %3 = product(%0[0: 1*0 6*1], %2) [1, 4]
      %4 = product(%1[0: 2*1 6*2], %2) [2, 4]
      %5 = input x2() [6, 1]
      %6 = input h2() [6, 2]
      %7 = input d2() [6, 4]
      %8 = product(%5[0: 1*0 6*1], %7) [1, 4]
      %9 = product(%6[0: 2*1 6*2], %7) [2, 4]
      %10 = sum(%3, %8) [1, 4]
      %11 = sum(%4, %9) [2, 4]
      %12 = assemble(%10 at 0,0, %11 at 1,0) [3, 4]
      roots: %12
      "
    `);
  });
});

describe('sums and slices', () => {
  it('moves slices through sums and products, so that unread elements are not computed', () => {
    const d = [1, 2].map((k) => input(`d${k}`, ['batch', 4]));
    const dz = addN(d.map((dk) => matmul(dk, w, { transposeB: true })));
    expect(text(simplified([slice(dz, { axis: 1, start: 3 })], batch))).toMatchInlineSnapshot(`
      "
      %0 = input d1() [6, 4]
      %1 = parameter w() [5, 4]
      %2 = input d2() [6, 4]
      %3 = product(%0, %1[12: 4*1 2*4]) [6, 2]
      %4 = product(%2, %1[12: 4*1 2*4]) [6, 2]
      %5 = sum(%3, %4) [6, 2]
      roots: %5
      "
    `);
  });

  it('flattens sums that are read once, and keeps those that are read twice', () => {
    const once = add(add(x, tanh(x)), neg(x));
    const twice = add(x, mul(x, x));
    expect(text(simplified([once, add(twice, neg(twice))], batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = map tanh(%0) [6, 3]
      %2 = map neg(%0) [6, 3]
      %3 = sum(%0, %1, %2) [6, 3]
      %4 = map mul(%0, %0) [6, 3]
      %5 = sum(%0, %4) [6, 3]
      %6 = map neg(%5) [6, 3]
      %7 = sum(%5, %6) [6, 3]
      roots: %3, %7
      "
    `);
  });

  it('lowers a sum over rows to a columnSum, and any other sum to a reduction', () => {
    expect(text(simplified([sum(x, 0), sum(x, 1), sum(x)], batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = columnSum(%0) [3]
      %2 = reduce sum(%0) [6]
      %3 = reduce sum(%0) []
      roots: %1, %2, %3
      "
    `);
  });
});

it('a constant that is a root is not copied', () => {
  expect(text(simplified([constant(tensor([1, 2, 3]))]))).toMatchInlineSnapshot(`
    "
    %0 = constant() [3]
    roots: %0
    "
  `);
});

describe('a value that is given other operands', () => {
  const numbers = () => {
    const build = new Builder(noRules);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => build.leaf(input(name, [2]), [2])) as [
      Ref,
      Ref,
      Ref,
    ];
    return { build, a, b, c, total: build.sum('float32', [2], [a, b]) };
  };

  it('is found by its new definition, and no longer by its old one', () => {
    const { build, a, b, c, total } = numbers();
    build.redefine(total.value, [a, c]);
    expect(build.sum('float32', [2], [a, c])).toBe(total);
    expect(build.sum('float32', [2], [a, b])).not.toBe(total);
  });

  it('cannot read a value that comes after it', () => {
    const { build, a, total } = numbers();
    const later = build.map('neg', 'float32', [2], [a]);
    expect(() => build.redefine(total.value, [a, later])).toThrow(/reads the later value/);
  });

  it('is not made again by a rebuilder, but gets a new id', () => {
    const { build, a, c, total } = numbers();
    const scaled = build.map('neg', 'float32', [2], [total]);
    const { end } = build;
    const replace = (value: Value) => (value === total.value ? c : undefined);
    const [rebuilt] = finished(new Rebuilder(build, replace).run([scaled]));
    expect(rebuilt?.value).toBe(scaled.value);
    expect(scaled.value.args).toEqual([c]);
    expect(scaled.value.id).toBe(end);
    expect(build.map('neg', 'float32', [2], [c])).toBe(scaled);
    expect(build.map('neg', 'float32', [2], [a])).not.toBe(scaled);
  });

  it('is not made again if another value has the new definition', () => {
    const { build, c, total } = numbers();
    const [scaled, other] = [total, c].map((x) => build.map('neg', 'float32', [2], [x]));
    const replace = (value: Value) => (value === total.value ? c : undefined);
    const rebuilt = finished(new Rebuilder(build, replace).run([scaled as Ref, other as Ref]));
    expect(rebuilt).toEqual([other, other]);
  });

  it('follows an operand that got a new id', () => {
    const { build, a, c, total } = numbers();
    const scaled = build.map('neg', 'float32', [2], [total]);
    const product = build.map('mul', 'float32', [2], [scaled, a]);
    const replace = (value: Value) => (value === total.value ? c : undefined);
    const [rebuilt] = finished(new Rebuilder(build, replace).run([product]));
    expect(rebuilt).toBe(product);
    expect(product.value.id).toBeGreaterThan(scaled.value.id);
  });
});

describe('a builder that forgets values', () => {
  it('numbers the others from 0, and still finds them', () => {
    const build = new Builder(noRules);
    const x = build.leaf(input('x', [2]), [2]);
    const dead = build.map('exp', 'float32', [2], [x]);
    const live = build.map('neg', 'float32', [2], [x]);
    finished(build.forgetOthers([live]));
    expect([x.value.id, live.value.id, build.end]).toEqual([0, 1, 2]);
    expect(build.map('neg', 'float32', [2], [x])).toBe(live);
    expect(build.map('exp', 'float32', [2], [x])).not.toBe(dead);
  });

  it('lists the values of the same roots once, until a value is made', () => {
    const build = new Builder(noRules);
    const x = build.leaf(input('x', [2]), [2]);
    const root = build.map('neg', 'float32', [2], [x]);
    const order = finished(build.valuesOf([root]));
    expect(order).toEqual([x.value, root.value]);
    expect(finished(build.valuesOf([root]))).toBe(order);
    expect(finished(build.valuesOf([x]))).toEqual([x.value]);
    const other = build.map('exp', 'float32', [2], [root]);
    expect(finished(build.valuesOf([other]))).toEqual([x.value, root.value, other.value]);
  });
});
