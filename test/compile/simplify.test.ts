// Tests the compiler passes "lower" and "simplify", which turn a graph into simplified values of the IR.
import { describe, expect, it } from 'vitest';
import { Rebuilder } from '../../src/compile/passes/rebuild.js';
import { finished } from '../../src/graph/sliced.js';
import {
  add,
  addN,
  backward,
  broadcastTo,
  compile,
  concat,
  constant,
  conv1d,
  conv2d,
  evaluate,
  gather,
  initializers,
  input,
  matmul,
  mul,
  type Node,
  neg,
  parameter,
  reshape,
  slice,
  stack,
  sub,
  sum,
  type Tensor,
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

  it('computes only the part of an element-wise value that is read', () => {
    const all = tanh(
      mul(x, broadcastTo(reshape(slice(y, { axis: 1, end: 1 }), ['batch', 1]), ['batch', 3])),
    );
    const parts = [0, 1].map((start) => neg(slice(all, { axis: 0, start, end: start + 2 })));
    expect(text(simplified(parts, batch))).toMatchInlineSnapshot(`
      "
      %0 = input x() [6, 3]
      %1 = input y() [6, 2]
      %2 = map mul(%0[0: 3*3 3*1], %1[0: 3*2 3*0]) [3, 3]
      %3 = map tanh(%2) [3, 3]
      %4 = map neg(%3[0: 2*3 3*1]) [2, 3]
      %5 = map neg(%3[3: 2*3 3*1]) [2, 3]
      roots: %4, %5
      "
    `);
  });

  it('computes the whole value if more than three quarters of it are read, or all of it somewhere', () => {
    const all = tanh(x);
    const most = neg(slice(all, { axis: 0, start: 1 }));
    const whole = [neg(slice(all, { axis: 0, start: 5 })), sum(all)];
    const ends = [0, 5].map((start) => neg(slice(all, { axis: 0, start, end: start + 1 })));
    for (const roots of [[most], whole, ends]) {
      expect(
        simplified(roots, batch).fired.get('simplify: value of which a part is read'),
      ).toBeUndefined();
    }
  });

  it('computes a convolution only at the positions that are read, and its operand where they read it', () => {
    const sequences = input('sequences', [2, 4, 20]);
    const [v, u] = [weight('v', [4, 4, 3]), weight('u', [4, 4, 3])];
    const first = tanh(conv1d(sequences, v, { padding: [2, 0] }));
    const second = conv1d(first, u, { padding: [4, 0], dilation: 2 });
    expect(text(simplified([slice(second, { axis: 2, start: 19 })]))).toMatchInlineSnapshot(`
      "
      %0 = input sequences() [2, 4, 20]
      %1 = parameter v() [4, 4, 3]
      %2 = routine convPack(%1[0: 4*12 4*3 1*3 3*1]) [384]
      %3 = parameter u() [4, 4, 3]
      %4 = routine convPack(%3[0: 4*12 4*3 1*3 3*1]) [384]
      %5 = routine conv(%0[13: 2*80 1*20 7*1 4*20], %2) [2, 1, 5, 4]
      %6 = map tanh(%5[0: 2*20 4*1 5*4]) [2, 4, 5]
      %7 = routine conv(%6[0: 2*20 1*0 5*1 4*5], %4) [2, 1, 1, 4]
      roots: %7[0: 2*4 4*1 1*0]
      "
    `);
    // The filters at position 1 reach two elements into the padding.
    expect(text(simplified([slice(first, { axis: 2, start: 0, end: 2 })]))).toMatchInlineSnapshot(`
      "
      %0 = input sequences() [2, 4, 20]
      %1 = parameter v() [4, 4, 3]
      %2 = routine convPack(%1[0: 4*12 4*3 1*3 3*1]) [384]
      %3 = routine conv(%0[0: 2*80 1*20 2*1 4*20], %2) [2, 1, 2, 4]
      %4 = map tanh(%3[0: 2*8 4*1 2*4]) [2, 4, 2]
      roots: %4
      "
    `);
  });

  it('computes a part of a convolution as the reference executor computes it', () => {
    const options = [
      {
        padding: [
          [2, 1],
          [0, 3],
        ],
      },
      { stride: [2, 1], padding: 1 },
      {
        dilation: [1, 2],
        groups: 2,
        padding: [
          [0, 0],
          [4, 2],
        ],
      },
    ] as const;
    for (const option of options) {
      const images = parameter(`images${options.indexOf(option)}`, {
        shape: [3, 4, 9, 8],
        init: initializers.normal(1),
      });
      const kernel = weight(`kernel${options.indexOf(option)}`, [
        6,
        4 / ('groups' in option ? 2 : 1),
        2,
        3,
      ]);
      const convolved = conv2d(images, kernel, option);
      const [, , rows, columns] = convolved.shape as number[];
      for (const [axis, length] of [
        [0, 3],
        [2, rows],
        [3, columns],
      ] as const) {
        for (let start = 0; start < (length as number); start++) {
          const part = slice(convolved, { axis, start, end: start + 1 });
          const { data } = evaluate(part);
          compile({ outputs: { part } })
            .run()
            .part.data.forEach((value, i) => {
              expect(value).toBeCloseTo(data[i] as number, 4);
            });
        }
      }
    }
  });

  it('takes linear time for a sum of many operands of which a part is read', () => {
    const terms = Array.from({ length: 30_000 }, (_, i) => mul(x, i + 1));
    const same = tanh(x);
    const roots = [addN(terms), addN(new Array<Node>(30_000).fill(same))].map((total) =>
      slice(total, { axis: 0, end: 1 }),
    );
    expect(
      simplified(roots, batch).fired.get('simplify: value of which a part is read'),
    ).toBeGreaterThan(30_000);
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

describe('sums of gathered rows', () => {
  const table = weight('table', [9, 3]);
  const words = input('words', ['texts', 4], { dtype: 'int32' });
  const rows = gather(table, words);
  const texts = { texts: 2 };

  it('are computed without storing the rows, and their gradient is read once for each text', () => {
    const bag = sum(rows, 1);
    const gradient = backward(sum(mul(bag, bag))).of(table);
    expect(text(simplified([bag, gradient], texts))).toMatchInlineSnapshot(`
      "
      %0 = parameter table() [9, 3]
      %1 = input words() int32 [2, 4]
      %2 = constant() []
      %3 = routine gatherSum(%0, %1) [2, 3]
      %4 = sum(%3, %3) [2, 3]
      %5 = routine scatterAdd(%2[0: 1*0 9*0 3*0], %1[0: 8*1], %4[0: 1*6 2*3 3*1]) [1, 9, 3]
      roots: %3, %5[0: 9*3 3*1]
      "
    `);
  });

  it('may be gathered themselves', () => {
    const texts = gather(sum(gather(table, words), 1), input('chosen', [5, 2], { dtype: 'int32' }));
    const { fired } = simplified([sum(texts, 1)], { texts: 4 });
    expect(fired.get('simplify: sum of gathered rows')).toBe(2);
  });

  it('read a table that is transposed where it is', () => {
    const wide = parameter('wide', { shape: [3, 9], init: initializers.normal(1) });
    const program = compile({ outputs: { bag: sum(gather(transpose(wide), words), 1) } });
    const feeds = { words: tensor([0, 1, 8, 3], { shape: [1, 4], dtype: 'int32' }) };
    program.run(feeds);
    expect(program.stats().instructions).toBe(1);
  });

  it('store the rows if there are few sums of many, which threads could not share', () => {
    const many = input('many', [1, 200_000], { dtype: 'int32' });
    const { fired } = simplified([sum(gather(table, many), 1)]);
    expect(fired.get('simplify: sum of gathered rows')).toBeUndefined();
  });

  it.each([
    ['something else reads the rows', [sum(rows, 1), tanh(rows)]],
    ['the indices are not adjacent', [sum(rows, 0)]],
    ['elements of a row are added', [sum(rows, 2)]],
    ['all are added to one number', [sum(rows)]],
    ['the axis is not the first', [sum(gather(transpose(table), words, 1), 2)]],
  ])('store the rows if %s', (_, nodes) => {
    const { fired } = simplified(nodes, texts);
    expect(fired.get('simplify: sum of gathered rows')).toBeUndefined();
  });

  it('are those of the reference executor, and errors name the gather', () => {
    const large = parameter('large', { shape: [50, 37], init: initializers.normal(1) });
    const feed = input('feed', ['texts', 'length'], { dtype: 'int32' });
    const bag = sum(gather(large, feed).named('words'), 1);
    const program = compile({ outputs: { bag, gradient: backward(sum(tanh(bag))).of(large) } });
    const indices = tensor([3, -1, 7, 3, 49, -50], { shape: [2, 3], dtype: 'int32' });
    const got = program.run({ feed: indices });
    const wanted = evaluate([bag, backward(sum(tanh(bag))).of(large)], { feed: indices });
    for (const [i, key] of (['bag', 'gradient'] as const).entries()) {
      const { data } = wanted[i] as Tensor;
      got[key].data.forEach((value, at) => {
        expect(value).toBeCloseTo(data[at] as number, 5);
      });
    }
    const wrong = tensor([3, -1, 7, 3, 50, 0], { shape: [2, 3], dtype: 'int32' });
    for (const run of [() => program.run({ feed: wrong }), () => evaluate(bag, { feed: wrong })]) {
      expect(run).toThrow(/\[gather 'words'\]: element 4 of the indices is 50/);
    }
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
