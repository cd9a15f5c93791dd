import { describe, expect, it } from 'vitest';
import {
  add,
  addN,
  argmax,
  backward,
  cast,
  checkGradients,
  concat,
  constant,
  DTypeError,
  evaluate,
  exp,
  type ForebayError,
  GraphError,
  greater,
  input,
  mean,
  mul,
  type Node,
  oneHot,
  parameter,
  reshape,
  ShapeError,
  slice,
  square,
  stack,
  stopGradient,
  sub,
  sum,
  tanh,
  where,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const values = (node: Node) => evaluate(node).data;
const w = parameter('w', randomTensor([2, 3], 1));
const v = parameter('v', randomTensor([2, 3], 2));
const f64 = (value: number) => constant(value, { dtype: 'float64' });

describe('several roots', () => {
  it('add their gradients, each starting from its own', () => {
    const [a, b] = [square(w), mul(w, v)];
    const [ga, gb] = [randomTensor([2, 3], 3), randomTensor([2, 3], 4)];
    const gradients = backward([
      [a, constant(ga)],
      [b, constant(gb)],
    ]);
    const wanted = w.value.data.map(
      (x, i) =>
        (ga.data[i] as number) * 2 * x + (gb.data[i] as number) * (v.value.data[i] as number),
    );
    values(gradients.of(w)).forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] as number, 14);
    });
    expect(values(gradients.of(v))).toEqual(w.value.data.map((x, i) => x * (gb.data[i] as number)));
  });

  it('may be below one another: the lower root sums its own gradient and that from above', () => {
    const lower = square(parameter('p', randomTensor([], 5)));
    const [leaf] = lower.inputs as [Node];
    const upper = exp(lower);
    const x = evaluate(leaf).item();
    for (const pairs of [
      [
        [upper, f64(1)],
        [lower, f64(10)],
      ],
      [
        [lower, f64(10)],
        [upper, f64(1)],
      ],
    ] as [Node, Node][][]) {
      const gradients = backward(pairs);
      expect(evaluate(gradients.of(lower)).item()).toBeCloseTo(Math.exp(x * x) + 10, 14);
      expect(evaluate(gradients.of(leaf)).item()).toBeCloseTo(2 * x * (Math.exp(x * x) + 10), 13);
    }
  });

  it('may repeat a root, which starts from the sum of its gradients', () => {
    const root = square(w);
    const [g, h] = [constant(randomTensor([2, 3], 3)), constant(randomTensor([2, 3], 4))];
    const twice = backward([
      [root, g],
      [root, h],
    ]);
    expect(values(twice.of(w))).toEqual(values(backward(root, { gradient: add(g, h) }).of(w)));
  });

  it('may be more than ten: each has its own source', () => {
    const leaf = parameter('p', randomTensor([], 5));
    const roots = Array.from({ length: 11 }, (_, i) => [mul(leaf, 10 ** i), f64(1)] as const);
    expect(evaluate(backward(roots).of(leaf)).item()).toBe(11111111111);
  });
});

