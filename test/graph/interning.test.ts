import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  backward,
  broadcastTo,
  constant,
  evaluate,
  input,
  mul,
  type Node,
  parameter,
  reshape,
  slice,
  square,
  sum,
  tensor,
  transpose,
} from '../../src/index.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects garbage until the reference is dead, for a limited number of turns. A weak target lives to the end of a turn. */
async function collected(reference: WeakRef<object>): Promise<boolean> {
  for (let round = 0; round < 20; round++) {
    await new Promise((done) => setTimeout(done, 0));
    gc();
    if (reference.deref() === undefined) return true;
  }
  return false;
}

describe('equal views and equal constants are one node', () => {
  const x = input('x', ['batch', 4]);
  it.each<[string, () => Node]>([
    ['reshape', () => reshape(x, [-1, 2])],
    ['slice', () => slice(x, { axis: 1, start: 1, end: 3 })],
    ['transpose', () => transpose(x)],
    ['broadcastTo', () => broadcastTo(x, [3, 'batch', 4])],
    ['constant', () => constant(0.5)],
    ['float64 constant', () => constant(0.5, { dtype: 'float64' })],
  ])('%s', (_name, build) => {
    expect(build()).toBe(build());
  });

  it('and different ones are not', () => {
    expect(slice(x, { axis: 1, start: 1 })).not.toBe(slice(x, { axis: 1, start: 2 }));
    expect(reshape(x, [-1, 2])).not.toBe(reshape(input('x', ['batch', 4]), [-1, 2]));
    expect(constant(0)).not.toBe(constant(-0));
    expect(1 / evaluate(constant(-0)).item()).toBe(-Infinity);
    expect(constant(1)).not.toBe(constant(1, { dtype: 'float64' }));
    expect(constant(1)).not.toBe(constant(1, { dtype: 'int32' }));
    expect(constant(NaN)).toBe(constant(NaN));
    expect(constant(tensor([1]))).not.toBe(constant(tensor([1])));
    expect(mul(x, x)).not.toBe(mul(x, x));
  });

  it('a view that changes nothing is the node itself', () => {
    expect(reshape(x, ['batch', 4])).toBe(x);
    expect(slice(x, { axis: 0 })).toBe(x);
    expect(transpose(x, [0, 1])).toBe(x);
    expect(broadcastTo(x, ['batch', 4])).toBe(x);
  });

  it('a shared view has an edge for each use', () => {
    const w = parameter('w', tensor([1, 2, 3, 4], { dtype: 'float64' }));
    const view = () => reshape(w, [2, 2]);
    const loss = sum(mul(view(), square(view())));
    expect(view()).toBe(view());
    expect(evaluate(backward(loss).of(w)).toArray()).toEqual([3, 12, 27, 48]); // 3 w^2
  });
});

describe('interning is weak', () => {
  it('a parameter does not keep the graphs alive that use it', async () => {
    const w = parameter('w', [1, 2, 3, 4]);
    const graph = () => {
      const view = reshape(w, [2, 2]);
      const loss = sum(square(view));
      return { view: new WeakRef(view), gradient: new WeakRef(backward(loss).of(w)) };
    };
    const { view, gradient } = graph();
    expect(await collected(view)).toBe(true);
    expect(await collected(gradient)).toBe(true);
    expect(evaluate(w).toArray()).toEqual([1, 2, 3, 4]);
  });

  it('a constant is not kept alive for its next use', async () => {
    const reference = (() => new WeakRef(constant(123.456)))();
    expect(await collected(reference)).toBe(true);
    expect(evaluate(constant(123.456, { dtype: 'float64' })).item()).toBe(123.456);
  });

  it('a view that is still referenced stays interned', async () => {
    const w = parameter('w', [1, 2]);
    const view = reshape(w, [2, 1]);
    await collected(new WeakRef({}));
    expect(reshape(w, [2, 1])).toBe(view);
  });
});
