import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  broadcastTo,
  constant,
  DTypeError,
  evaluate,
  type ForebayError,
  GraphError,
  input,
  mul,
  type Node,
  parameter,
  ShapeError,
  slice,
  state,
  stopGradient,
  sub,
  sum,
  tensor,
  type Updates,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const pair = () => [state('a', [1, 2]), state('b', [3, 4])] as const;

describe('updates', () => {
  it('are computed from the old values of the leaves, like the outputs', () => {
    const [a, b] = pair();
    const out = evaluate(
      [a, b, add(a, b)],
      {},
      {
        updates: [
          [a, add(a, 10)],
          [b, mul(a, b)],
        ],
      },
    );
    expect(out.map((t) => t.toArray())).toEqual([
      [1, 2],
      [3, 4],
      [4, 6],
    ]);
    expect(a.value.toArray()).toEqual([11, 12]);
    expect(b.value.toArray()).toEqual([3, 8]); // computed from the old value of a
  });

  it('swap two leaves, and rotate three', () => {
    const [a, b] = pair();
    evaluate(
      [],
      {},
      {
        updates: [
          [a, b],
          [b, a],
        ],
      },
    );
    expect([a.value.toArray(), b.value.toArray()]).toEqual([
      [3, 4],
      [1, 2],
    ]);
    const c = parameter('c', [5, 6]);
    evaluate(
      [],
      {},
      {
        updates: [
          [a, stopGradient(b)],
          [b, c],
          [c, a],
        ],
      },
    );
    expect([a, b, c].map((leaf) => leaf.value.toArray())).toEqual([
      [1, 2],
      [5, 6],
      [3, 4],
    ]);
  });

  it('may assign a feed, a constant, the leaf itself, or the same value to two leaves', () => {
    const [a, b] = pair();
    const x = input('x', [2]);
    const feed = Float32Array.of(7, 8);
    evaluate(
      [],
      { x: feed },
      {
        updates: [
          [a, x],
          [b, x],
        ],
      },
    );
    feed.fill(0);
    expect([a.value.toArray(), b.value.toArray()]).toEqual([
      [7, 8],
      [7, 8],
    ]);
    evaluate(
      [],
      {},
      {
        updates: [
          [a, constant(tensor([1, 1]))],
          [b, b],
        ],
      },
    );
    expect([a.value.toArray(), b.value.toArray()]).toEqual([
      [1, 1],
      [7, 8],
    ]);
  });

  it('write into the existing memory of the leaf', () => {
    const [a] = pair();
    const held = a.value;
    evaluate([], {}, { updates: [[a, add(a, 1)]] });
    expect(held.toArray()).toEqual([2, 3]);
    expect(a.value).toBe(held);
  });

  it('carry a state from one run to the next', () => {
    const count = state('count', 0);
    for (let i = 0; i < 5; i++) evaluate(count, {}, { updates: [[count, add(count, 1)]] });
    expect(count.value.item()).toBe(5);
  });

  it('may concern leaves that no output depends on', () => {
    const [a, b] = pair();
    const out = evaluate({ b }, {}, { updates: [[a, mul(a, 2)]] });
    expect(out.b.toArray()).toEqual([3, 4]);
    expect(a.value.toArray()).toEqual([2, 4]);
  });

  it('of a shape with a named dimension are checked against the binding of the run', () => {
    const carried = state('carried', [
      [0, 0],
      [0, 0],
    ]);
    const x = input('x', ['batch', 2]);
    evaluate(
      [],
      {
        x: [
          [1, 2],
          [3, 4],
        ],
      },
      { updates: [[carried, add(x, 1)]] },
    );
    expect(carried.value.toArray()).toEqual([
      [2, 3],
      [4, 5],
    ]);
    const error = errorOf(() =>
      evaluate([], { x: [[1, 2]] }, { updates: [[carried, add(x, 1).named('next')]] }),
    );
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toBe(
      "update of [state 'carried']: expected shape [2, 2], but [add 'next'] is [1, 2]",
    );
    expect(carried.value.toArray()).toEqual([
      [2, 3],
      [4, 5],
    ]);
  });

  it('make a step of gradient descent, with gradients at the old parameters', () => {
    const [v, w] = [parameter('v', 3), parameter('w', 5)];
    const loss = mul(v, w);
    const g = backward(loss);
    const updates: Updates = [
      [v, sub(v, mul(0.5, g.of(v)))],
      [w, sub(w, mul(0.5, g.of(w)))],
    ];
    expect(evaluate(loss, {}, { updates }).item()).toBe(15);
    expect([v.value.item(), w.value.item()]).toEqual([0.5, 3.5]);
  });
});

