// Tests the compiler pass "share": which products it merges, and the order of the merged products.
import { describe, expect, it } from 'vitest';
import { add, addN, input, matmul, mul, slice, square, stack, sum, tanh } from '../../src/index.js';
import { shared, text, weight } from './support.js';

const batch = { batch: 6 };

describe('along M', () => {
  it('products of many left operands with one weight become one tall product', () => {
    const xs = input('xs', [3, 'batch', 2]);
    const w = weight('w', [2, 4]);
    const steps = [0, 1, 2].map((t) => matmul(slice(xs, { axis: 0, start: t, end: t + 1 }), w));
    expect(
      text(
        shared(
          steps.map((y) => tanh(y)),
          batch,
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      %0 = input xs() [3, 6, 2]
      %1 = parameter w() [2, 4]
      %2 = product(%0[0: 18*2 2*1], %1) [18, 4]
      %3 = map tanh(%2[0: 1*24 6*4 4*1]) [1, 6, 4]
      %4 = map tanh(%2[24: 1*24 6*4 4*1]) [1, 6, 4]
      %5 = map tanh(%2[48: 1*24 6*4 4*1]) [1, 6, 4]
      roots: %3, %4, %5
      "
    `);
  });

  it('products that depend on each other are not merged', () => {
    const w = weight('w', [3, 3]);
    const first = tanh(matmul(input('x', ['batch', 3]), w));
    expect(text(shared([matmul(first, w)], batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = parameter w() [3, 3]
      %2 = product(%0, %1) [6, 3]
      %3 = map tanh(%2) [6, 3]
      %4 = product(%3, %1) [6, 3]
      roots: %4
      "
    `);
  });
});

describe('along K', () => {
  it('the sum of products with several weights becomes one product', () => {
    const [a, b] = [tanh(input('a', ['batch', 2])), tanh(input('b', ['batch', 3]))];
    const both = add(matmul(a, weight('v', [2, 4])), matmul(b, weight('w', [3, 4])));
    expect(text(shared([tanh(both)], batch))).toMatchInlineSnapshot(`
      "
      %0 = input a() [6, 2]
      %1 = map tanh(%0) [6, 2]
      %2 = parameter v() [2, 4]
      %3 = input b() [6, 3]
      %4 = map tanh(%3) [6, 3]
      %5 = parameter w() [3, 4]
      %6 = assemble(%1 at 0,0, %4 at 0,2) [6, 5]
      %7 = assemble(%2 at 0,0, %5 at 2,0) [5, 4]
      %8 = product(%6, %7) [6, 4]
      %9 = map tanh(%8) [6, 4]
      roots: %9
      "
    `);
  });

  it("a shared weight's gradient, a sum of products, becomes one product over all steps", () => {
    const gradients = [1, 2, 3].map((t) =>
      matmul(tanh(input(`h${t}`, ['batch', 2])), square(input(`d${t}`, ['batch', 4])), {
        transposeA: true,
      }),
    );
    expect(text(shared([addN(gradients)], batch))).toMatchInlineSnapshot(`
      "
      %0 = input h1() [6, 2]
      %1 = map tanh(%0) [6, 2]
      %2 = input d1() [6, 4]
      %3 = map square(%2) [6, 4]
      %4 = input h2() [6, 2]
      %5 = map tanh(%4) [6, 2]
      %6 = input d2() [6, 4]
      %7 = map square(%6) [6, 4]
      %8 = input h3() [6, 2]
      %9 = map tanh(%8) [6, 2]
      %10 = input d3() [6, 4]
      %11 = map square(%10) [6, 4]
      %12 = assemble(%1 at 0,0, %5 at 6,0, %9 at 12,0) [18, 2]
      %13 = assemble(%3 at 0,0, %7 at 6,0, %11 at 12,0) [18, 4]
      %14 = product(%12[0: 2*1 18*2], %13) [2, 4]
      roots: %14
      "
    `);
  });
});

describe('along N', () => {
  it('products of one left operand with many weights become one wide product', () => {
    const x = input('x', ['batch', 3]);
    const heads = ['v', 'w'].map((name) => tanh(matmul(x, weight(name, [3, 2]))));
    expect(text(shared(heads, batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = parameter v() [3, 2]
      %2 = parameter w() [3, 2]
      %3 = assemble(%1 at 0,0, %2 at 0,2) [3, 4]
      %4 = product(%0, %3) [6, 4]
      %5 = map tanh(%4[0: 6*4 2*1]) [6, 2]
      %6 = map tanh(%4[2: 6*4 2*1]) [6, 2]
      roots: %5, %6
      "
    `);
  });

  it('products of a single row are not merged if copying the weights would cost more than it saves', () => {
    const x = input('x', ['batch', 300]);
    const heads = ['v', 'w'].map((name) => tanh(matmul(x, weight(name, [300, 200]))));
    const products = (rows: number) =>
      text(shared(heads, { batch: rows })).match(/= product/g)?.length;
    expect([products(1), products(4)]).toEqual([2, 1]);
  });

  it('sums over the rows of the operands are merged, too', () => {
    const x = tanh(input('x', ['batch', 3]));
    const [d, e] = ['d', 'e'].map((name) => square(input(name, ['batch', 2])));
    if (!d || !e) throw new Error('two operands');
    const roots = [
      matmul(x, d, { transposeA: true }),
      matmul(x, e, { transposeA: true }),
      sum(d, 0),
      sum(e, 0),
    ];
    expect(text(shared(roots, batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = map tanh(%0) [6, 3]
      %2 = input d() [6, 2]
      %3 = map square(%2) [6, 2]
      %4 = input e() [6, 2]
      %5 = map square(%4) [6, 2]
      %6 = assemble(%3 at 0,0, %5 at 0,2) [6, 4]
      %7 = product(%1[0: 3*1 6*3], %6) [3, 4]
      %8 = columnSum(%6) [4]
      roots: %7[0: 3*4 2*1], %7[2: 3*4 2*1], %8[0: 2*1], %8[2: 2*1]
      "
    `);
  });
});

it('adds a later product onto its block of an earlier one', () => {
  const xs = input('xs', [2, 'batch', 2]);
  const [w, u] = [weight('w', [2, 4]), weight('u', [4, 4])];
  const projected = [0, 1].map((t) => matmul(slice(xs, { axis: 0, start: t, end: t + 1 }), w));
  const [first, second] = projected as [(typeof projected)[0], (typeof projected)[0]];
  const next = tanh(add(second, matmul(tanh(first), u)));
  expect(text(shared([next], batch))).toMatchInlineSnapshot(`
    "
    %0 = input xs() [2, 6, 2]
    %1 = parameter w() [2, 4]
    %2 = parameter u() [4, 4]
    %3 = product(%0[0: 12*2 2*1], %1) [12, 4]
    %4 = map tanh(%3[0: 1*24 6*4 4*1]) [1, 6, 4]
    %5 = product(%4[0: 6*4 4*1], %2, %3[24: 6*4 4*1]) [6, 4]
    %6 = map tanh(%5[0: 1*24 6*4 4*1]) [1, 6, 4]
    roots: %6
    "
  `);
});

it('computes a product with K = 1 element-wise, and scales its smaller operand', () => {
  const gradient = matmul(input('x', ['batch', 3]), input('d', ['batch', 4]), { transposeA: true });
  expect(text(shared([mul(gradient, 0.5)], { batch: 1 }))).toMatchInlineSnapshot(`
    "
    %0 = input x() [1, 3]
    %1 = input d() [1, 4]
    %2 = constant() []
    %3 = map mul(%2[0: 3*0 1*0], %0[0: 3*1 1*3]) [3, 1]
    %4 = map mul(%3[0: 3*1 4*0], %1[0: 3*0 4*1]) [3, 4]
    roots: %4
    "
  `);
});

it('does not merge products if the merges would form a cycle', () => {
  // Either a1 and a2 or b1 and b2 can be merged. If both pairs were merged, each merged product would need the result
  // of the other one.
  const [v, w] = [weight('v', [3, 3]), weight('w', [3, 3])];
  const [x, y] = [input('x', ['batch', 3]), input('y', ['batch', 3])];
  const a1 = matmul(x, v);
  const b1 = matmul(tanh(a1), w);
  const b2 = matmul(y, w);
  const a2 = matmul(tanh(b2), v);
  const { roots } = shared([stack([b1, a2], 0)], batch);
  const merged = text({ roots }).match(/= product.*\[12, 3\]/g)?.length;
  expect(merged).toBe(1);
});
