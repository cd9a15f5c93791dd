// Tests graphs for which evaluate() and a program once gave different values, or for which only one of the two worked.
import { describe, expect, it } from 'vitest';
import {
  abs,
  add,
  addN,
  backward,
  broadcastTo,
  compile,
  concat,
  constant,
  div,
  equal,
  evaluate,
  type Feeds,
  greater,
  input,
  log,
  matmul,
  max,
  maximum,
  mul,
  type Node,
  oneHot,
  parameter,
  relu,
  reshape,
  ShapeError,
  sign,
  slice,
  softmax,
  stack,
  sum,
  Tensor,
  tanh,
  tensor,
  transpose,
} from '../../src/index.js';
import { errorOf } from '../support.js';

/** Returns the value that evaluate gives for a node, and expects a program to give the same value. */
function both(node: Node, feeds: Feeds = {}): unknown {
  const interpreted = evaluate(node, feeds);
  const program = compile({ outputs: { node } });
  const { node: compiled } = program.run(feeds);
  program.dispose();
  expect(compiled.shape).toEqual(interpreted.shape);
  expect(compiled.toArray()).toEqual(interpreted.toArray());
  return interpreted.toArray();
}

describe('tensors of up to 32 axes', () => {
  const dense = (rank: number) =>
    Array.from({ length: rank }, (_, axis) => (axis % 4 === 0 ? 2 : 1));
  const numbered = (shape: readonly number[]) =>
    new Tensor(
      Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
      shape,
    );

  it.each([9, 16, 32])('element by element, of %i axes', (rank) => {
    both(tanh(parameter('x', numbered(dense(rank)))));
  });

  it.each([9, 14])('a transpose of %i axes, of which no two can be merged', (rank) => {
    const shape = Array.from({ length: rank }, () => 2);
    const x = parameter('x', numbered(shape));
    const axes = shape.map((_, axis) => rank - 1 - axis);
    both(tanh(transpose(x, axes)));
    // The fused loops read x and its transpose together. No sequence of elements is contiguous in both.
    both(sum(mul(transpose(x, axes), x), [0, 2, 4]));
    both(max(add(transpose(x, axes), x), [1, 3, 5, 7]));
  });

  it('24 axes that cannot be merged, because every second one is broadcast', () => {
    const shape = Array.from({ length: 24 }, (_, axis) => (axis % 2 === 0 ? 2 : 1));
    const whole = shape.map((dim, axis) => (axis < 6 ? 2 : dim));
    const row = parameter('row', numbered(shape));
    both(tanh(broadcastTo(row, whole)));
    const root = sum(mul(broadcastTo(row, whole), 2));
    both(backward(root).of(row));
  });

  it('products of 32 axes, and updates of a leaf of 32', () => {
    const shape = [...Array.from({ length: 30 }, () => 1), 2, 3];
    const a = parameter('a', numbered(shape));
    both(matmul(a, a, { transposeB: true }));
    const program = compile({ outputs: {}, updates: [[a, mul(a, 2)]] });
    program.run();
    expect([...a.value.data]).toEqual([0, 2, 4, 6, 8, 10]);
  });

  it.each<[string, (x: Node) => Node]>([
    ['stack', (x) => stack([x, x], 0)],
    ['oneHot', (x) => oneHot(x, 2)],
    ['reshape', (x) => reshape(x, [...x.shape, 1])],
  ])('a 33rd axis is refused when the node is built, by %s', (_name, op) => {
    const x = input(
      'x',
      Array.from({ length: 32 }, () => 1),
      { dtype: 'int32' },
    );
    const error = errorOf(() => op(x));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toContain('at most 32 axes, but received 33');
  });
});

