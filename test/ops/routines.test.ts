// Tests the ops that routines compute: indexing, sorting, running sums and pooling. Their values and gradients are also
// compared with PyTorch, in test/golden, and with finite differences, by the samples of their declarations.
import { describe, expect, it } from 'vitest';
import {
  argsort,
  avgPool2d,
  backward,
  checkGradients,
  compile,
  cumprod,
  cumsum,
  defineOp,
  evaluate,
  ForebayError,
  gather,
  getThreads,
  input,
  maxPool1d,
  maxPool2d,
  mul,
  type Node,
  notDifferentiable,
  parameter,
  randomNormal,
  ShapeError,
  scatterAdd,
  setThreads,
  sgd,
  sort,
  square,
  sum,
  Tensor,
  takeAlongAxis,
  tensor,
  topK,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const int = (values: number[] | number[][]) => tensor(values, { dtype: 'int32' });
const exact = (shape: number[], seed: number) =>
  parameter('x', evaluate(randomNormal(shape, { seed, dtype: 'float64' })));

/** Returns the results of a node by both executors, as lists of numbers. */
function both(node: Node): number[][] {
  const compiled = compile({ outputs: { node } }).run().node;
  return [evaluate(node), compiled].map(({ data }) => [...data]);
}

describe('an index that is out of range', () => {
  const x = parameter('x', [
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const at = input('at', ['n'], { dtype: 'int32' });
  const loss = sum(square(gather(x, at)));
  const wrong = { at: int([0, 2, 3, -4]) };
  const message =
    /gather .*element 2 of the indices is 3, but the valid indices of axis 0 are from -3 to 2/;

  it('is a ValueError of evaluate that names the node, the index, the axis and the bound', () => {
    const error = errorOf(() => evaluate(loss, wrong));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(message);
  });

  it('is a ValueError of a program, which writes nothing', async () => {
    const program = compile({ outputs: { loss }, updates: sgd(loss, [x], { rate: 1 }) });
    const before = [...x.value.data];
    const error = errorOf(() => program.run(wrong));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(message);
    await expect(program.runAsync(wrong)).rejects.toThrow(message);
    expect([...x.value.data]).toEqual(before);
    expect(program.runs).toBe(0);
    program.run({ at: int([0, 2, -3]) });
    expect([...x.value.data]).not.toEqual(before);
  });

  it('is refused by scatterAdd along an axis without elements, too', () => {
    const node = scatterAdd(Tensor.zeros([0, 2]), int([1]), tensor([[1, 2]]));
    for (const run of [() => evaluate(node), () => compile({ outputs: { node } })]) {
      const error = errorOf(run);
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toMatch(/scatterAdd .*axis 0 of x has no elements/);
    }
  });

  it('may be a number', () => {
    expect(evaluate(gather(tensor([1, 2, 3]), -1)).item()).toBe(3);
  });

  it('is refused along an axis without elements, too', () => {
    const empty = parameter('empty', Tensor.zeros([0, 2]));
    const node = gather(empty, int([0]));
    for (const run of [() => evaluate(node), () => compile({ outputs: { node } })]) {
      const error = errorOf(run);
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toMatch(
        /gather .*axis 0 of x has no elements, so that no index is valid/,
      );
    }
  });
});

describe('the gradients of composed ops', () => {
  it.each<[string, (x: Node) => Node, number[]]>([
    ['maxPool2d', (x) => maxPool2d(x, { size: 2, padding: 1 }), [1, 2, 4, 5]],
    ['maxPool1d', (x) => maxPool1d(x, { size: 3, stride: 2 }), [2, 2, 7]],
    ['avgPool2d', (x) => avgPool2d(x, { size: [2, 3], stride: 1 }), [1, 2, 4, 5]],
    ['sort', (x) => sort(x, 0, { descending: true }), [4, 3]],
    ['topK', (x) => topK(x, 2, 0).values, [4, 3]],
    ['cumsum', (x) => cumsum(x, 1), [3, 4]],
    ['cumprod', (x) => cumprod(x, 1), [3, 4]],
  ])('%s has first and second derivatives', (_name, op, shape) => {
    const x = exact(shape, 7);
    const loss = sum(square(square(op(x))));
    checkGradients(loss, [x]);
    checkGradients(sum(square(backward(loss).of(x))), [x]);
  });

  it('of cumprod are correct at zeros, up to the third derivative', () => {
    const x = parameter(
      'x',
      tensor(
        [
          [2, 0, -3, 0, 1.5],
          [0, 0, 2, 1, -1],
        ],
        { dtype: 'float64' },
      ),
    );
    const first = backward(sum(cumprod(x, 1))).of(x);
    // d/dx[0] of x0 + x0 x1 + … is 1 + x1 + x1 x2 + …
    // Adding 0 makes -0 to 0.
    expect([...evaluate(first).data].map((value) => value + 0)).toEqual([
      ...[1, 2 * (1 - 3), 0, 0, 0],
      ...[1, 0, 0, 0, 0],
    ]);
    const second = backward(sum(square(first))).of(x);
    const third = backward(sum(square(second))).of(x);
    for (const node of [first, second, third]) {
      checkGradients(sum(square(node)), [x]);
      const [interpreted, compiled] = both(node) as [number[], number[]];
      compiled.forEach((value, i) => {
        expect(value).toBeCloseTo(interpreted[i] as number, 10);
      });
    }
  });

  it('of cumprod exist along a named axis, which may have no elements', () => {
    const x = input('x', [2, 'n'], { dtype: 'float64' });
    const gradient = backward(sum(cumprod(x, 1))).of(x);
    expect(evaluate(gradient, { x: Tensor.zeros([2, 0], { dtype: 'float64' }) }).shape).toEqual([
      2, 0,
    ]);
    const fed = {
      x: tensor(
        [
          [2, 3],
          [5, 7],
        ],
        { dtype: 'float64' },
      ),
    };
    const wanted = [
      [4, 2],
      [8, 5],
    ];
    expect(evaluate(gradient, fed).toArray()).toEqual(wanted);
    expect(compile({ outputs: { gradient } }).run(fed).gradient.toArray()).toEqual(wanted);
  });

  it('of gather with repeated indices is the sum over their uses', () => {
    const x = exact([3, 2], 3);
    const weights = tensor([[1], [10], [100]], { dtype: 'float64' });
    const loss = sum(mul(gather(x, int([1, 1, -2])), weights));
    expect(evaluate(backward(loss).of(x)).toArray()).toEqual([
      [0, 0],
      [111, 111],
      [0, 0],
    ]);
  });
});

describe('values', () => {
  it('of a stable sort keep the order of equal elements, and NaN is last', () => {
    const x = tensor([2, Number.NaN, 1, 2, 1, Number.NaN]);
    expect(both(argsort(x))).toEqual([
      [2, 4, 0, 3, 1, 5],
      [2, 4, 0, 3, 1, 5],
    ]);
    expect(both(argsort(x, 0, { descending: true }))[1]).toEqual([1, 5, 0, 3, 2, 4]);
    expect(both(topK(x, 3).indices)[1]).toEqual([1, 5, 0]);
  });

  it('of scatterAdd do not depend on the number of threads', () => {
    const threads = getThreads();
    const rows = evaluate(randomNormal([5000, 64], { seed: 1 }));
    const at = int(Array.from({ length: 5000 }, (_, i) => (i * i) % 97));
    const added = scatterAdd(tensor(new Float32Array(97 * 64), { shape: [97, 64] }), at, rows);
    try {
      const results = [1, 2, 4].map((count) => {
        setThreads(count);
        return [...(compile({ outputs: { added } }).run().added.data as Float32Array)];
      });
      expect(results[1]).toEqual(results[0]);
      expect(results[2]).toEqual(results[0]);
    } finally {
      setThreads(threads);
    }
  });

  it('of operands that are views are those of their elements', () => {
    const x = exact([4, 3], 5);
    const columns = takeAlongAxis(x, int([[0, 0, 1]]), 0);
    const [interpreted, compiled] = both(gather(columns, int([2, 0]), 1));
    expect(compiled).toEqual(interpreted);
  });
});

describe('the lowering of a user', () => {
  let counter = 0;
  /** Returns what both executors throw for an op of one input of shape [4], whose lowering returns `shapes`. */
  const errors = (shapes: unknown, routine = 'cumsum') => {
    const op = defineOp({
      name: `users routine ${counter++}`,
      arity: 1,
      dtype: ([x]) => (x as Node).dtype,
      shape: () => [4],
      lowering: { kind: 'routine', routine, call: () => shapes as never },
      gradient: notDifferentiable('it is a test'),
      samples: [],
      refused: [],
    });
    const node = op(tensor([1, 2, 3, 4]));
    return [errorOf(() => evaluate(node)), errorOf(() => compile({ outputs: { node } }))];
  };
  const around = [1, 4, 1];

  it.each<[string, unknown, RegExp]>([
    ['writes fewer elements', { reads: [around], write: [1, 2, 1], integers: [0] }, /cannot write/],
    ['reads fewer elements', { reads: [[1, 2, 1]], write: around, integers: [0] }, /cannot read/],
    ['reads no operand', { reads: [], write: around, integers: [0] }, /reads 1 operands/],
    ['lacks an integer', { reads: [around], write: around, integers: [] }, /takes 1 integers/],
    [
      'has a size that is not whole',
      { reads: [around], write: [0.5, 8, 1], integers: [0] },
      /cannot write/,
    ],
    ['returns nothing', undefined, /expected a list of shapes/],
  ])('that %s is refused by both executors', (_title, shapes, message) => {
    for (const error of errors(shapes)) {
      expect(error).toBeInstanceOf(ForebayError);
      expect(error.message).toMatch(/users routine/);
      expect(error.message).toMatch(message);
    }
  });

  it('that names no routine is refused by both executors', () => {
    for (const error of errors({ reads: [around], write: around, integers: [] }, 'nope')) {
      expect(error).toBeInstanceOf(ForebayError);
      expect(error.message).toMatch(/users routine .*no routine 'nope'/);
    }
  });
});
