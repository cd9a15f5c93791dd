/**
 * Tests that forebay does not have faults of the seed, the Scala code of the blog post on which forebay is based. This
 * file tests nodes with several uses, and wait lists.
 */

import { describe, expect, it } from 'vitest';
import {
  addN,
  BackwardPass,
  backward,
  checkGradients,
  constant,
  div,
  evaluate,
  exp,
  LSTM,
  matmul,
  mul,
  type Node,
  parameter,
  pow,
  sgd,
  sub,
  sum,
  tanh,
  WaitList,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';
import { unrolled } from '../unrolled.js';

describe('line 1: an inner node passes on the sum of all gradients, not the last one', () => {
  it('the gradient of the unrolled 5-step LSTM is correct', () => {
    const lstm = new LSTM('lstm', { inputs: 3, units: 4, dtype: 'float64', seed: 11 });
    const xs = parameter('xs', randomTensor([5, 2, 3], 12));
    const hidden = parameter('hidden', randomTensor([2, 4], 13));
    const cell = parameter('cell', randomTensor([2, 4], 14));
    const every = unrolled(lstm, xs, { hidden, cell });
    checkGradients(every.hidden, [xs, hidden, cell, ...lstm.parameters]);
  });

  it('the gradients of all three parents of an inner node are summed', () => {
    const x = parameter('x', randomTensor([2, 3], 15));
    const inner = tanh(x);
    const root = sum(addN([mul(inner, 1.7), exp(inner), mul(inner, -0.6)]));
    const gradient = evaluate(backward(root).of(inner)).data;
    x.value.data.forEach((value, index) => {
      expect(gradient[index]).toBeCloseTo(1.7 + Math.exp(Math.tanh(value)) - 0.6, 12);
    });
  });

  it.each([[[0, 1, 2]], [[2, 0, 1]]])(
    'in a BackwardPass they may send in the order %j',
    (order) => {
      const y = parameter('y', randomTensor([], 16));
      const inner = tanh(y);
      const parents = [exp(inner), mul(inner, 1.3), sub(inner, 0.4)];
      const gradients = [0.3, -1.1, 2.7].map((value) => constant(value, { dtype: 'float64' }));
      const waits = new WaitList().register(y, inner);
      for (const parent of parents) waits.register(inner, parent);
      const pass = new BackwardPass(waits);
      for (const i of order) pass.send(inner, parents[i] as Node, gradients[i] as Node);
      expect(pass.step()).toBe(inner);
      expect(evaluate(pass.gradient(inner)).item()).toBeCloseTo(1.9, 12);
      const slope = 1 - Math.tanh(y.value.item()) ** 2;
      expect(evaluate(pass.gradient(y)).item()).toBeCloseTo(1.9 * slope, 12);
    },
  );
});

describe('line 2: gradients are kept by edge: a parent that uses a node twice sends twice', () => {
  const x = parameter('x', randomTensor([2, 3], 21, 0.5, 2));

  it('mul(x, x) is two edges', () => {
    const y = mul(x, x);
    const edges = [0, 1].map((slot) => ({ node: x, parent: y, slot }));
    expect(WaitList.of(y).edges(x)).toEqual(edges);
    expect(new WaitList().register(x, y).edges(x)).toEqual(edges);
  });

  it('mul(x, x) has gradient 2 x', () => {
    const gradient = evaluate(backward(sum(mul(x, x))).of(x)).data;
    expect(gradient).toEqual(x.value.data.map((value) => 2 * value));
  });

  it.each([
    ['sub', sub],
    ['div', div],
  ])('%s(x, x) has gradient 0', (_name, op) => {
    const gradient = evaluate(backward(sum(op(x, x))).of(x)).data;
    for (const value of gradient) expect(value).toBeCloseTo(0, 12);
  });

  it('pow(x, x) and x times its own transpose have the correct gradient', () => {
    checkGradients(pow(x, x), [x]);
    checkGradients(matmul(x, x, { transposeB: true }), [x]);
  });
});

describe('line 6: waiting is limited to parents on a path from the root', () => {
  const x = parameter('x', randomTensor([2, 3], 61));
  const shared = tanh(x).named('shared');
  const loss = sum(mul(shared, shared)).named('loss');
  const head = exp(shared).named('head');

  it('a hand-registered parent that never sends is an error that names both nodes', () => {
    const waits = WaitList.of(loss).register(shared, head);
    const error = errorOf(() => backward(loss, { waits }));
    expect(error.code).toBe('FOREBAY_GRAPH');
    expect(error.message).toContain("[tanh 'shared'] waits for [exp 'head'], which can never send");
    expect(errorOf(() => waits.check(loss)).message).toBe(error.message);
  });

  it('a BackwardPass that cannot finish throws an error, too', () => {
    const waits = WaitList.of(loss).register(shared, head).register(loss, 'error');
    const pass = new BackwardPass(waits).send(loss, 'error', constant(1, { dtype: 'float64' }));
    const error = errorOf(() => pass.run());
    expect(error.code).toBe('FOREBAY_GRAPH');
    expect(error.message).toMatch(/\[tanh 'shared'\] waits for \[exp 'head'\] \(its input 0\)/);
    expect(error.message).toMatch(/\[parameter 'x'\] waits for \[tanh 'shared'\]/);
  });

  it('a head that is only computed forward does not stall training', () => {
    const before = x.value.data.slice();
    const [, looked] = evaluate([loss, head], {}, { updates: sgd(loss, [x], { rate: 0.1 }) });
    expect(looked?.shape).toEqual([2, 3]);
    x.value.data.forEach((value, index) => {
      const y = Math.tanh(before[index] as number);
      expect(value).toBeCloseTo((before[index] as number) - 0.1 * 2 * y * (1 - y * y), 12);
    });
  });
});
