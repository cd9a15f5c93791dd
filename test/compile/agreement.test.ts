// Compares programs with evaluate(). Each test is for a bug of a compiler pass that the random tests have found.
import { expect, it } from 'vitest';
import {
  add,
  addN,
  broadcastTo,
  compile,
  concat,
  constant,
  evaluate,
  type Feeds,
  greater,
  input,
  matmul,
  max,
  mul,
  type Node,
  parameter,
  reshape,
  slice,
  state,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
  type Updates,
  where,
} from '../../src/index.js';

/** Returns the outputs and the new values of leaves as nested arrays, from evaluate and from a program. */
function both(outputs: Readonly<Record<string, Node>>, updates: Updates = [], feeds: Feeds = {}) {
  const leaves = updates.map(([leaf]) => leaf);
  const before = leaves.map(({ value }) => value.data.slice());
  const all = (record: Readonly<Record<string, Tensor>>) => [
    ...Object.values(record).map((value) => value.toArray()),
    ...leaves.map(({ value }) => value.toArray()),
  ];
  const expected = all(evaluate(outputs, feeds, { updates }));
  leaves.forEach(({ value }, i) => {
    value.data.set(before[i] as Float32Array);
  });
  const program = compile({ outputs, updates });
  return { expected, given: all(program.run(feeds)) };
}

const agree = (...args: Parameters<typeof both>) => {
  const { expected, given } = both(...args);
  expect(given).toEqual(expected);
};

const column = (...values: number[]) => tensor(values.map((value) => [value]));

it('a sum over an assembled value that could be read block by block is one sum', () => {
  const s = state('s', column(-1, 0, 2));
  const chosen = where(parameter('c', column(0, 1, 1, 0, 0, 1)), 2, concat([s, s], 0));
  agree({ y: sum(chosen) });
});

it('a value may be an output and a new value of a leaf', () => {
  const difference = sub(parameter('a', [1, 1, -2]), parameter('b', [1, 1, 4]));
  agree({ difference }, [[state('s', [-1, 1, 0]), difference]]);
});

it('a column is not added onto a row', () => {
  const x = input('x', ['batch', 4]);
  const inner = matmul(x, parameter('w', [[1, -2, 3, 4]]), { transposeB: true });
  const one = matmul(input('y', ['batch', 4]), inner, { transposeA: true });
  const other = transpose(matmul(input('z', ['batch', 1]), x, { transposeA: true }));
  const feeds = { x: [[2, 1, 0, 3]], y: [[0, 1, -1, 2]], z: [[2]] };
  agree({ both: addN([one, other]) }, [], feeds);
});

it('a fused loop that writes a leaf reads the old values of others, also in an assembled value', () => {
  const a = parameter('a', column(-1, -1, 1));
  const b = parameter(
    'b',
    tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]),
  );
  const beside = concat([a, parameter('c', column(1, 2, -2))], 1);
  agree({}, [
    [b, sub(b, mul(beside, beside))],
    [a, sub(a, 1)],
  ]);
});

it('nothing is added onto a product with K = 1 that is computed where it is read', () => {
  const [v, w] = [
    parameter('v', tensor([[1, 2, 3]])),
    parameter(
      'w',
      tensor([
        [1, 0],
        [2, 1],
        [0, 3],
      ]),
    ),
  ];
  const same = matmul(broadcastTo(parameter('s', tensor([[2]])), [6, 1]), v);
  const block = reshape(slice(same, { axis: 0, start: 2, end: 4 }), [2, 3]);
  const product = matmul(matmul(input('x', [2, 3]), w), w, { transposeB: true });
  agree({ y: add(product, block) }, [], {
    x: [
      [1, 2, 3],
      [4, 5, 6],
    ],
  });
});

it('the maximum of no elements is the least value of the dtype', () => {
  const least = max(parameter('x', tensor([[], []])), 1);
  agree({ least, greater: greater(0, least) });
});

it('a product of empty matrices that is scaled twice is empty', () => {
  const nothing = constant(tensor([], { shape: [0, 5] }));
  const scaled = mul(mul(-1, matmul(nothing, nothing, { transposeB: true })), 2);
  agree({ y: matmul(scaled, nothing, { transposeA: true }) });
});

it('an element that is broadcast over a tile is stored and summed once for each element of the tile', () => {
  const s = state('scale', tensor([0.5]));
  const x = parameter('x', tensor(Array.from({ length: 700 }, (_, i) => [i - 300])));
  const row = parameter('row', tensor([Array.from({ length: 70 }, (_, i) => i)]));
  const wide = broadcastTo(mul(s, 3), [700, 70]);
  const perRow = broadcastTo(mul(x, s), [700, 70]);
  agree({ wide, perRow, total: sum(wide), sums: sum(add(perRow, row), 1), both: add(wide, x) }, [
    [s, mul(s, 2)],
    [x, sub(x, s)],
  ]);
});
