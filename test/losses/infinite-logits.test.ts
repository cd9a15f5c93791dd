/** Tests losses at infinite logits, which are the result of masks and of saturated models. */
import { describe, expect, it } from 'vitest';
import {
  backward,
  binaryCrossEntropyWithLogits,
  compile,
  evaluate,
  type Node,
  parameter,
  softmaxCrossEntropy,
  sum,
  tensor,
} from '../../src/index.js';

const leaf = (name: string, data: number[] | number[][]) =>
  parameter(name, tensor(data, { dtype: 'float64' }));

/** Returns the values of nodes. Checks that `evaluate` and a compiled program give the same values. */
function values(nodes: Readonly<Record<string, Node>>): Record<string, unknown> {
  const listed = (tensors: Record<string, { toArray(): unknown }>) =>
    Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, value.toArray()]));
  const interpreted = listed(evaluate(nodes));
  const compiled = listed(compile({ outputs: nodes }).run());
  expect(plain(compiled)).toEqual(plain(interpreted));
  return plain(interpreted) as Record<string, unknown>;
}

/** Returns a copy of the value in which all numbers are rounded to 12 decimals, and -0 is replaced by 0. */
function plain(value: unknown): unknown {
  if (typeof value === 'number') return Number(value.toFixed(12)) + 0;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, plain(v)]));
}

describe('softmaxCrossEntropy with probabilities at a masked logit', () => {
  it('a class of probability 0 adds nothing to the loss or to the gradients', () => {
    const logits = leaf('logits', [[-Infinity, 0, 1]]);
    const target = leaf('target', [[0, 0.5, 0.5]]);
    const loss = softmaxCrossEntropy(logits, target);
    const slope = backward(loss).of(logits);
    const p = Math.E / (1 + Math.E);
    expect(
      values({
        loss,
        slope,
        second: backward(sum(slope)).of(logits),
        ofTarget: backward(loss).of(target),
      }),
    ).toEqual(
      plain({
        loss: Math.log(1 + Math.E) - 0.5,
        slope: [[0, 0.5 - p, p - 0.5]],
        second: [[0, 0, 0]],
        ofTarget: [[0, Math.log(1 + Math.E), Math.log(1 + Math.E) - 1]],
      }),
    );
    expect(evaluate(loss).item()).toBeCloseTo(0.8132617, 7);
  });

  it('a masked class with a positive target probability makes the loss infinite', () => {
    const logits = leaf('logits', [[-Infinity, 0, 1]]);
    expect(evaluate(softmaxCrossEntropy(logits, leaf('t', [[0.5, 0.5, 0]]))).item()).toBe(Infinity);
  });

  it('the gradient with respect to a target probability of 0 is minus the finite log-probability', () => {
    const target = leaf('target', [[0, 1]]);
    const loss = softmaxCrossEntropy(leaf('logits', [[0, 0]]), target);
    expect(values({ slope: backward(loss).of(target) }).slope).toEqual(
      plain([[Math.LN2, Math.LN2]]),
    );
  });

  it('a NaN logit makes the loss NaN', () => {
    const loss = softmaxCrossEntropy(leaf('logits', [[NaN, 0]]), leaf('target', [[0, 1]]));
    expect(values({ loss }).loss).toBeNaN();
  });
});

describe('binaryCrossEntropyWithLogits at infinite logits', () => {
  it.each([
    ['right', [Infinity, -Infinity], [1, 0], 0, [0, 0]],
    ['wrong', [Infinity, -Infinity], [0, 1], Infinity, [0.5, -0.5]],
    ['undecided', [Infinity, -Infinity], [0.5, 0.5], Infinity, [0.25, -0.25]],
  ])(
    'gives the right loss and gradients if the logits are %s',
    (_side, at, wanted, expected, slopes) => {
      const logits = leaf('logits', at);
      const loss = binaryCrossEntropyWithLogits(logits, leaf('target', wanted));
      const slope = backward(loss).of(logits);
      const second = backward(sum(slope)).of(logits);
      expect(values({ loss, slope, second })).toEqual({
        loss: expected,
        slope: slopes,
        second: [0, 0],
      });
    },
  );

  it('has the gradient minus the finite logit with respect to a target of 0 or 1', () => {
    const target = leaf('target', [0, 1]);
    const loss = sum(binaryCrossEntropyWithLogits(leaf('logits', [2, -3]), target));
    expect(values({ slope: backward(loss).of(target) }).slope).toEqual([-1, 1.5]);
  });

  it('a NaN logit makes the loss NaN', () => {
    const loss = binaryCrossEntropyWithLogits(leaf('logits', [NaN]), leaf('target', [0]));
    expect(values({ loss }).loss).toBeNaN();
  });
});
