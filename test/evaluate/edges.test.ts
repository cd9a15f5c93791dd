// Tests values that are not errors: empty tensors, NaN and infinity. Also tests int32, the dtype for indices and for
// data that is only moved.
import { describe, expect, it } from 'vitest';
import {
  abs,
  add,
  argmax,
  backward,
  cast,
  concat,
  constant,
  div,
  equal,
  evaluate,
  exp,
  greater,
  input,
  log,
  matmul,
  max,
  maximum,
  mean,
  minimum,
  mul,
  type Node,
  oneHot,
  parameter,
  pow,
  relu,
  reshape,
  sigmoid,
  sign,
  slice,
  softmax,
  softplus,
  sqrt,
  stack,
  sub,
  sum,
  Tensor,
  tanh,
  tensor,
  transpose,
  where,
} from '../../src/index.js';

const of = (node: Node) => evaluate(node).toArray();
const f64 = (...values: number[]) => constant(Float64Array.from(values));
const i32 = (...values: number[]) => constant(Int32Array.from(values));

describe.each(['float32', 'float64'] as const)('an empty tensor of %s', (dtype) => {
  const none = (...shape: number[]) => constant(Tensor.zeros(shape, { dtype }));

  it('has the sum 0, the mean NaN and the maximum -Infinity', () => {
    expect(of(sum(none(0)))).toBe(0);
    expect(of(sum(none(2, 0), 1))).toEqual([0, 0]);
    expect(of(sum(none(2, 0), 0))).toEqual([]);
    expect(of(mean(none(0)))).toBeNaN();
    expect(of(mean(none(2, 0), 1))).toEqual([NaN, NaN]);
    expect(of(max(none(2, 0), 1))).toEqual([-Infinity, -Infinity]);
  });

  it('gives zeros in products over K = 0, also in a batch and with transposed operands', () => {
    expect(of(matmul(none(2, 0), none(0, 3)))).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(of(matmul(none(0, 2), none(3, 0), { transposeA: true, transposeB: true }))).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(of(matmul(none(2, 1, 0), none(2, 0, 1)))).toEqual([[[0]], [[0]]]);
    expect(evaluate(matmul(none(0, 2), none(2, 3))).shape).toEqual([0, 3]);
    expect(evaluate(matmul(none(0, 5, 2), none(2, 3))).shape).toEqual([0, 5, 3]);
    expect(evaluate(matmul(none(4, 2), none(2, 0))).shape).toEqual([4, 0]);
  });

  it('is accepted by every op that moves data, by softmax and by broadcasting', () => {
    expect(evaluate(concat([none(2, 0), none(2, 0)], 1)).shape).toEqual([2, 0]);
    expect(evaluate(stack([none(0, 3), none(0, 3)], 1)).shape).toEqual([0, 2, 3]);
    expect(evaluate(transpose(none(0, 3))).shape).toEqual([3, 0]);
    expect(evaluate(slice(none(4, 3), { axis: 0, start: 2, end: 2 })).shape).toEqual([0, 3]);
    expect(evaluate(softmax(none(2, 0))).shape).toEqual([2, 0]);
    expect(evaluate(add(none(0, 1), none(1, 3))).shape).toEqual([0, 3]);
  });

  it('has a gradient of its own shape, and does not change the gradient of other operands', () => {
    const empty = parameter('empty', Tensor.zeros([2, 0], { dtype }));
    const w = parameter('w', Tensor.full([0, 3], 1, { dtype }));
    const bias = parameter('bias', Tensor.ones([3], { dtype }));
    const gradients = backward(sum(add(matmul(empty, w), bias)));
    expect(evaluate(gradients.of(empty)).shape).toEqual([2, 0]);
    expect(evaluate(gradients.of(w)).shape).toEqual([0, 3]);
    expect(of(gradients.of(bias))).toEqual([2, 2, 2]);
  });
});

