import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  backward,
  broadcastTo,
  constant,
  defineOp,
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

/**
 * Runs the garbage collector until the target of the reference is freed, at most 20 times. Returns true if it was
 * freed. Each try is in a new turn of the event loop, because a WeakRef keeps its target alive until the turn ends.
 */
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

  it('but different views and constants are not', () => {
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

describe('nodes of a user-defined op', () => {
  const identity = <A extends object>(name: string) =>
    defineOp<A>({
      name,
      arity: 1,
      interned: true,
      dtype: ([x]) => (x as Node).dtype,
      // The shape depends on the attributes, so that the test fails if two nodes with different attributes are merged.
      shape: ([x], attributes) => {
        const shape = attributes instanceof Map ? attributes : (attributes as { of?: unknown }).of;
        return shape instanceof Map ? [...(shape.get('shape') as number[])] : (x as Node).shape;
      },
      lowering: { kind: 'alias' },
      gradient: ({ gradient }) => [gradient],
      samples: [],
      refused: [],
    });
  const x = input('x', [2, 3]);
  const unknownTo = Symbol('unknown to JSON');

  it('with different Maps are different, each of its own shape', () => {
    const fold = identity<{ of: Map<string, number[]> }>('foldByMap');
    const [a, b] = [[6], [3, 2]].map((shape) => fold(x, { of: new Map([['shape', shape]]) }));
    expect([a?.shape, b?.shape]).toEqual([[6], [3, 2]]);
    const bare = identity<Map<string, number[]>>('foldByBareMap');
    const [c, d] = [[6], [3, 2]].map((shape) => bare(x, new Map([['shape', shape]])));
    expect([c?.shape, d?.shape]).toEqual([[6], [3, 2]]);
    expect(c?.attributes).toEqual(new Map([['shape', [6]]]));
  });

  it.each<[string, unknown, unknown]>([
    ['NaN and null', Number.NaN, null],
    ['NaN and text', Number.NaN, 'NaN'],
    ['0 and -0', 0, -0],
    ['Infinity and null', Infinity, null],
    ['a bigint and a number', 1n, 1],
    ['a bigint and text', 1n, '1n'],
    ['undefined and null', undefined, null],
    ['lists, one with a hole', [undefined], new Array(1)],
    ['an empty list and an empty object', [], {}],
    ['-0 and an object that describes it', -0, { number: '-0' }],
    ['functions', () => 1, () => 2],
    ['symbols', Symbol('a'), Symbol('a')],
    ['sets', new Set([1]), new Set([2])],
    ['dates', new Date(0), new Date(1)],
    ['typed arrays', new Float32Array(1), new Float32Array([1])],
    ['objects with a toJSON', { toJSON: () => 1, a: 1 }, { toJSON: () => 1, a: 2 }],
    ['instances of classes', new Error('a'), new Error('b')],
    ['objects that differ in a symbol', { [unknownTo]: 1 }, { [unknownTo]: 2 }],
  ])('are not merged by attributes that differ: %s', (what, a, b) => {
    const op = identity<{ value: unknown }>(`keep ${what}`);
    const [first, second] = [op(x, { value: a }), op(x, { value: b })];
    expect(first).not.toBe(second);
    expect(Object.is((second.attributes as { value: unknown }).value, b)).toBe(true);
  });

  it.each<[string, () => unknown]>([
    ['numbers', () => 3],
    ['NaN', () => Number.NaN],
    ['text', () => 'a'],
    ['bigints', () => 3n],
    ['lists of lists', () => [[1, 'batch'], [], [null, undefined, true]]],
    ['plain objects', () => ({ a: { b: [1] } })],
  ])('are merged by attributes that are equal: %s', (what, value) => {
    const op = identity<{ value: unknown }>(`share ${what}`);
    expect(op(x, { value: value() })).toBe(op(x, { value: value() }));
  });
});
