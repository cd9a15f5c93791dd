/** Tests losses other than the cross-entropy over classes: edge points, options and derivatives. */
import { describe, expect, it } from 'vitest';
import {
  backward,
  binaryCrossEntropyWithLogits,
  checkGradients,
  compile,
  cosineSimilarity,
  evaluate,
  huber,
  klDivergence,
  mae,
  mse,
  type Node,
  parameter,
  ShapeError,
  square,
  sum,
  tensor,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const leaf = (name: string, data: number[] | number[][]) =>
  parameter(name, tensor(data, { dtype: 'float64' }));

/** Returns the values of a loss and its gradients. Checks that a program computes the same. */
function results(loss: Node, of: readonly Node[]): number[][] {
  const gradients = backward(sum(loss));
  const nodes = { loss, ...Object.fromEntries(of.map((node, i) => [`g${i}`, gradients.of(node)])) };
  const interpreted = evaluate(nodes);
  const compiled: Readonly<Record<string, { data: ArrayLike<number> }>> = compile({
    outputs: nodes,
  }).run();
  return Object.entries(interpreted).map(([key, { data }]) => {
    const list = Array.from(data, (value) => value + 0);
    expect(Array.from(compiled[key]?.data ?? [])).toEqual(list.map((v) => expect.closeTo(v, 12)));
    return list;
  });
}

const none = { reduction: 'none' } as const;

describe('edge points', () => {
  it('huber has the gradient delta at an infinite difference', () => {
    const y = leaf('y', [Infinity, -Infinity, 2, -0.5, 0]);
    expect(results(huber(y, 0, { ...none, delta: 2 }), [y])).toEqual([
      [Infinity, Infinity, 2, 0.125, 0],
      [2, -2, 2, -0.5, 0],
    ]);
  });

  it('huber has the second derivative 1 where the difference is 0', () => {
    const y = leaf('y', [0, 0.5, 3]);
    const slope = backward(sum(huber(y, 0, none))).of(y);
    expect(results(slope, [y])).toEqual([
      [0, 0.5, 1],
      [1, 1, 0],
    ]);
  });

  it('klDivergence is 0 where p is 0, also for a logarithm of -Infinity', () => {
    const [q, p] = [leaf('q', [-1, -Infinity, -Infinity, 0]), leaf('p', [0, 0, 0.5, 1])];
    const [values, ofQ, ofP] = results(klDivergence(q, p, none), [q, p]);
    expect(values).toEqual([0, 0, Infinity, 0]);
    expect(ofQ).toEqual([0, 0, -0.5, -1]);
    expect(ofP).toEqual([1, 0, Infinity, 1]);
  });

  it('cosineSimilarity of a zero vector is 0, and its gradient is the other unit vector / epsilon', () => {
    const [a, b] = [leaf('a', [0, 0]), leaf('b', [3, 4])];
    const [value, ofA, ofB] = results(cosineSimilarity(a, b, { epsilon: 0.1 }), [a, b]);
    expect(value).toEqual([0]);
    expect(ofA).toEqual([expect.closeTo(6, 12), expect.closeTo(8, 12)]);
    expect(ofB).toEqual([0, 0]);
  });

  it('cosineSimilarity of huge vectors does not overflow', () => {
    const [a, b] = [leaf('a', [1e200, 1e200]), leaf('b', [1e200, 0])];
    expect(evaluate(cosineSimilarity(a, b)).item()).toBeCloseTo(Math.SQRT1_2, 12);
  });

  it('binaryCrossEntropyWithLogits at infinities on the right side is 0, with weights too', () => {
    const x = leaf('x', [Infinity, -Infinity, -Infinity]);
    const options = { positiveWeight: 3, weights: [2, 2, 0], ...none };
    const loss = binaryCrossEntropyWithLogits(x, tensor([1, 0, 1], { dtype: 'float64' }), options);
    const [values] = results(loss, [x]);
    expect(values).toEqual([0, 0, 0]);
  });

  it.each([mse, mae, huber, klDivergence, binaryCrossEntropyWithLogits])(
    'the mean over no elements is NaN, and the sum 0: %o',
    (loss) => {
      const nothing = leaf('nothing', []);
      expect(evaluate(loss(nothing, nothing)).item()).toBeNaN();
      expect(evaluate(loss(nothing, nothing, { reduction: 'sum' })).item()).toBe(0);
    },
  );
});

describe('first and second derivatives equal finite differences', () => {
  const t = (seed: number, low: number, high: number) => randomTensor([2, 3], seed, low, high);
  it.each<[string, (x: Node, t: Node) => Node]>([
    ['mse', (x, t) => mse(x, t)],
    ['huber', (x, t) => huber(x, t, { delta: 0.7, reduction: 'sum' })],
    ['klDivergence', (x, t) => klDivergence(x, t)],
    ['cosineSimilarity', (x, t) => sum(cosineSimilarity(x, t, { axis: 0 }))],
    [
      'binaryCrossEntropyWithLogits',
      (x, t) => binaryCrossEntropyWithLogits(x, t, { positiveWeight: [2, 3, 0.5], weights: 2 }),
    ],
  ])('%s', (_name, build) => {
    const [x, target] = [parameter('x', t(5, -2, 2)), parameter('t', t(6, 0.2, 0.9))];
    const loss = square(build(x, target));
    checkGradients(loss, [x, target]);
    checkGradients(sum(square(backward(loss).of(x))), [x, target]);
  });
});

describe('options', () => {
  const y = leaf('y', [[1, 2]]);
  it.each<[string, () => unknown, string]>([
    [
      'a weight that widens',
      () =>
        binaryCrossEntropyWithLogits(y, y, { weights: tensor([[1], [2]], { dtype: 'float64' }) }),
      'weights that broadcast to [1, 2]',
    ],
    ['an axis out of range', () => cosineSimilarity(y, y, { axis: 2 }), 'axis 2 is out of range'],
    ['scalars as vectors', () => cosineSimilarity(1, 2), 'expected vectors'],
    ['other shapes', () => mae(y, leaf('t', [1, 2])), 'expected a target of [1, 2]'],
  ])('%s is a ShapeError', (_what, run, message) => {
    const error = errorOf(run);
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toContain(message);
  });
  it('a delta of 0 and an unknown reduction are refused', () => {
    expect(() => huber(y, y, { delta: 0 })).toThrow(/^\[huber\]: delta must be a finite number/);
    expect(() => mse(y, y, { reduction: 'avg' as 'mean' })).toThrow(/^\[mse\]: reduction must be/);
  });
});