describe('NaN and infinity', () => {
  const special = f64(NaN, Infinity, -Infinity, 0, -0, 1000, -1000);
  it.each<[string, (x: Node) => Node, number[]]>([
    ['exp', exp, [NaN, Infinity, 0, 1, 1, Infinity, 0]],
    ['log', log, [NaN, Infinity, NaN, -Infinity, -Infinity, Math.log(1000), NaN]],
    ['sqrt', sqrt, [NaN, Infinity, NaN, 0, -0, Math.sqrt(1000), NaN]],
    ['tanh', tanh, [NaN, 1, -1, 0, -0, 1, -1]],
    ['sigmoid', sigmoid, [NaN, 1, 0, 0.5, 0.5, 1, 0]],
    ['softplus', softplus, [NaN, Infinity, 0, Math.LN2, Math.LN2, 1000, 0]],
    ['relu', relu, [NaN, Infinity, 0, 0, 0, 1000, 0]],
    ['abs', abs, [NaN, Infinity, Infinity, 0, 0, 1000, 1000]],
    ['sign', sign, [NaN, 1, -1, 0, 0, 1, -1]],
  ])('%s, in float64 and float32', (_name, op, wanted) => {
    const double = evaluate(op(special)).data;
    const single = evaluate(op(cast(special, 'float32'))).data;
    wanted.forEach((value, i) => {
      if (!Number.isFinite(value) || value === 0 || value === 1 || value === 1000) {
        // Adding 0 turns -0 into 0, because only tanh and sqrt guarantee the sign of a zero.
        expect((double[i] as number) + 0).toBe(value + 0);
        expect((single[i] as number) + 0).toBe(value + 0);
      } else {
        expect(Math.abs((double[i] as number) / value - 1)).toBeLessThan(5e-16);
        expect(Math.abs((single[i] as number) / value - 1)).toBeLessThan(3e-7);
      }
    });
  });

  it('tanh and sqrt keep the sign of -0', () => {
    for (const op of [tanh, sqrt]) expect(Object.is(evaluate(op(f64(-0))).item(), -0)).toBe(true);
  });

  it('give 0 in comparisons with NaN, and NaN in extrema with NaN', () => {
    expect(of(greater(f64(NaN, 1, NaN), f64(1, NaN, NaN)))).toEqual([0, 0, 0]);
    expect(of(equal(f64(NaN, 1), f64(NaN, 1)))).toEqual([0, 1]);
    expect(of(maximum(f64(NaN, 1), f64(1, NaN)))).toEqual([NaN, NaN]);
    expect(of(minimum(f64(NaN, 1), f64(1, NaN)))).toEqual([NaN, NaN]);
    expect(of(max(f64(1, NaN, 3)))).toBeNaN();
    expect(of(max(f64(-Infinity, -Infinity)))).toBe(-Infinity);
  });

  it('do not arise in the softmax of large logits', () => {
    expect(of(softmax(f64(1e4, 1e4, -1e4)))).toEqual([0.5, 0.5, 0]);
    expect(of(softmax(f64(-Infinity, 0)))).toEqual([0, 1]);
  });

  it('follow IEEE 754 in division, powers and products', () => {
    expect(of(div(f64(1, -1, 0), 0))).toEqual([Infinity, -Infinity, NaN]);
    expect(of(pow(f64(0, 0, -8, 2), f64(0, -1, 1 / 3, 1024)))).toEqual([
      1,
      Infinity,
      NaN,
      Infinity,
    ]);
    expect(of(matmul(reshape(f64(Infinity, 1), [1, 2]), reshape(f64(0, 1), [2, 1])))).toEqual([
      [NaN],
    ]);
  });
});

