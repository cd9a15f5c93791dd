/** Tests functions that are composed of other ops at infinities, for all dtypes, and in both executors. */
import { describe, expect, it } from 'vitest';
import {
  all,
  any,
  backward,
  checkGradients,
  clamp,
  compile,
  cosh,
  elu,
  evaluate,
  gelu,
  hardSigmoid,
  hardSwish,
  input,
  leakyRelu,
  logSumExp,
  matmul,
  min,
  mish,
  mul,
  type Node,
  norm,
  parameter,
  prod,
  selu,
  silu,
  sinh,
  square,
  std,
  sum,
  Tensor,
  tensor,
  variance,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const leaf = (data: number[] | number[][]) => parameter('x', tensor(data, { dtype: 'float64' }));

/** Returns y, its first and its second derivative. Checks that a program computes the same. */
function derivatives(y: Node, x: Node): number[][] {
  const first = backward(sum(y)).of(x);
  const second = backward(sum(first)).of(x);
  const nodes = { y, first, second };
  const compiled = compile({ outputs: nodes }).run();
  return Object.values(evaluate(nodes)).map(({ data }, i) => {
    const list = Array.from(data, (value) => value + 0);
    const other = Object.values(compiled)[i]?.data as ArrayLike<number>;
    expect(Array.from(other)).toEqual(list.map((value) => expect.closeTo(value, 10)));
    return list;
  });
}

describe('activations', () => {
  it.each([
    ['gelu', gelu],
    ['gelu, by tanh', (x: Node) => gelu(x, { approximate: 'tanh' })],
    ['silu', silu],
    ['mish', mish],
    ['hardSwish', hardSwish],
  ])('%s is 0 at -Infinity and has derivatives there and at Infinity', (_name, op) => {
    const x = leaf([-Infinity, Infinity, -1e300, 1e300]);
    expect(derivatives(op(x), x)).toEqual([
      [0, Infinity, 0, 1e300],
      [0, 1, 0, 1],
      [0, 0, 0, 0],
    ]);
    expect(evaluate(op(leaf([NaN]))).data[0]).toBeNaN();
  });

  it.each<[string, (x: Node) => Node]>([
    ['gelu', gelu],
    ['gelu, by tanh', (x) => gelu(x, { approximate: 'tanh' })],
    ['silu', silu],
    ['mish', mish],
  ])('%s keeps two arrays for its gradient: its result and its derivative', (_name, op) => {
    const size = 256;
    const matrix = (name: string, seed: number) =>
      parameter(name, randomTensor([size, size], seed));
    const [x, up, down] = [matrix('x', 1), matrix('up', 2), matrix('down', 3)];
    const loss = sum(square(matmul(op(matmul(x, up)), down)));
    const gradients = backward(loss);
    const outputs = { up: gradients.of(up), down: gradients.of(down) };
    const program = compile({ outputs });
    program.run();
    // Besides them, there are the gradients of the results of both products. Large outputs are not in the arena.
    expect(program.stats().arenaBytes).toBeLessThan(4.5 * size * size * 8);
    program.dispose();
  });

  it('hardSigmoid has the gradient 1 / 6 between -3 and 3, and 0 at them and beyond', () => {
    const x = leaf([-Infinity, -3, -2.9, 0, 3, Infinity]);
    const [y, first] = derivatives(hardSigmoid(x), x);
    expect(y).toEqual([0, 0, expect.closeTo(0.1 / 6, 12), 0.5, 1, 1]);
    expect(first).toEqual([0, 0, 1 / 6, 1 / 6, 0, 0]);
  });

  it('elu is as accurate near 0 as elsewhere, and 0 sends the slope alpha', () => {
    const x = leaf([-1e-12, 0, -Infinity, Infinity, -800]);
    const [y, first] = derivatives(elu(x, { alpha: 2 }), x);
    expect((y?.[0] as number) / -2e-12).toBeCloseTo(1, 11);
    expect(y?.slice(1)).toEqual([0, -2, Infinity, -2]);
    expect(first).toEqual([expect.closeTo(2, 10), 2, 0, 1, 0]);
  });

  it('sinh is as accurate near 0 as elsewhere, and overflows only where e^x / 2 does', () => {
    const x = leaf([1e-12, 710.4, -710.4]);
    const [y, first] = derivatives(sinh(x), x) as [number[], number[]];
    expect((y[0] as number) / 1e-12).toBeCloseTo(1, 12);
    expect((y[1] as number) / Math.sinh(710.4)).toBeCloseTo(1, 10);
    expect((y[2] as number) / Math.sinh(-710.4)).toBeCloseTo(1, 10);
    expect((first[1] as number) / Math.cosh(710.4)).toBeCloseTo(1, 10);
    expect(evaluate(cosh(leaf([-Infinity, Infinity]))).toArray()).toEqual([Infinity, Infinity]);
  });

  it.each<[string, (x: Node) => Node]>([
    ['gelu', gelu],
    ['gelu, by tanh', (x: Node) => gelu(x, { approximate: 'tanh' })],
    ['silu', silu],
    ['mish', mish],
    ['hardSwish', hardSwish],
    ['elu', (x) => elu(x, { alpha: 0.7 })],
    ['selu', selu],
    ['leakyRelu', leakyRelu],
    ['clamp', (x) => clamp(x, { min: -1 })],
  ])('%s has first and second derivatives equal to finite differences', (_name, op) => {
    const x = parameter('x', randomTensor([2, 3], 4, -2, 2));
    checkGradients(sum(op(x)), [x]);
    const slope = backward(sum(op(x))).of(x);
    if (_name !== 'leakyRelu' && _name !== 'clamp') checkGradients(sum(slope), [x]);
  });

  it('refuse options that are not theirs', () => {
    const x = leaf([1]);
    expect(() => elu(x, { alpha: NaN })).toThrow(/^\[elu\]: alpha must be a finite number/);
    expect(() => leakyRelu(x, { slop: 1 } as object)).toThrow("did you mean 'slope'");
    expect(() => gelu(x, { approximate: 'erf' } as object)).toThrow("'none' or 'tanh'");
    expect(() => silu(tensor([1], { dtype: 'int32' }))).toThrow(/^\[silu\] is defined for float32/);
  });
});

describe('reductions', () => {
  it('min takes int32 along any axes, and its floats share the gradient among ties', () => {
    const x = tensor(
      [
        [
          [3, -2],
          [5, 7],
        ],
        [
          [-2, 9],
          [4, -2],
        ],
      ],
      { dtype: 'int32' },
    );
    expect(evaluate(min(x, [0, 2])).toArray()).toEqual([-2, -2]);
    expect(evaluate(min(x)).item()).toBe(-2);
    expect(
      compile({ outputs: { y: min(x, 1, { keepDims: true }) } })
        .run()
        .y.toArray(),
    ).toEqual([[[3, -2]], [[-2, -2]]]);
    expect(evaluate(min(Tensor.zeros([2, 0]), 1)).toArray()).toEqual([Infinity, Infinity]);
    const none = Tensor.zeros([0], { dtype: 'int32' });
    expect(() => min(none)).toThrow(/^\[min\] the minimum of no int32 elements is not defined/);
    expect(() => min(tensor([true], { dtype: 'bool' }))).toThrow(/^\[min\] is defined for/);
  });

  it('all and any take every dtype, count NaN as true, and know no elements', () => {
    const x = tensor([
      [0, NaN],
      [1, 2],
      [0, 0],
    ]);
    for (const [op, rows, none] of [
      [all, [0, 1, 0], 1],
      [any, [1, 1, 0], 0],
    ] as const) {
      expect([...evaluate(op(x, 1)).data]).toEqual(rows);
      const { y } = compile({ outputs: { y: op(x, 1) } }).run();
      expect([y.dtype, ...y.data]).toEqual(['bool', ...rows]);
      expect([...evaluate(op(tensor([1, 0, 1], { dtype: 'uint8' }))).data]).toEqual([
        op === any ? 1 : 0,
      ]);
      expect([...evaluate(op(Tensor.zeros([2, 0]), 1)).data]).toEqual([none, none]);
      expect(evaluate(op(x, [0], { keepDims: true })).shape).toEqual([1, 2]);
    }
  });

  it('variance is NaN where the correction is the number of elements or more', () => {
    const x = leaf([[1, 2]]);
    expect(evaluate(variance(x, 1, { correction: 1 })).toArray()).toEqual([0.5]);
    expect(evaluate(variance(x, 1, { correction: 2 })).data[0]).toBeNaN();
    expect(evaluate(variance(x, 1, { correction: 3 })).data[0]).toBeNaN();
  });

  it('std has the gradient 0 where the deviation is 0', () => {
    const x = leaf([
      [1, 1],
      [1, 3],
    ]);
    const slope = backward(sum(std(x, 1))).of(x);
    expect(evaluate(slope).toArray()).toEqual([
      [0, 0],
      [-0.5, 0.5],
    ]);
  });

  it('logSumExp of -Infinity alone is -Infinity with the gradient 0, up to the second derivative', () => {
    const x = leaf([
      [-Infinity, -Infinity],
      [-Infinity, 0],
    ]);
    expect(derivatives(logSumExp(x, 1), x)).toEqual([
      [-Infinity, 0],
      [0, 0, 0, 1],
      [0, 0, 0, 0],
    ]);
  });

  it('logSumExp of large float32 has a gradient that adds up to 1', () => {
    const x = parameter('x', tensor([10_000.3, 10_000.7, 9_999.9]));
    const shares = evaluate(backward(logSumExp(x)).of(x)).data as Float32Array;
    expect(Math.abs(shares.reduce((total, one) => total + one, 0) - 1)).toBeLessThan(2 ** -22);
  });

  it('logSumExp of Infinity has the gradient NaN there, and 0 for finite elements', () => {
    const x = leaf([[Infinity, 1, 1e300, -Infinity]]);
    const y = logSumExp(x, 1);
    expect(evaluate({ y, g: backward(sum(y)).of(x) })).toMatchObject({
      y: { data: new Float64Array([Infinity]) },
      g: { data: new Float64Array([NaN, 0, 0, 0]) },
    });
  });

  it('norm neither overflows nor underflows, and is 0 with the gradient 0 at a zero vector', () => {
    const rows = [
      [3e200, 4e200],
      [3e-200, 4e-200],
      [0, 0],
    ];
    const x = leaf(rows);
    const [y, first] = [norm(x, { axes: 1 }), backward(sum(norm(x, { axes: 1 }))).of(x)];
    const [large, small, zero] = evaluate(y).data as Float64Array;
    expect([(large as number) / 5e200, (small as number) / 5e-200, zero]).toEqual([
      expect.closeTo(1, 14),
      expect.closeTo(1, 14),
      0,
    ]);
    expect(Array.from(evaluate(first).data)).toEqual(
      [0.6, 0.8, 0.6, 0.8, 0, 0].map((value) => expect.closeTo(value, 14)),
    );
  });

  it('the infinite norm shares its gradient among ties, and is 0 for no elements', () => {
    const x = leaf([2, -2, 1]);
    const y = norm(x, { p: Infinity });
    expect(evaluate(y).item()).toBe(2);
    expect(evaluate(backward(y).of(x)).toArray()).toEqual([0.5, -0.5, 0]);
    expect(evaluate(norm(Tensor.zeros([0]), { p: Infinity })).item()).toBe(0);
    expect(evaluate(norm(Tensor.zeros([0]))).item()).toBe(0);
    expect(errorOf(() => norm(x, { p: NaN })).message).toContain('a number greater than 0');
  });
});

describe('prod', () => {
  it('has exact first and second derivatives at zeros, over any axes and over no elements', () => {
    const x = leaf([
      [1, 2, 4],
      [0, 3, 5],
      [0, 0, 5],
    ]);
    const [y, first] = derivatives(prod(x, 1), x);
    expect(y).toEqual([8, 0, 0]);
    expect(first).toEqual([8, 4, 2, 15, 0, 0, 0, 0, 0]);
    const slope = backward(sum(prod(x, 1))).of(x);
    checkGradients(sum(mul(slope, slope)), [x]);
    expect(
      evaluate(
        prod(
          tensor([
            [1, 2],
            [3, 4],
          ]),
          [0, 1],
          { keepDims: true },
        ),
      ).toArray(),
    ).toEqual([[24]]);
    expect(evaluate(prod(Tensor.zeros([2, 0]), 1)).toArray()).toEqual([1, 1]);
    const named = input('x', [2, 'n']);
    const program = compile({ outputs: { y: prod(named, 1) } });
    expect(
      program
        .run({
          x: [
            [2, 3],
            [4, 5],
          ],
        })
        .y.toArray(),
    ).toEqual([6, 20]);
    expect(program.run({ x: Tensor.zeros([2, 0]) }).y.toArray()).toEqual([1, 1]);
  });
});
