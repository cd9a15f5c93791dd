// Tests `slice` with steps and `flip`: their elements, against loops over indices as NumPy's documentation defines
// them; their gradients of several orders; and both executors.
import { describe, expect, it } from 'vitest';
import {
  assemble,
  backward,
  compile,
  concat,
  constant,
  type Dim,
  evaluate,
  flip,
  input,
  mul,
  type Node,
  neg,
  Part,
  parameter,
  ShapeError,
  slice,
  sum,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

type Range = { start?: number; end?: number; step?: number };

/**
 * Returns the indices of a slice of an axis of length `size`; undefined if the slice is refused, because a position is
 * out of range or the end comes before the start. For positions in range, this is NumPy's definition.
 */
function indices(size: number, { start, end, step = 1 }: Range): number[] | undefined {
  const resolved = (at: number) => (at < 0 ? at + size : at);
  const from = start === undefined ? (step > 0 ? 0 : size - 1) : resolved(start);
  const to = end === undefined ? (step > 0 ? size : -1) : resolved(end);
  const inRange = step > 0 ? from >= 0 && to <= size : from < size && to >= -1;
  if (!inRange || (to - from) * step < 0) return undefined;
  const found: number[] = [];
  for (let i = from; step > 0 ? i < to : i > to; i += step) found.push(i);
  return found;
}

const sizes = [0, 1, 2, 5, 6];
const positions = [undefined, -6, -5, -3, -2, -1, 0, 1, 2, 4, 5, 6, 7];
const steps = [undefined, 1, 2, 3, 6, 9, -1, -2, -3, -6, -9];

describe('slice with a step', () => {
  it.each(sizes)('has the elements of NumPy for every range of an axis of length %i', (size) => {
    const data = Int32Array.from({ length: 3 * size }, (_, i) => i);
    const x = parameter('x', new Tensor(data, [3, size]));
    const outputs: Record<string, Node> = {};
    const expected: Record<string, number[][]> = {};
    let refused = 0;
    for (const start of positions) {
      for (const end of positions) {
        for (const step of steps) {
          const range: Range = {
            ...(start !== undefined && { start }),
            ...(end !== undefined && { end }),
            ...(step !== undefined && { step }),
          };
          const build = () => slice(x, { axis: 1, ...range });
          const found = indices(size, range);
          const name = JSON.stringify(range);
          if (found === undefined) {
            expect(errorOf(build), name).toBeInstanceOf(ShapeError);
            refused++;
            continue;
          }
          outputs[name] = build();
          expected[name] = [0, 1, 2].map((row) => found.map((i) => row * size + i));
        }
      }
    }
    expect(refused).toBeGreaterThan(100);
    expect(Object.keys(outputs).length).toBeGreaterThan(20);
    const program = compile({ outputs });
    for (const results of [evaluate(outputs), program.run()]) {
      for (const [name, { shape, data: got }] of Object.entries(results)) {
        const rows = expected[name] as number[][];
        expect(shape, name).toEqual([3, rows[0]?.length]);
        expect(Array.from(got), name).toEqual(rows.flat());
      }
    }
    program.dispose();
  });

  it('composes with other views', () => {
    const x = parameter('x', randomTensor([6, 4, 5], 1));
    const at = (i: number, j: number, k: number) => x.value.data[(i * 4 + j) * 5 + k] as number;
    const rows = slice(x, { axis: 0, start: 5, end: 0, step: -2 }); // rows 5, 3, 1
    const columns = slice(rows, { axis: 2, start: 1, step: 2 }); // columns 1, 3
    const both = slice(flip(columns, [0, 1]), { axis: 0, step: 2 }); // rows 1, 5
    const expected = [1, 5].flatMap((i) =>
      [3, 2, 1, 0].flatMap((j) => [1, 3].map((k) => at(i, j, k))),
    );
    expect(Array.from(evaluate(both).data)).toEqual(expected);
    const program = compile({ outputs: { both } });
    expect(Array.from(program.run().both.data)).toEqual(expected);
    program.dispose();
  });
});

describe('along a named axis, slice', () => {
  const x = input('x', ['batch', 2]);
  const feed = (rows: number) => ({
    x: new Tensor(
      Float32Array.from({ length: 2 * rows }, (_, i) => i),
      [rows, 2],
    ),
  });

  it.each<[string, { start?: Dim; end?: Dim; step: number }, Dim, (rows: number) => number[]]>([
    ['backwards', { step: -1 }, 'batch', (n) => Array.from({ length: n }, (_, i) => n - 1 - i)],
    ['the last three in steps of 2', { start: -3, step: 2 }, 2, (n) => [n - 3, n - 1]],
    ['the last four backwards', { end: -5, step: -2 }, 2, (n) => [n - 1, n - 3]],
    [
      'from a named position down',
      { start: 'batch - 2', end: 0, step: -1 },
      'batch - 2',
      (n) => Array.from({ length: n - 2 }, (_, i) => n - 2 - i),
    ],
  ])('reads %s', (_what, range, length, rows) => {
    const y = slice(x, { axis: 0, ...range });
    expect(y.shape).toEqual([length, 2]);
    const program = compile({ outputs: { y } });
    for (const n of [5, 6, 9]) {
      const expected = rows(n).map((row) => [2 * row, 2 * row + 1]);
      expect(evaluate(y, feed(n)).toArray(), `${n} rows`).toEqual(expected);
      expect(program.run(feed(n)).y.toArray(), `${n} rows`).toEqual(expected);
    }
    program.dispose();
  });

  it('divides a length by the step if each coefficient is divisible', () => {
    const v = input('v', ['batch']);
    const doubled = concat([v, neg(v), constant([7, 8, 9])], 0);
    expect(doubled.shape).toEqual(['2*batch + 3']);
    const y = slice(doubled, { axis: 0, start: 0, step: 2 });
    expect(y.shape).toEqual(['batch + 2']);
    const back = slice(doubled, { axis: 0, step: -2 });
    expect(back.shape).toEqual(['batch + 2']);
    const outputs = { y, back };
    const program = compile({ outputs });
    for (const got of [evaluate(outputs, { v: [1, 2] }), program.run({ v: [1, 2] })]) {
      expect(got.y.toArray()).toEqual([1, -1, 7, 9]);
      expect(got.back.toArray()).toEqual([9, 7, -1, 1]);
    }
    for (const got of [evaluate(outputs, { v: [1] }), program.run({ v: [1] })]) {
      expect(got.y.toArray()).toEqual([1, 7, 9]);
      expect(got.back.toArray()).toEqual([9, 7, 1]);
    }
    program.dispose();
  });

  it('is refused if its length is not a polynomial', () => {
    expect(slice(x, { axis: 0, start: 1, step: -2 }).shape).toEqual([1, 2]);
    expect(errorOf(() => slice(x, { axis: 0, step: -2 })).message).toMatch(
      /^\[slice\] the length of batch - 1 to the first element in steps of -2 along axis 0 of \[batch, 2\] is not a polynomial of the dimension names; choose positions whose distance is divisible by 2/,
    );
    expect(
      errorOf(() => slice(input('z', ['n']), { axis: 0, end: '3*n', step: 2 })),
    ).toBeInstanceOf(ShapeError);
  });

  it('checks its positions when the name is bound', () => {
    const y = slice(x, { axis: 0, start: 4, end: 1, step: -1 });
    const program = compile({ outputs: { y } });
    expect(evaluate(y, feed(5)).shape).toEqual([3, 2]);
    for (const run of [() => evaluate(y, feed(4)), () => program.run(feed(4))]) {
      const error = errorOf(run);
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toMatch(/4 to 1 in steps of -1 is not within axis 0 of \[4, 2\]$/);
    }
    program.dispose();
  });

  it('refuses an end before the start on a named axis, too, even within one step', () => {
    const named = input('v', ['n']);
    const fixed = input('w', [6]);
    const fromEnd = [-1, -2, -3, -6];
    let refused = 0;
    for (const start of fromEnd) {
      for (const end of [...fromEnd, undefined]) {
        for (const step of steps) {
          const range = { axis: 0, start, ...(end && { end }), ...(step && { step }) };
          const [error, other] = [fixed, named].map((v) => {
            try {
              return slice(v, range) && undefined;
            } catch (error) {
              return error as Error;
            }
          });
          if (other?.message.includes('polynomial')) continue;
          expect(other instanceof ShapeError, JSON.stringify(range)).toBe(
            error instanceof ShapeError,
          );
          if (error) refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(40);

    const y = slice(named, { axis: 0, start: 1, end: '2*m', step: 2 });
    const outputs = { y: mul(y, input('u', ['m'])) };
    const program = compile({ outputs });
    const feeds = (m: number) => ({ v: [1, 2, 3, 4, 5, 6], u: Array(m).fill(1) as number[] });
    expect(program.run(feeds(2)).y.toArray()).toEqual([2, 4]);
    for (const run of [() => program.run(feeds(0)), () => evaluate(outputs, feeds(0))]) {
      expect(errorOf(run)).toBeInstanceOf(ShapeError);
      expect(errorOf(run).message).toMatch(/1 to 0 in steps of 2 is not within axis 0 of \[6\]$/);
    }
    program.dispose();
  });

  it('and its gradients accept a step along an axis without elements', () => {
    const v = input('v', ['batch']);
    const doubled = concat([v, neg(v)], 0);
    for (const step of [2, -2]) {
      const cut = slice(mul(doubled, doubled), { axis: 0, step });
      const first = backward(sum(mul(cut, cut))).of(v);
      const outputs = { first, second: backward(sum(mul(first, first))).of(v) };
      const program = compile({ outputs });
      for (const got of [evaluate(outputs, { v: [] }), program.run({ v: [] })]) {
        expect([got.first.shape, got.second.shape]).toEqual([[0], [0]]);
      }
      program.dispose();
    }
  });

  it('and its gradient accept an axis without elements', () => {
    const w = parameter('w', tensor([[1, 2]], { dtype: 'float32' }));
    const turned = slice(mul(x, w), { axis: 0, step: -1 });
    const gradients = backward(sum(mul(turned, turned)));
    const outputs = { turned, forX: gradients.of(x), forW: gradients.of(w) };
    const program = compile({ outputs });
    for (const got of [evaluate(outputs, feed(0)), program.run(feed(0))]) {
      expect(got.turned.shape).toEqual([0, 2]);
      expect(got.forX.shape).toEqual([0, 2]);
      expect(got.forW.toArray()).toEqual([[0, 0]]);
    }
    program.dispose();
  });
});

describe('flip', () => {
  const shape = [2, 3, 4];
  const x = parameter('x', randomTensor(shape, 2));

  it.each<[number | number[] | undefined]>([
    [undefined],
    [0],
    [-1],
    [[1]],
    [[0, 2]],
    [[2, 0]],
    [[-1, -2, -3]],
    [[]],
  ])('reverses the axes %j as NumPy does', (axes) => {
    const y = flip(x, axes);
    const list = axes === undefined ? [0, 1, 2] : typeof axes === 'number' ? [axes] : axes;
    const turned = list.map((axis) => (axis < 0 ? axis + 3 : axis));
    const expected: number[] = [];
    for (let i = 0; i < 2; i++) {
      for (let j = 0; j < 3; j++) {
        for (let k = 0; k < 4; k++) {
          const [a, b, c] = [i, j, k].map((at, axis) =>
            turned.includes(axis) ? (shape[axis] as number) - 1 - at : at,
          ) as [number, number, number];
          expected.push(x.value.data[(a * 3 + b) * 4 + c] as number);
        }
      }
    }
    expect(y.shape).toEqual(shape);
    const program = compile({ outputs: { y } });
    expect(Array.from(evaluate(y).data)).toEqual(expected);
    expect(Array.from(program.run().y.data)).toEqual(expected);
    program.dispose();
  });

  it('accepts named axes, scalars and integers', () => {
    const rows = flip(input('rows', ['batch', 2], { dtype: 'int32' }), 0);
    expect(rows.shape).toEqual(['batch', 2]);
    const program = compile({ outputs: { rows } });
    const feeds = {
      rows: [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    }; // prettier-ignore
    expect(evaluate(rows, feeds).toArray()).toEqual([
      [5, 6],
      [3, 4],
      [1, 2],
    ]);
    expect(program.run(feeds).rows.toArray()).toEqual([
      [5, 6],
      [3, 4],
      [1, 2],
    ]);
    program.dispose();
    expect(evaluate(flip(3)).toArray()).toBe(3);
  });
});

describe('gradients of slices with steps', () => {
  it('of one node are added in one assemble, whose windows have the steps', () => {
    const x = parameter('x', randomTensor([7, 3], 3));
    const parts = [
      slice(x, { axis: 0, step: 3 }),
      slice(x, { axis: 0, start: -1, end: 0, step: -2 }),
      slice(x, { axis: 0, start: 2, end: 5 }),
    ];
    const loss = parts.reduce((total, part) => mul(total, sum(mul(part, part))), sum(x));
    const gradient = backward(loss).of(x);
    const found = new Set<Node>([gradient]);
    for (const node of found) for (const operand of node.inputs) found.add(operand);
    const assembled = [...found].filter(({ op }) => op.name === 'assemble');
    expect(assembled).toHaveLength(1);
    const { starts, steps: by } = (assembled[0] as Node).attributes as Record<string, unknown>;
    expect(starts).toEqual(
      expect.arrayContaining([
        [0, 0],
        [6, 0],
        [2, 0],
      ]),
    ); // prettier-ignore
    expect(by).toEqual(
      expect.arrayContaining([
        [3, 1],
        [-2, 1],
        [1, 1],
      ]),
    ); // prettier-ignore
  });

  it('of the first three orders are exact', () => {
    const values = [0.5, -1, 2, 3, -0.25, 1.5, 0.75];
    const x = parameter('x', tensor(values, { dtype: 'float64' }));
    const picked = slice(x, { axis: 0, start: 5, end: 0, step: -2 }); // elements 5, 3, 1
    const fourth = mul(mul(picked, picked), mul(picked, picked));
    const g1 = backward(sum(fourth)).of(x);
    const g2 = backward(sum(slice(g1, { axis: 0, start: 1, step: 2 }))).of(x); // elements 1, 3, 5
    const g3 = backward(sum(flip(g2))).of(x);
    const outputs = { g1, g2, g3 };
    const only = (f: (v: number) => number) =>
      values.map((v, i) => (i === 1 || i === 3 || i === 5 ? f(v) : 0));
    const program = compile({ outputs });
    for (const got of [evaluate(outputs), program.run()]) {
      expect(got.g1.toArray()).toEqual(only((v) => 4 * v ** 3));
      expect(got.g2.toArray()).toEqual(only((v) => 12 * v ** 2));
      expect(got.g3.toArray()).toEqual(only((v) => 24 * v));
    }
    program.dispose();
  });
});

describe('a part with steps', () => {
  const g = parameter('g', tensor([1, 2, 3]));

  it('is added at its window', () => {
    const parts = [new Part(g, [0], [2]), new Part(g, [5], [-1]), new Part(g, [1])];
    expect(parts.map(({ step }) => step)).toEqual([[2], [-1], [1]]);
    const y = assemble([6], parts);
    const expected = [1, 1, 4, 6, 5, 1];
    const program = compile({ outputs: { y } });
    expect(evaluate(y).toArray()).toEqual(expected);
    expect(program.run().y.toArray()).toEqual(expected);
    program.dispose();
  });

  it.each<[string, () => unknown, new (message: string) => Error, RegExp]>([
    [
      'step of 0',
      () => new Part(g, [0], [0]),
      ValueError,
      /^Part: expected steps that are integers/,
    ],
    ['fractional step', () => new Part(g, [0], [1.5]), ValueError, /but received number 1.5$/],
    [
      'step that is no list',
      () => new Part(g, [0], 2 as never),
      ValueError,
      /expected a list of st/,
    ],
    [
      'step for each of too many axes',
      () => assemble([6], [new Part(g, [0], [1, 1])]),
      ShapeError,
      /is not within \[6\]/,
    ],
    [
      'step beyond the end',
      () => assemble([6], [new Part(g, [0], [3])]),
      ShapeError,
      /at \[0\] in steps of \[3\] is not within \[6\]/,
    ],
    [
      'step beyond the start',
      () => assemble([6], [new Part(g, [1], [-1])]),
      ShapeError,
      /is not within/,
    ],
  ])('refuses a %s', (_what, build, error, message) => {
    const thrown = errorOf(build);
    expect(thrown).toBeInstanceOf(error);
    expect(thrown.message).toMatch(message);
  });

  it('is checked when names are bound', () => {
    const y = assemble(['n'], [new Part(g, ['n - 1'], [-2])]);
    const all = { y, n: input('n', ['n']) };
    const program = compile({ outputs: all });
    const run = [
      (n: readonly number[]) => evaluate(all, { n }),
      (n: readonly number[]) => program.run({ n }),
    ];
    for (const compute of run) {
      expect(compute([0, 0, 0, 0, 0, 0]).y.toArray()).toEqual([0, 3, 0, 2, 0, 1]);
      const error = errorOf(() => compute([0, 0, 0, 0]));
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toMatch(/3 to -1, in steps of -2, is not within axis 0 of \[4\]/);
    }
    program.dispose();
  });
});
