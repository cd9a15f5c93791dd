// Tests the forms of outputs and feeds that evaluate accepts, and that results have memory of their own.
import { describe, expect, it } from 'vitest';
import {
  add,
  cast,
  constant,
  evaluate,
  input,
  matmul,
  mul,
  neg,
  parameter,
  reshape,
  state,
  stopGradient,
  sum,
  Tensor,
  tensor,
} from '../../src/index.js';

const x = input('x', [2]);
const w = parameter('w', [3, 4]);
const y = mul(x, w);

describe('evaluate returns the form that it was given', () => {
  const feeds = { x: [10, 100] };
  it('a node gives a tensor', () => {
    expect(evaluate(y, feeds)).toEqual(tensor([30, 400]));
  });
  it('a list gives a list in the same order, also if a node occurs twice', () => {
    expect(evaluate([y, x, y, w], feeds).map((t) => t.toArray())).toEqual([
      [30, 400],
      [10, 100],
      [30, 400],
      [3, 4],
    ]);
    expect(evaluate([])).toEqual([]);
  });
  it('a record gives a record with the same keys', () => {
    const record = { b: y, a: w, __proto__x: x, 'two words': y };
    expect(evaluate(record, feeds)).toEqual({
      b: tensor([30, 400]),
      a: tensor([3, 4]),
      __proto__x: tensor([10, 100]),
      'two words': tensor([30, 400]),
    });
    expect(evaluate({})).toEqual({});
  });
});

describe('feeds', () => {
  const sumOf = (shape: (number | string)[], dtype: 'float32' | 'float64' | 'int32' = 'float32') =>
    add(cast(input('x', shape, { dtype }), 'float64'), 0);
  it.each([
    [
      'nested numbers',
      {
        x: [
          [1, 2],
          [3, 4],
        ],
      },
    ],
    [
      'a tensor',
      {
        x: tensor([
          [1, 2],
          [3, 4],
        ]),
      },
    ],
    [
      'a tensor over a part of a larger array',
      { x: tensor(Float32Array.of(9, 1, 2, 3, 4, 9).subarray(1, 5), { shape: [2, 2] }) },
    ],
    [
      'a tensor over shared memory',
      {
        x: tensor(
          new Float32Array(new SharedArrayBuffer(16)).map((_, i) => i + 1),
          { shape: [2, 2] },
        ),
      },
    ],
  ])('%s', (_what, feeds) => {
    expect(evaluate(sumOf([2, 'n']), feeds).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });
  it('a number feeds a scalar, a typed array feeds one axis', () => {
    expect(evaluate(sumOf([], 'float64'), { x: 0.1 }).item()).toBe(0.1);
    expect(evaluate(sumOf(['n'], 'int32'), { x: Int32Array.of(1, -2) }).toArray()).toEqual([1, -2]);
    expect(evaluate(sumOf(['n'], 'float64'), { x: [0.1] }).toArray()).toEqual([0.1]);
  });
  it('that are numbers take the dtype of the input', () => {
    expect(evaluate(input('x', []), { x: 0.1 }).item()).toBe(Math.fround(0.1));
    expect(evaluate(input('x', [], { dtype: 'int32' }), { x: 7 }).data).toBeInstanceOf(Int32Array);
  });
  it('are not changed', () => {
    const data = Float32Array.of(1, 2);
    evaluate([y, neg(y), sum(y)], { x: data });
    expect([...data]).toEqual([1, 2]);
  });
  it('may be an object without a prototype; inherited properties do not count', () => {
    const bare = Object.assign(Object.create(null), { x: [1, 1] });
    expect(evaluate(y, bare).toArray()).toEqual([3, 4]);
    expect(() => evaluate(y, Object.create({ x: [1, 1] }))).toThrow(/was not fed/);
    expect(() => evaluate(input('toString', []))).toThrow(/\[input 'toString'\] was not fed/);
  });
});

describe('outputs belong to the caller', () => {
  it('and writing to them changes no leaf, feed, constant or other output', () => {
    const feed = Float32Array.of(1, 2);
    const [s, c] = [state('s', [5, 6]), constant(tensor([7, 8]))];
    const wanted = () => [x, w, s, c, stopGradient(w), reshape(x, [2, 1]), x, constant(2)];
    const outputs = evaluate(wanted(), { x: feed });
    for (const { data } of outputs) {
      expect(data.buffer).toBeInstanceOf(ArrayBuffer);
      data.fill(-1);
    }
    expect([...feed]).toEqual([1, 2]);
    expect(evaluate(wanted(), { x: feed }).map((t) => [...t.data])).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
      [3, 4],
      [1, 2],
      [1, 2],
      [2],
    ]);
  });

  it('and a node that is requested twice gives two separate tensors', () => {
    const [a, b] = evaluate([y, y], { x: [1, 1] }) as [Tensor, Tensor];
    a.data.fill(0);
    expect([...b.data]).toEqual([3, 4]);
  });

  it('and do not change if the same graph runs again', () => {
    const first = evaluate({ y }, { x: [1, 1] });
    evaluate({ y }, { x: [5, 5] });
    expect(first.y.toArray()).toEqual([3, 4]);
  });

  it('and outlive a feed whose memory is transferred afterwards', () => {
    const feed = Float32Array.of(1, 2);
    const out = evaluate(x, { x: feed });
    structuredClone(feed, { transfer: [feed.buffer] });
    expect([...out.data]).toEqual([1, 2]);
  });
});

describe('named dimensions', () => {
  it('are bound anew in every run', () => {
    const rows = input('rows', ['batch', 'n']);
    const product = matmul(rows, reshape(rows, ['n', 'batch']));
    for (const [batch, n] of [
      [1, 3],
      [4, 2],
      [1, 3],
      [0, 3],
      [3, 0],
      [5, 1],
      [6, 1],
      [7, 1],
      [1, 3],
    ] as const) {
      const data = Float32Array.from({ length: batch * n }, (_, i) => i + 1);
      const found = evaluate(product, { rows: tensor(data, { shape: [batch, n] }) });
      const wanted = Array.from({ length: batch }, (_, i) =>
        Array.from({ length: batch }, (_, j) => {
          let total = 0;
          for (let k = 0; k < n; k++)
            total += (data[i * n + k] as number) * (data[k * batch + j] as number);
          return total;
        }),
      );
      expect(found.toArray()).toEqual(wanted);
    }
    expect(Tensor.zeros([0]).size).toBe(0);
  });
});