describe('subgradients equal those of PyTorch', () => {
  const slope = (at: number, op: (x: Node) => Node) => {
    const x = parameter('x', tensor(at, { dtype: 'float64' }));
    return evaluate(backward(op(x)).of(x)).item();
  };
  it.each<[string, number, (x: Node) => Node, number]>([
    ['relu at 0', 0, relu, 0],
    ['abs at 0', 0, abs, 0],
    ['maximum of a tie', 1, (x) => maximum(x, 1), 0.5],
    ['minimum of a tie', 1, (x) => minimum(1, x), 0.5],
    ['maximum of itself', 1, (x) => maximum(x, x), 1],
    [
      'max of three equals, one of them x',
      2,
      (x) =>
        max(
          stack(
            [x, 2, 2].map((v) => (typeof v === 'number' ? constant(v, { dtype: 'float64' }) : v)),
            0,
          ),
        ),
      1 / 3,
    ],
    ['x^0 at 0', 0, (x) => pow(x, 0), 0],
    ['x^1 at 0', 0, (x) => pow(x, 1), 1],
    ['x^2 at 0', 0, (x) => pow(x, 2), 0],
    ['2^x at -Infinity', -Infinity, (x) => pow(2, x), 0],
    ['0^x', 2, (x) => pow(0, x), 0],
    ['(-2)^3 by the base', -2, (x) => pow(x, 3), 12],
    ['tanh far out', 1e4, tanh, 0],
    ['sigmoid far out', -1e4, sigmoid, 0],
    ['softplus far out', 1e4, softplus, 1],
  ])('%s', (_what, at, op, wanted) => {
    expect(slope(at, op)).toBe(wanted);
  });
});

describe('int32', () => {
  it('is accepted by ops that move, compare and choose', () => {
    const x = input('x', [2, 3], { dtype: 'int32' });
    const feeds = {
      x: [
        [5, -1, 7],
        [2, 9, 9],
      ],
    };
    const found = evaluate(
      {
        t: transpose(x),
        top: max(x, 1),
        at: argmax(x, 1),
        more: greater(x, 4),
        same: equal(x, x),
        both: concat([x, x], 0),
        one: slice(x, { axis: 1, start: -1 }),
      },
      feeds,
    );
    const dtypes = Object.values(found).map(({ dtype }) => dtype);
    expect(dtypes).toEqual(['int32', 'int32', 'int32', 'bool', 'bool', 'int32', 'int32']);
    expect(found.t.toArray()).toEqual([
      [5, 2],
      [-1, 9],
      [7, 9],
    ]);
    expect(found.top.toArray()).toEqual([7, 9]);
    expect(found.at.toArray()).toEqual([2, 1]);
    expect(found.more.toArray()).toEqual([
      [1, 0, 1],
      [0, 1, 1],
    ]);
    expect(found.same.toArray()).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    expect(found.both.shape).toEqual([4, 3]);
    expect(found.one.toArray()).toEqual([[7], [9]]);
  });

  it('keeps numbers that float32 would round', () => {
    const large = i32(2 ** 31 - 1, -(2 ** 31), 2 ** 24 + 1);
    expect(of(reshape(transpose(reshape(large, [1, 3])), [3]))).toEqual([
      2147483647, -2147483648, 16777217,
    ]);
    expect(of(cast(large, 'float64'))).toEqual([2147483647, -2147483648, 16777217]);
  });

  it('is cast from floats by truncation; numbers out of range become the nearest int32, NaN becomes 0', () => {
    expect(of(cast(f64(1.9, -1.9, NaN), 'int32'))).toEqual([1, -1, 0]);
    expect(of(cast(f64(1e20, -1e20, Infinity, -Infinity), 'int32'))).toEqual([
      2147483647, -2147483648, 2147483647, -2147483648,
    ]);
  });

  it('gives a one-hot row of zeros for an index out of range', () => {
    expect(of(oneHot(i32(1, 3, -1), 3))).toEqual([
      [0, 1, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  it('is not what where() converts its condition to: it tests for 0 in the dtype of the condition', () => {
    expect(of(where(f64(0.5, 0, NaN, -0.1), i32(1, 1, 1, 1), i32(2, 2, 2, 2)))).toEqual([
      1, 2, 1, 1,
    ]);
    expect(of(where(f64(1e-300, 0), constant([1, 1]), 2))).toEqual([1, 2]);
    expect(of(where(i32(-7, 0), f64(1, 1), 2))).toEqual([1, 2]);
  });

  it('is not the dtype of a number: a number takes the dtype of the other operand', () => {
    expect(add(1, f64(1)).dtype).toBe('float64');
    expect(of(sub(mul(2, f64(0.1)), f64(0.2)))).toEqual([0]);
  });
});
