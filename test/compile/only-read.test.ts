// Tests the steps of the pass "simplify" that need all uses of a value: parts of values, and sums of gathered rows.
import { describe, expect, it } from 'vitest';
import {
  addN,
  backward,
  broadcastTo,
  compile,
  conv1d,
  conv2d,
  evaluate,
  gather,
  initializers,
  input,
  mul,
  type Node,
  neg,
  parameter,
  reshape,
  slice,
  sum,
  type Tensor,
  tanh,
  tensor,
  transpose,
} from '../../src/index.js';
import { simplified, text, weight } from './support.js';

const x = input('x', ['batch', 3]);
const y = input('y', ['batch', 2]);
const batch = { batch: 6 };

describe('a value of which a part is read', () => {
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