describe('a root', () => {
  it('may be a leaf, whose gradient is the starting gradient', () => {
    const leaf = parameter('p', 3);
    expect(evaluate(backward(leaf).of(leaf)).item()).toBe(1);
    const start = randomTensor([2, 3], 9);
    expect(evaluate(backward(w, { gradient: constant(start) }).of(w))).toEqual(start);
  });

  it('of one element but not a scalar starts from ones of its shape', () => {
    const root = sum(square(w), [0, 1], { keepDims: true });
    expect(backward(root).of(root).shape).toEqual([1, 1]);
    expect(values(backward(root).of(w))).toEqual(w.value.data.map((x) => 2 * x));
  });

  it('of several elements starts from the given gradient', () => {
    const start = randomTensor([2, 3], 9);
    const gradient = backward(square(w), { gradient: constant(start) }).of(w);
    expect(values(gradient)).toEqual(
      w.value.data.map((x, i) => (start.data[i] as number) * (2 * x)),
    );
  });

  const integer = input('i', [], { dtype: 'int32' });
  it.each<[string, () => unknown, new (m: string) => ForebayError, string]>([
    [
      'of several elements without a gradient',
      () => backward(square(w).named('errors')),
      ShapeError,
      "backward: expected a root of one element, but [square 'errors'] has shape [2, 3]; reduce it with sum() or mean(), or pass the option gradient",
    ],
    [
      'with a named dimension',
      () => backward(input('x', ['n'])),
      ShapeError,
      "[input 'x'] has shape [n]",
    ],
    ['of no elements', () => backward(input('x', [0])), ShapeError, 'has shape [0]'],
    [
      'that is an integer',
      () => backward(integer),
      DTypeError,
      "backward: [input 'i'] is int32; only float32 and float64 have gradients",
    ],
    [
      'that is an integer, though a gradient is given',
      () => backward(integer, { gradient: constant(1, { dtype: 'int32' }) }),
      DTypeError,
      'is int32',
    ],
    [
      'of several that is an integer',
      () => backward([[integer, constant(1, { dtype: 'int32' })]]),
      DTypeError,
      'is int32',
    ],
    [
      'with a gradient of another shape',
      () => backward(square(w), { gradient: f64(1) }),
      ShapeError,
      'must have shape [2, 3], but has []',
    ],
    [
      'with a gradient of another dtype',
      () => backward(sum(w), { gradient: constant(1) }),
      DTypeError,
      'must be float64, but is float32',
    ],
    [
      'with a number as its gradient',
      () => backward(sum(w), { gradient: 1 as never }),
      GraphError,
      'must be a node',
    ],
    [
      'that is missing',
      () => backward(undefined as never),
      GraphError,
      'backward: expected a root',
    ],
    [
      'that is a tensor',
      () => backward([[randomTensor([], 1) as never, f64(1)]]),
      GraphError,
      'expected a node as root',
    ],
    [
      'that is missing in an empty list',
      () => backward([]),
      GraphError,
      'backward: expected a root',
    ],
  ])('%s is refused', (_what, run, error, message) => {
    expect(errorOf(run)).toBeInstanceOf(error);
    expect(errorOf(run).message).toContain(message);
  });
});

describe('of()', () => {
  it('refuses a node that the root does not depend on, by name', () => {
    const gradients = backward(sum(w));
    const error = errorOf(() => gradients.of(v));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toBe(
      "the root does not depend on [parameter 'v'], so there is no gradient for it",
    );
    expect(() => gradients.of(tanh(w))).toThrow(GraphError);
    expect(() => gradients.of(undefined as never)).toThrow(GraphError);
  });

  it('returns gradients of inner nodes, inputs and constants too', () => {
    const half = f64(0.5);
    const inner = mul(w, half);
    const gradients = backward(sum(square(inner)));
    expect(values(gradients.of(inner))).toEqual(w.value.data.map((x) => 2 * (x * 0.5)));
    const expected = [...w.value.data].reduce((total, x) => total + 2 * (x * 0.5) * x, 0);
    expect(evaluate(gradients.of(half)).item()).toBeCloseTo(expected, 14);
  });

  it('returns the same node at every call', () => {
    const gradients = backward(sum(mul(w, w)));
    expect(gradients.of(w)).toBe(gradients.of(w));
  });
});

describe('a stopped path', () => {
  it('gives zeros of the node’s shape and dtype, and reaches() returns false', () => {
    const gradients = backward(sum(mul(stopGradient(w), v)));
    expect(evaluate(gradients.of(w))).toEqual(randomTensor([2, 3], 1, 0, 0));
    expect(gradients.reaches(w)).toBe(false);
    expect(values(gradients.of(v))).toEqual(w.value.data);
    expect(gradients.reaches(v)).toBe(true);
  });

  it('does not affect the other paths', () => {
    const gradients = backward(sum(mul(stopGradient(w), w)));
    expect(values(gradients.of(w))).toEqual(w.value.data);
  });

  it('may contain indices and comparisons, which send no gradient', () => {
    const classes = oneHot(argmax(w, 1), 3, { dtype: 'float64' });
    const chosen = where(greater(w, 0), v, 0);
    const gradients = backward(add(sum(classes), sum(chosen)));
    expect(gradients.reaches(w)).toBe(false);
    expect(values(gradients.of(w))).toEqual(new Float64Array(6));
    expect(values(gradients.of(v))).toEqual(w.value.data.map((x) => (x > 0 ? 1 : 0)));
  });

  it('may start at an integer leaf, whose gradient reads as zeros', () => {
    const index = parameter('index', new Int32Array(2));
    const gradients = backward(sum(mul(oneHot(index, 3, { dtype: 'float64' }), w)));
    expect(gradients.reaches(index)).toBe(false);
    expect(values(gradients.of(index))).toEqual(new Int32Array(2));
    expect([...values(gradients.of(w))]).toEqual([1, 0, 0, 1, 0, 0]);
  });
});

