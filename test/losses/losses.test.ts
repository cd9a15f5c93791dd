import { describe, expect, it } from 'vitest';
import {
  backward,
  binaryCrossEntropyWithLogits,
  checkGradients,
  constant,
  DTypeError,
  evaluate,
  input,
  mse,
  type Node,
  parameter,
  ShapeError,
  softmaxCrossEntropy,
  tensor,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const f64 = (data: number[] | number[][]) => tensor(data, { dtype: 'float64' });
const logits = (data: number[] | number[][]) => parameter('logits', f64(data));
const value = (node: Node) => evaluate(node).item();
const gradient = (loss: Node, leaf: Node) => evaluate(backward(loss).of(leaf)).toArray();
const labels = (...of: number[]) => tensor(Int32Array.from(of));

describe('mse', () => {
  it('is the mean of the squared difference over all elements', () => {
    const y = logits([
      [1, 2, 3],
      [4, 5, 7],
    ]);
    const loss = mse(
      y,
      f64([
        [1, 0, 0],
        [4, 5, 6],
      ]),
    );
    expect(value(loss)).toBe((4 + 9 + 1) / 6);
    expect(gradient(loss, y)).toEqual([
      [0, 4 / 6, 1],
      [0, 0, 2 / 6],
    ]);
  });
  it('does not broadcast the target: a row is refused for a column', () => {
    const error = errorOf(() => mse(input('y', [5, 1]), input('target', [5])));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toBe(
      "[mse] expected a target of [5, 1], but received [5] (operands: [input 'y'], [input 'target'])",
    );
    expect(() => mse(input('y', ['n']), input('target', ['m']))).toThrow(ShapeError);
    expect(value(mse(f64([1, 3]), 2))).toBe(1);
  });
});

describe('softmaxCrossEntropy', () => {
  it('is -log of the probability of the class, averaged over examples', () => {
    const z = logits([
      [1, 2, 3],
      [0.5, -1, 0],
    ]);
    const p = ([a, b, c]: number[], i: number) => {
      const powers = [a, b, c].map((v) => Math.exp(v as number));
      return (powers[i] as number) / powers.reduce((x, y) => x + y);
    };
    const wanted = -(Math.log(p([1, 2, 3], 2)) + Math.log(p([0.5, -1, 0], 0))) / 2;
    const loss = softmaxCrossEntropy(z, labels(2, 0));
    expect(value(loss)).toBeCloseTo(wanted, 14);
    expect(
      value(
        softmaxCrossEntropy(
          z,
          f64([
            [0, 0, 1],
            [1, 0, 0],
          ]),
        ),
      ),
    ).toBeCloseTo(wanted, 14);
    // The gradient is (softmax - one-hot) / number of examples.
    const slopes = gradient(loss, z) as number[][];
    expect(slopes[0]?.[2]).toBeCloseTo((p([1, 2, 3], 2) - 1) / 2, 14);
    expect(slopes[1]?.[1]).toBeCloseTo(p([0.5, -1, 0], 1) / 2, 14);
    checkGradients(loss, [z]);
  });

  it('averages over all leading axes', () => {
    const z = parameter('logits', randomTensor([2, 3, 4], 1));
    const target = tensor(Int32Array.of(0, 1, 2, 3, 0, 1), { shape: [2, 3] });
    const rows = parameter('rows', randomTensor([6, 4], 1));
    expect(value(softmaxCrossEntropy(z, target))).toBe(
      value(softmaxCrossEntropy(rows, labels(0, 1, 2, 3, 0, 1))),
    );
  });

  it('accepts probabilities as the target', () => {
    const z = logits([[0, Math.log(3)]]);
    expect(value(softmaxCrossEntropy(z, f64([[0.5, 0.5]])))).toBeCloseTo(
      -(Math.log(1 / 4) + Math.log(3 / 4)) / 2,
      14,
    );
  });

  it('is exact if softmax underflows, and allows masking a class with -Infinity', () => {
    expect(value(softmaxCrossEntropy(logits([[0, 1000]]), labels(0)))).toBe(1000);
    const masked = logits([[1, -Infinity, 2]]);
    const loss = softmaxCrossEntropy(masked, labels(2));
    expect(value(loss)).toBeCloseTo(Math.log(1 + Math.exp(-1)), 14);
    const [slopes] = gradient(loss, masked) as number[][];
    expect(slopes?.[1]).toBe(0);
    expect(slopes?.[0]).toBeCloseTo(1 / (1 + Math.E), 14);
  });

  it('refuses targets whose shape or dtype does not fit the logits', () => {
    const z = input('z', ['batch', 3]);
    expect(errorOf(() => softmaxCrossEntropy(z, input('t', ['batch', 4]))).message).toBe(
      "[crossEntropy] expected probabilities of [batch, 3], or labels of [batch] as int32, but received float32 [batch, 4]; to make labels int32, write cast(target, 'int32') or feed an Int32Array (operands: [input 'z'], [input 't'])",
    );
    expect(errorOf(() => softmaxCrossEntropy(z, input('t', ['batch']))).message).toContain(
      'labels of [batch] as int32, but received float32 [batch]',
    );
    expect(
      errorOf(() => softmaxCrossEntropy(z, input('t', ['batch', 3], { dtype: 'int32' }))).message,
    ).toContain('expected labels of [batch] for logits of [batch, 3], but received [batch, 3]');
    expect(
      errorOf(() =>
        softmaxCrossEntropy(input('z', ['batch', 'n']), input('t', ['batch'], { dtype: 'int32' })),
      ).message,
    ).toContain('the number of classes must be a number');
    expect(
      errorOf(() => softmaxCrossEntropy(z, input('t', ['batch', 3], { dtype: 'float64' }))),
    ).toBeInstanceOf(DTypeError);
  });
});

describe('binaryCrossEntropyWithLogits', () => {
  it('is the mean of -t log p - (1 - t) log(1 - p)', () => {
    const z = logits([0, 2, -1]);
    const t = [1, 0.25, 0];
    const wanted = [0, 2, -1].reduce((total, v, i) => {
      const p = 1 / (1 + Math.exp(-v));
      return total - (t[i] as number) * Math.log(p) - (1 - (t[i] as number)) * Math.log(1 - p);
    }, 0);
    const loss = binaryCrossEntropyWithLogits(z, f64(t));
    expect(value(loss)).toBeCloseTo(wanted / 3, 14);
    expect(gradient(loss, z)).toEqual(
      [0, 2, -1].map((v, i) => expect.closeTo((1 / (1 + Math.exp(-v)) - (t[i] as number)) / 3, 14)),
    );
  });
  it('does not overflow', () => {
    const z = logits([1000, -1000, 1000, -1000]);
    const loss = binaryCrossEntropyWithLogits(z, f64([1, 0, 0, 1]));
    expect(value(loss)).toBe(500);
    expect(gradient(loss, z)).toEqual([0, 0, 0.25, -0.25]);
  });
  it('refuses a target that would broadcast', () => {
    expect(() => binaryCrossEntropyWithLogits(input('z', [5, 1]), input('t', [5]))).toThrow(
      /^\[binaryCrossEntropyWithLogits\] expected a target of \[5, 1\], but received \[5\]/,
    );
  });
});

describe('binaryCrossEntropyWithLogits in float32', () => {
  // The formula softplus(x) - x t subtracts two large numbers. With t = 1, its error is 0.8 % at x = 10, and 15 % at
  // x = 14.
  it.each([
    [10, 1, Math.log1p(Math.exp(-10))],
    [14, 1, Math.log1p(Math.exp(-14))],
    [-14, 0, Math.log1p(Math.exp(-14))],
    [40, 1, Math.exp(-40)],
    [40, 0, 40],
  ])('is accurate at logit %d and target %d', (logit, target, expected) => {
    const loss = evaluate(binaryCrossEntropyWithLogits(constant([logit]), constant([target])));
    expect(loss.item() / expected).toBeCloseTo(1, 6);
  });
});