describe('a run that fails writes no leaf', () => {
  const [a, b] = pair();
  const x = input('x', ['n']);
  const tooLong = slice(x, { axis: 0, start: 0, end: 2 });
  it.each<[string, () => unknown, new (m: string) => ForebayError, string]>([
    [
      'another shape',
      () =>
        evaluate(
          a,
          {},
          {
            updates: [
              [a, add(a, 1)],
              [b, sum(b).named('total')],
            ],
          },
        ),
      ShapeError,
      "update of [state 'b']: expected shape [2], but [sum 'total'] has []",
    ],
    [
      'another dtype',
      () =>
        evaluate(
          a,
          {},
          {
            updates: [
              [a, add(a, 1)],
              [b, constant(new Float64Array(2)).named('c')],
            ],
          },
        ),
      DTypeError,
      "update of [state 'b']: expected float32, but [constant 'c'] is float64",
    ],
    [
      'two updates of one leaf',
      () =>
        evaluate(
          a,
          {},
          {
            updates: [
              [a, b],
              [a, add(a, 1)],
            ],
          },
        ),
      GraphError,
      "[state 'a'] is updated twice in one run",
    ],
    [
      'an update of an input',
      () =>
        evaluate(
          a,
          {},
          {
            updates: [
              [b, a],
              [input('x', [2]) as never, a],
            ],
          },
        ),
      GraphError,
      "only parameters and states can be updated, but [input 'x'] is neither",
    ],
    [
      'an update of a constant',
      () =>
        evaluate(
          a,
          {},
          {
            updates: [
              [b, a],
              [constant(1) as never, a],
            ],
          },
        ),
      GraphError,
      'only parameters and states can be updated',
    ],
    [
      'an update of a node',
      () => evaluate(a, {}, { updates: [[add(a, 1).named('sum') as never, a]] }),
      GraphError,
      "only parameters and states can be updated, but [add 'sum'] is neither",
    ],
    [
      'an update with a number',
      () => evaluate(a, {}, { updates: [[a, 1 as never]] }),
      GraphError,
      "update of [state 'a']: expected a node, but received number 1",
    ],
    [
      'a missing feed',
      () =>
        evaluate(
          a,
          {},
          {
            updates: [
              [b, a],
              [a, tooLong],
            ],
          },
        ),
      ValueError,
      'was not fed',
    ],
    [
      'a slice that is out of range',
      () =>
        evaluate(
          a,
          { x: [1] },
          {
            updates: [
              [b, a],
              [a, tooLong],
            ],
          },
        ),
      ShapeError,
      '0 to 2 is not within axis 0 of [1]',
    ],
    [
      'an output too large to allocate',
      () =>
        evaluate(
          [a, broadcastTo(b, [1e8, 1e6, 2])],
          {},
          {
            updates: [
              [b, a],
              [a, b],
            ],
          },
        ),
      ValueError,
      'cannot allocate',
    ],
  ])('%s', (_what, run, error, message) => {
    expect(errorOf(run)).toBeInstanceOf(error);
    expect(errorOf(run).message).toContain(message);
    expect([a.value.toArray(), b.value.toArray()]).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('and the next run computes the right values', () => {
    const node: Node = add(a, b);
    expect(evaluate(node).toArray()).toEqual([4, 6]);
  });
});