describe('zeros times values that are not finite', () => {
  const f64 = (values: number[][]) => tensor(values, { dtype: 'float64' });
  const zero = constant(0, { dtype: 'float64' });

  it('a product with constant zeros is NaN in the columns that are not finite', () => {
    const w = f64([
      [NaN, 1, 2],
      [1, -Infinity, 3],
    ]);
    const zeros = broadcastTo(zero, [2, 2]);
    const expected = [
      [NaN, NaN, 0],
      [NaN, NaN, 0],
    ];
    expect(both(matmul(zeros, constant(w)))).toEqual(expected);
    expect(both(matmul(zeros, parameter('w', w)))).toEqual(expected);
    expect(both(matmul(zeros, input('w', [2, 3], { dtype: 'float64' })), { w })).toEqual(expected);
    expect(both(matmul(broadcastTo(zero, [1, 2]), constant(f64([[NaN], [1]]))))).toEqual([[NaN]]);
  });

  it('and so is one with zeros on the right', () => {
    const w = parameter(
      'w',
      f64([
        [NaN, 1],
        [1, 2],
        [Infinity, 0],
      ]),
    );
    expect(both(matmul(w, broadcastTo(zero, [2, 2])))).toEqual([
      [NaN, NaN],
      [0, 0],
      [NaN, NaN],
    ]);
  });

  it('zeros that were computed give NaN, too', () => {
    const w = parameter('w', f64([[NaN, 1]]));
    expect(both(matmul(mul(zero, broadcastTo(zero, [1, 1])), w))).toEqual([[NaN, 0]]);
  });

  it('zeros concatenated to an operand do not contribute, even next to NaN, along any axis', () => {
    const x = parameter('x', f64([[1, 2]]));
    const w = parameter(
      'w',
      f64([
        [1, 2],
        [3, 4],
        [NaN, Infinity],
      ]),
    );
    const zeros = (rows: number, columns: number) => broadcastTo(zero, [rows, columns]);
    expect(both(matmul(concat([x, zeros(1, 1)], 1), w))).toEqual([[7, 10]]);
    expect(both(matmul(concat([transpose(x), zeros(1, 1)], 0), w, { transposeA: true }))).toEqual([
      [7, 10],
    ]);
    expect(both(matmul(transpose(w), concat([transpose(x), zeros(1, 1)], 0)))).toEqual([[7], [10]]);
    expect(both(matmul(transpose(w), concat([x, zeros(1, 1)], 1), { transposeB: true }))).toEqual([
      [7],
      [10],
    ]);
    // Zeros that are concatenated along M or N, not along K, give zeros in the result, even next to NaN.
    const bad = parameter('bad', f64([[NaN]]));
    expect(both(matmul(concat([bad, zeros(1, 1)], 0), bad))).toEqual([[NaN], [0]]);
    expect(both(matmul(concat([bad, zeros(1, 1)], 1), bad, { transposeA: true }))).toEqual([
      [NaN],
      [0],
    ]);
    expect(both(matmul(bad, concat([zeros(1, 1), bad], 1)))).toEqual([[0, NaN]]);
  });

  it('with names of dimensions, and in gradients', () => {
    const x = input('x', ['batch', 2], { dtype: 'float64' });
    const w = parameter(
      'w',
      f64([
        [1, 2],
        [3, 4],
        [NaN, 5],
      ]),
    );
    const joined = concat([x, broadcastTo(zero, ['batch', 1])], 1);
    const y = matmul(joined, w);
    const feeds = {
      x: [
        [1, 2],
        [3, 4],
      ],
    };
    expect(both(y, feeds)).toEqual([
      [7, 10],
      [15, 22],
    ]);
    expect(both(backward(sum(y)).of(w), feeds)).toEqual([
      [4, 4],
      [6, 6],
      [0, 0],
    ]);
    expect(both(slice(y, { axis: 0, end: 1 }), feeds)).toEqual([[7, 10]]);
  });
});

describe('subnormal numbers', () => {
  // The absolute values are below 1.18e-38, the smallest normal float32 number.
  const x = parameter('x', tensor([1e-40, -1e-40, 1e-38, -1e-38]));
  const column = reshape(x, [4, 1]);

  it('are not treated as 0 by sign, comparisons and log', () => {
    expect(both(sign(x))).toEqual([1, -1, 1, -1]);
    expect(both(greater(x, 0))).toEqual([1, 0, 1, 0]);
    expect(both(equal(x, 0))).toEqual([0, 0, 0, 0]);
    const [tiny, , small] = both(log(abs(x))) as number[];
    expect(tiny).toBeCloseTo(Math.log(1e-40), 4);
    expect(small).toBeCloseTo(Math.log(1e-38), 4);
  });

  it('are kept by ops that only choose: relu, maximum, max', () => {
    const [tiny, , small] = x.value.data as Float32Array;
    expect(both(relu(x))).toEqual([tiny, 0, small, 0]);
    expect(both(maximum(x, 0))).toEqual([tiny, 0, small, 0]);
    expect(both(max(x))).toBe(small);
    // This product was once Infinity from evaluate() and NaN from a program, which used 0 as the maximum.
    const least = max(slice(x, { axis: 0, end: 2 }));
    expect(both(mul(least, Infinity))).toBe(Infinity);
    expect(both(div(x, least))).toEqual(
      Array.from(x.value.data, (v) => Math.fround(v / (tiny as number))),
    );
  });

  it('give abs and relu the slope of their sign', () => {
    expect(both(backward(sum(abs(x))).of(x))).toEqual([1, -1, 1, -1]);
    expect(both(backward(sum(relu(x))).of(x))).toEqual([1, 0, 1, 0]);
  });

  it('are kept by operations that change no number', () => {
    for (const same of [mul(x, 1), mul(1, x), add(x, 0), sum(column, 1), addN([x, mul(0, x)])]) {
      both(sign(same));
      both(mul(same, Infinity));
    }
  });

  it('are kept as results of mul, matrix products and softmax', () => {
    const small = parameter('small', tensor([1e-30]));
    const product = matmul(reshape(small, [1, 1]), constant(tensor([[1e-10]])));
    const likely = softmax(parameter('logits', tensor([0, -95])));
    expect(both(sign(mul(small, 1e-10)))).toEqual([1]);
    expect(both(sign(product))).toEqual([[1]]);
    expect(both(sign(likely))).toEqual([1, 1]);
    expect((both(log(likely)) as number[])[1]).toBeCloseTo(-95, 2);
  });

  it('are kept in new values of leaves', () => {
    const moment = parameter('moment', tensor([2e-38]));
    const program = compile({ outputs: {}, updates: [[moment, mul(0.5, moment)]] });
    program.run();
    expect(moment.value.item()).toBeCloseTo(1e-38, 42);
    evaluate([], {}, { updates: [[moment, mul(0.5, moment)]] });
    expect(moment.value.item()).toBeCloseTo(5e-39, 42);
    expect(moment.value.item()).toBeGreaterThan(0);
  });
});
