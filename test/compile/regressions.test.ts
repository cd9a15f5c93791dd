// Tests graphs for which a compiler pass once gave a wrong program, took too long or recursed too deeply.
import { expect, it } from 'vitest';
import {
  add,
  addN,
  compile,
  concat,
  evaluate,
  type Feeds,
  input,
  matmul,
  mul,
  type Node,
  neg,
  parameter,
  sgd,
  sin,
  slice,
  square,
  state,
  sum,
  Tensor,
  type Updates,
  type Variable,
} from '../../src/index.js';
import { fused, shared, simplified } from './support.js';

const numbers = (from: number, ...shape: number[]) => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return new Tensor(
    Float32Array.from({ length: size }, (_, i) => ((i * 7 + from) % 5) - 2),
    shape,
  );
};

const weight = (name: string) => parameter(name, numbers(3, 3, 3));

/** Expects that a run of the program gives the same outputs and the same new values of leaves as evaluate. */
function agree(outputs: Readonly<Record<string, Node>>, feeds: Feeds = {}, updates: Updates = []) {
  const leaves = updates.map(([leaf]) => leaf);
  const before = leaves.map(({ value }) => value.data.slice());
  const expected = evaluate(outputs, feeds, { updates });
  const written = leaves.map(({ value }) => value.toArray());
  leaves.forEach(({ value }, i) => {
    value.data.set(before[i] as Float32Array);
  });
  const given = compile({ outputs, updates }).run(feeds);
  for (const [name, { shape, data }] of Object.entries(expected)) {
    expect(given[name]?.shape).toEqual(shape);
    expect([...(given[name]?.data ?? [])]).toEqual([...data]);
  }
  expect(leaves.map(({ value }) => value.toArray())).toEqual(written);
}

it('a block of a product that a sum reads twice is not added onto another product', () => {
  const row = (product: Node) => slice(product, { axis: 0, start: 0, end: 1 });
  const later = matmul(matmul(input('x', [2, 3]), weight('v')), weight('w'));
  const earlier = matmul(input('y', [2, 3]), weight('u'));
  const feeds = { x: numbers(1, 2, 3), y: numbers(2, 2, 3) };
  agree({ sum: addN([row(later), row(later), row(earlier)]) }, feeds);
});

it('columns are not summed together with other columns that depend on their sum', () => {
  const [x, a] = [input('x', [2, 5]), input('a', [5, 3])];
  const columns = mul(a, a);
  const moved = add(columns, sum(columns, 0));
  const feeds = { x: numbers(1, 2, 5), a: numbers(2, 5, 3) };
  agree({ y: matmul(x, columns), z: matmul(x, moved) }, feeds);
});

it('a new value of two leaves is stored twice by a fused loop that is in a group with others', () => {
  const [one, two, three] = ['a', 'b', 'c'].map((name) => state(name, [0, 0]));
  const once = square(input('x', [2]));
  const twice = square(input('y', [2]));
  agree({}, { x: [1, 2], y: [3, 4] }, [
    [one as Variable, once],
    [two as Variable, twice],
    [three as Variable, twice],
  ]);
});

it('constant factors whose product overflows or underflows are not combined', () => {
  const x = input('x', [2]);
  const large = mul(2 ** 80, mul(2 ** 80, x));
  const small = mul(2 ** -80, mul(2 ** -80, mul(x, 2 ** 100)));
  agree({ large, small }, { x: [2 ** -60, 2 ** 20] });
  const { fired } = simplified([mul(3, mul(2, x))]);
  expect(fired.get('simplify: two factors')).toBe(1);
});

it('a chain of additions compiles in linear time', () => {
  const x = input('x', [40_000]);
  let total: Node = slice(x, { axis: 0, start: 0, end: 1 });
  for (let i = 1; i < 40_000; i++) total = add(total, slice(x, { axis: 0, start: i, end: i + 1 }));
  const { roots, fired } = simplified([total]);
  expect(roots[0]?.value.args).toHaveLength(40_000);
  expect(fired.get('simplify: sum of a sum')).toBe(1);
});

it('values used only to update a leaf form several fused loops if one would be too large', () => {
  const leaf = parameter('p', [0.25, -0.5]);
  let value: Node = leaf;
  for (let i = 0; i < 20_000; i++) value = sin(value);
  const { schedule, final } = fused([], [[leaf, value]]);
  expect(final.size).toBe(256);
  const operations = schedule.map((item) =>
    item.kind === 'group' ? (item.loops[0]?.operations.length ?? 0) : 0,
  );
  expect(Math.max(...operations)).toBe(256);
  expect(operations.reduce((total, count) => total + count)).toBe(20_000);
  agree({}, {}, [[leaf, value]]);
});

it('a product is added onto one that was created after it, across any number of nodes', () => {
  const x = input('x', [2, 3]);
  const later = matmul(matmul(x, weight('v')), weight('w'));
  let deep: Node = x;
  for (let i = 0; i < 20_000; i++) deep = mul(x, neg(deep));
  const earlier = matmul(deep, weight('u'));
  const rows = (start: number) => {
    const window = { axis: 0, start, end: start + 1 };
    return add(slice(later, window), slice(earlier, window));
  };
  const outputs = { first: rows(0), second: rows(1) };
  expect(shared(Object.values(outputs)).fired.get('share: product onto a product')).toBe(1);
  agree(outputs, {
    x: [
      [1, 1, 1],
      [-1, 1, -1],
    ],
  });
});

it('weights of one column that are concatenated along rows are packed correctly', () => {
  const column = (name: string) => parameter(name, numbers(3, 1, 1));
  const [u, v, w] = [column('u'), column('v'), column('w')];
  const inner = matmul(
    concat([input('x', [4, 1]), matmul(input('y', [4, 1]), u)], 1),
    concat([v, u], 0),
  );
  const outer = matmul(concat([inner, inner], 1), concat([w, v], 0));
  const updates = sgd(sum(outer), [u, v, w], { rate: 1 });
  agree({ outer }, { x: numbers(1, 4, 1), y: numbers(2, 4, 1) }, updates);
});