describe('sums', () => {
  // The sums of these gradients depend on the order: in float64, (1e16 + 1) - 1e16 is 0, but (1e16 - 1e16) + 1 is 1.
  it('are computed in the order of edges, for any graph above', () => {
    const leaf = parameter('p', randomTensor([], 5));
    const [big, one, minus] = [mul(leaf, 1e16), mul(leaf, 1), mul(leaf, -1e16)];
    for (const root of [
      add(add(big, one), minus),
      add(add(minus, one), big),
      addN([one, minus, big]),
      sum(stack([minus, big, one], 0)),
    ]) {
      expect(evaluate(backward(root).of(leaf)).item()).toBe(0);
    }
    const [minus2, big2, one2] = [mul(leaf, -1e16), mul(leaf, 1e16), mul(leaf, 1)];
    expect(evaluate(backward(addN([one2, big2, minus2])).of(leaf)).item()).toBe(1);
  });

  it('of gradients for windows and for the whole node are one node', () => {
    const parts = [0, 1].map((start) => slice(w, { axis: 1, start, end: start + 2 }));
    const gradient = backward(add(sum(square(concat(parts, 1))), sum(w))).of(w);
    expect(gradient.op.name).toBe('assemble');
    expect(gradient.inputs).toHaveLength(3);
    const wanted = w.value.data.map((x, i) => (i % 3 === 1 ? 4 : 2) * x + 1);
    values(gradient).forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] as number, 14);
    });
  });
});

describe('named dimensions', () => {
  const x = input('x', ['batch', 3], { dtype: 'float64' });
  it('gradients are correct for every size', () => {
    const loss = mean(square(sub(mul(x, slice(w, { axis: 0, end: 1 })), 1)));
    const gradient = backward(loss).of(w);
    for (const batch of [1, 4]) {
      const feed = randomTensor([batch, 3], batch);
      const found = evaluate({ gradient, loss }, { x: feed }).gradient;
      const wanted = new Float64Array(6);
      feed.data.forEach((value, i) => {
        const column = i % 3;
        wanted[column] =
          (wanted[column] as number) +
          (2 * (value * (w.value.data[column] as number) - 1) * value) / (3 * batch);
      });
      found.data.forEach((value, i) => {
        expect(value).toBeCloseTo(wanted[i] as number, 13);
      });
    }
  });

  it('checkGradients accepts feeds that only the root reads', () => {
    // The gradient of a bias reads no input, so only the root reads the feed of x, which binds 'batch'.
    const bias = parameter('bias', randomTensor([3], 4));
    checkGradients(add(x, bias), [bias], { feeds: { x: randomTensor([4, 3], 1) } });
  });

  it('a window that starts at a named dimension is assembled at its position', () => {
    const long = parameter('long', randomTensor([5], 1));
    const n = input('n', ['n'], { dtype: 'float64' });
    const tail = slice(long, { axis: 0, start: 'n' });
    const gradient = backward(add(sum(square(tail)), sum(n))).of(long);
    const { found } = evaluate({ found: gradient, n }, { n: [0, 0, 0] });
    expect(found.data).toEqual(long.value.data.map((value, i) => (i < 3 ? 0 : 2 * value)));
  });

  it('reshape and cast keep them in the gradient', () => {
    const single = cast(reshape(mul(x, x), [-1]), 'float32');
    const gradient = backward(sum(single)).of(x);
    expect([gradient.dtype, gradient.shape]).toEqual(['float64', ['batch', 3]]);
    expect(evaluate(gradient, { x: [[1, 2, 3]] }).toArray()).toEqual([[2, 4, 6]]);
  });
});
