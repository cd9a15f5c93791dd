// Tests the compiler pass "share": which products it merges, and the order of the merged products.
import { describe, expect, it } from 'vitest';
import { finished, Pace } from '../../src/graph/sliced.js';
import {
  add,
  addN,
  input,
  matmul,
  mul,
  type Node,
  slice,
  square,
  stack,
  sum,
  tanh,
} from '../../src/index.js';
import { reachable } from '../../src/ir/value.js';
import { type Lowered, shared, simplified, text, weight } from './support.js';

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

describe('the examples at the beginning of the files of "share"', () => {
  const [inputs, units] = [64, 128];
  const rows = (names: string, columns: number) =>
    names.split(' ').map((name) => tanh(input(name, ['batch', columns])));
  const transposed = { transposeA: true };

  /** Returns the sizes M x N x K of the products, and the shapes of the operands of column sums, in text order. */
  const sizes = ({ roots }: Lowered) =>
    finished(reachable(roots, new Pace())).flatMap(({ kind, shape, args: [first] }) => {
      if (kind === 'product') return [`${shape.join(' x ')} x ${first?.shape[1]}`];
      return kind === 'columnSum' ? [`columnSum ${first?.shape.join(' x ')}`] : [];
    });

  /** Expects that these are all products and column sums of a graph before and after the pass. */
  const expectSizes = (nodes: readonly Node[], before: string[], after: string[], size = 16) => {
    expect(sizes(simplified(nodes, { batch: size }))).toEqual(before);
    expect(sizes(shared(nodes, { batch: size }))).toEqual(after);
  };
  const times = (count: number, size: string) => new Array<string>(count).fill(size);

  it('along M: the inputs of three time steps', () => {
    const w = weight('w', [inputs, 4 * units]);
    const steps = rows('x1 x2 x3', inputs).map((x) => tanh(matmul(x, w)));
    expectSizes(steps, times(3, '16 x 512 x 64'), ['48 x 512 x 64']);
  });

  it('along M: products that depend on one another', () => {
    const w = weight('w', [units, units]);
    const chains = rows('x1 x3', units).map((x) => matmul(tanh(matmul(x, w)), w));
    expectSizes(chains, times(4, '16 x 128 x 128'), times(2, '32 x 128 x 128'));
  });

  it('along K: the gradient of a hidden state', () => {
    const terms = rows('g1 g2', units).map((g, i) =>
      matmul(g, weight(`w${i}`, [units, units]), { transposeB: true }),
    );
    expectSizes([addN(terms)], times(2, '16 x 128 x 128'), ['16 x 128 x 256']);
  });

  it('along K: the gradients of a weight and of a bias', () => {
    const [x, g] = [rows('x1 x2', inputs), rows('g1 g2', units)];
    const dw = addN(x.map((left, i) => matmul(left, g[i] as Node, transposed)));
    const db = addN(g.map((gradient) => sum(gradient, 0)));
    expectSizes(
      [dw, db],
      [...times(2, '64 x 128 x 16'), ...times(2, 'columnSum 16 x 128')],
      ['64 x 128 x 32', 'columnSum 32 x 128'],
    );
  });

  it('along N: the gates of a time step', () => {
    const [z] = rows('z', inputs) as [Node];
    const gates = ['f', 'i', 'o', 'c'].map((name) =>
      tanh(matmul(z, weight(name, [inputs, units]))),
    );
    expectSizes(gates, times(4, '16 x 128 x 64'), ['16 x 512 x 64']);
  });

  it('along N: sets that are merged along M, and sets that are merged along K', () => {
    const x = rows('x1 x2', inputs);
    const weights = ['f', 'i'].map((name) => weight(name, [inputs, units]));
    const gates = weights.map((w) => x.map((left) => tanh(matmul(left, w))));
    expectSizes(gates.flat(), times(4, '16 x 128 x 64'), ['32 x 256 x 64']);
    const gradients = [rows('f1 f2', units), rows('i1 i2', units)].map((g) =>
      addN(x.map((left, i) => matmul(left, g[i] as Node, transposed))),
    );
    expectSizes(gradients, times(4, '64 x 128 x 16'), ['64 x 256 x 32']);
  });

  it('outer products: the gradients of a dense layer for a batch of one', () => {
    const [[x], [g]] = [rows('x', inputs), rows('g', units)] as [[Node], [Node]];
    const gradients = [mul(matmul(x, g, transposed), 0.5), sum(g, 0)];
    expectSizes(gradients, ['64 x 128 x 1', 'columnSum 1 x 128'], [], 1);
  });
});
