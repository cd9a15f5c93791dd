// Tests updates by scatterAdd, which programs compute in the memory of the leaf instead of copying them to it.
import { describe, expect, it } from 'vitest';
import {
  add,
  compile,
  constant,
  evaluate,
  gather,
  input,
  mul,
  type Node,
  NumericError,
  parameter,
  randomNormal,
  scatterAdd,
  state,
  sum,
  Tensor,
  tensor,
  type Updates,
  ValueError,
  type Variable,
} from '../../src/index.js';
import { errorOf } from '../support.js';
import { fused, placed } from './support.js';

const int = (values: number[]) => tensor(values, { dtype: 'int32' });
const random = (shape: number[], seed: number, dtype: 'float32' | 'float64' = 'float32') =>
  evaluate(randomNormal(shape, { seed, dtype }));
const listOf = ({ value }: Variable) => [...value.data];
const oldTable = [1, 2, 3, 4, 5, 6];
let named = 0;
const table = () => state(`table${named++}`, new Tensor(Float32Array.from(oldTable), [3, 2]));
const at = input('at', [2], { dtype: 'int32' });
const rows = input('rows', [2, 2]);
const feeds = {
  at: int([2, 2]),
  rows: tensor([
    [10, 20],
    [30, 40],
  ]),
};

/** Returns the kinds of the instructions before the first that writes a leaf, and from there on. */
function kindsOf(updates: Updates, outputs: readonly Node[] = []) {
  const { instructions, arena } = placed(outputs, updates);
  const kinds = instructions.list.map(({ kind }) => kind);
  const { writeStart } = instructions;
  return {
    before: kinds.slice(0, writeStart),
    writing: kinds.slice(writeStart),
    bytes: arena.bytes,
  };
}

/** Runs updates twice, with both executors, and expects the same bits. `leaves` are all leaves that they write. */
function expectEqual(
  updates: Updates,
  leaves: readonly Variable[],
  fed: Record<string, Tensor> = {},
) {
  const old = leaves.map((leaf) => leaf.value.data.slice());
  const after = (run: () => void): number[][] => {
    leaves.forEach((leaf, i) => {
      leaf.value.data.set(old[i] as never);
    });
    run();
    run();
    return leaves.map((leaf) => [...leaf.value.data]);
  };
  const expected = after(() => evaluate({}, fed, { updates }));
  const program = compile({ outputs: {}, updates });
  expect(after(() => program.run(fed))).toEqual(expected);
  expect(after(() => program.run(fed, { checkFinite: true }))).toEqual(expected);
  expect(expected).not.toEqual(old.map((values) => [...values]));
}

describe('an update by scatterAdd', () => {
  it('is one instruction, which copies nothing', () => {
    const leaf = table();
    const updates = [[leaf, scatterAdd(leaf, at, rows)]] as const;
    expect(kindsOf(updates)).toEqual({ before: [], writing: ['routine'], bytes: 0 });
    expect(fused([], updates).fired.get('fuse: computed in a leaf')).toBe(1);
    const program = compile({ outputs: {}, updates });
    program.run(feeds);
    expect(listOf(leaf)).toEqual([1, 2, 3, 4, 45, 66]);
    expect(program.stats()).toMatchObject({ instructions: 1, arenaBytes: 0 });
  });

  it.each(['float32', 'float64'] as const)('gives the bits of evaluate, for %s', (dtype) => {
    const indices = int(Array.from({ length: 400 }, (_, i) => ((i * i * 7) % 53) - 26));
    for (const [shape, axis, updated] of [
      [[53, 17], 0, [400, 17]],
      [[3, 53, 5], 1, [3, 400, 5]],
      [[4, 53], -1, [4, 400]],
      [[53], 0, [400]],
    ] as const) {
      const leaf = parameter('table', random([...shape], 1, dtype));
      const updates = [
        [leaf, scatterAdd(leaf, indices, random([...updated], 2, dtype), axis)],
      ] as const;
      expect(kindsOf(updates)).toEqual({ before: [], writing: ['routine'], bytes: 0 });
      expectEqual(updates, [leaf]);
    }
  });

  it('may have rows and indices that the program computes', () => {
    const leaf = table();
    const picked = gather(constant(int([2, -3, 1])), at);
    const updates = [[leaf, scatterAdd(leaf, picked, mul(rows, rows))]] as const;
    const { before, writing } = kindsOf(updates);
    expect([before.sort(), writing]).toEqual([['group', 'routine'], ['routine']]);
    expectEqual(updates, [leaf], feeds);
  });

  it('onto zeros, or onto a computed table, is computed in the leaf, too', () => {
    const leaf = table();
    const other = table();
    const onZeros = [[leaf, scatterAdd(Tensor.zeros([3, 2]), at, rows)]] as const;
    expect(kindsOf(onZeros)).toEqual({ before: [], writing: ['routine'], bytes: 0 });
    expectEqual(onZeros, [leaf], feeds);
    const decayed = [[leaf, scatterAdd(mul(leaf, 0.5), at, rows)]] as const;
    expect(kindsOf(decayed)).toMatchObject({ before: ['group'], writing: ['routine'] });
    expectEqual(decayed, [leaf], feeds);
    // The other leaf is read while leaves are written, so it is copied first.
    const moved = [[leaf, scatterAdd(other, at, rows)]] as const;
    expect(kindsOf(moved)).toMatchObject({ before: ['copy'], writing: ['routine'] });
    expectEqual(moved, [leaf], feeds);
  });

  it('may follow another one onto the same leaf', () => {
    const leaf = table();
    const twice = scatterAdd(scatterAdd(leaf, at, rows), int([0, -1]), rows);
    const updates = [[leaf, twice]] as const;
    expect(kindsOf(updates)).toEqual({ before: [], writing: ['routine', 'routine'], bytes: 0 });
    expectEqual(updates, [leaf], feeds);
  });
});

describe('a leaf that scatterAdd updates', () => {
  it('has its old value wherever else the program reads it', () => {
    const leaf = table();
    const other = table();
    const updates = [
      [other, add(other, leaf)],
      [leaf, scatterAdd(leaf, at, rows)],
    ] as const;
    expectEqual(updates, [leaf, other], feeds);
    leaf.value.data.set(oldTable);
    const program = compile({ outputs: { leaf, total: sum(leaf), one: gather(leaf, 2) }, updates });
    const results = program.run(feeds);
    expect([...results.leaf.data]).toEqual(oldTable);
    expect(results.total.item()).toBe(21);
    expect([...results.one.data]).toEqual([5, 6]);
  });

  it('can have its own old value, or that of another updated leaf, as rows', () => {
    const leaf = state('leaf', new Tensor(Float32Array.from(oldTable), [1, 3, 2]));
    const other = table();
    const order = int([1, 2, 0]);
    // Both operands of the first one are the same view of the leaf.
    expectEqual([[leaf, scatterAdd(leaf, order, leaf, 1)]], [leaf]);
    const [left, right] = [table(), table()];
    expectEqual(
      [
        [left, scatterAdd(left, order, right)],
        [right, scatterAdd(right, order, left)],
        [other, scatterAdd(other, int([1]), gather(left, int([2])))],
      ],
      [left, right, other],
    );
  });

  it('can be added to at indices that the program updates, too', () => {
    const leaf = table();
    const counters = state('counters', int([0, 2]));
    expectEqual(
      [
        [leaf, scatterAdd(leaf, counters, rows)],
        [counters, scatterAdd(counters, int([0]), int([1]))],
      ],
      [leaf, counters],
      { rows: feeds.rows },
    );
  });

  it('is copied if something else reads its new value', () => {
    const leaf = table();
    const other = table();
    const added = scatterAdd(leaf, at, rows);
    expect(kindsOf([[leaf, added]], [added])).toMatchObject({
      before: ['routine'],
      writing: ['copy'],
    });
    const both = [
      [leaf, added],
      [other, added],
    ] as const;
    expect(kindsOf(both)).toMatchObject({ before: ['routine'], writing: ['copy', 'copy'] });
    expectEqual(both, [leaf, other], feeds);
    const doubled = [
      [leaf, added],
      [other, mul(added, 2)],
    ] as const;
    expect(kindsOf(doubled)).toMatchObject({ before: ['routine'] });
    expectEqual(doubled, [leaf, other], feeds);
  });

  it('is copied if its new value does not change from run to run', () => {
    const leaf = table();
    const fixed = scatterAdd(
      Tensor.zeros([3, 2]),
      int([1, 1]),
      tensor([
        [1, 2],
        [3, 4],
      ]),
    );
    const program = compile({ outputs: {}, updates: [[leaf, fixed]], constants: [] });
    program.run();
    expect(listOf(leaf)).toEqual([0, 0, 4, 6, 0, 0]);
    expect(program.stats()).toMatchObject({ instructions: 2, onceInstructions: 1 });
  });
});

describe('a run that fails', () => {
  const leaf = table();
  const other = table();
  const plain = table();
  const later = input('later', [2], { dtype: 'int32' });
  const updates = [
    [plain, add(plain, 1)],
    [leaf, scatterAdd(leaf, at, rows)],
    [other, scatterAdd(scatterAdd(other, at, rows), later, rows)],
  ] as const;
  const program = compile({ outputs: { leaf }, updates });
  const leaves = [plain, leaf, other];
  const wrong = { ...feeds, later: int([0, 3]) };
  const message =
    /scatterAdd .*element 1 of the indices is 3, but the valid indices of axis 0 are from -3 to 2; the run has written nothing/;

  it('because an index is out of range changes no leaf and no output', async () => {
    const into = { leaf: Tensor.full([3, 2], 7) };
    for (const checkFinite of [false, true]) {
      const error = errorOf(() => program.run(wrong, { into, checkFinite }));
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toMatch(message);
      await expect(program.runAsync(wrong, { checkFinite })).rejects.toThrow(message);
    }
    expect(errorOf(() => evaluate({ leaf }, wrong, { updates })).message).toMatch(
      /element 1 .* is 3/,
    );
    expect(leaves.map(listOf)).toEqual([oldTable, oldTable, oldTable]);
    expect([...into.leaf.data]).toEqual([7, 7, 7, 7, 7, 7]);
  });

  it('because a new value is not finite changes no leaf', () => {
    const large = {
      ...feeds,
      later: int([2, 2]),
      rows: tensor([
        [3e38, 0],
        [1e38, 0],
      ]),
    };
    const error = errorOf(() => program.run(large, { checkFinite: true }));
    expect(error).toBeInstanceOf(NumericError);
    expect(error.message).toMatch(/scatterAdd/);
    expect(leaves.map(listOf)).toEqual([oldTable, oldTable, oldTable]);
  });

  it('because it is aborted changes no leaf', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(program.runAsync({ ...feeds, later: int([0, 0]) }, { signal })).rejects.toThrow(
      'enough',
    );
    expect(leaves.map(listOf)).toEqual([oldTable, oldTable, oldTable]);
  });

  it('does not change the next run', () => {
    program.run({ ...feeds, later: int([0, -1]) });
    expect(leaves.map(listOf)).toEqual([
      [2, 3, 4, 5, 6, 7],
      [1, 2, 3, 4, 45, 66],
      [11, 22, 3, 4, 75, 106],
    ]);
  });
});

it('runs of several programs that add to one table are added one after the other', async () => {
  const leaf = state('table', Tensor.zeros([50, 40]));
  const indices = input('indices', [300], { dtype: 'int32' });
  const added = Tensor.ones([300, 40]);
  const programs = [1, 2, 3].map((factor) =>
    compile({ outputs: {}, updates: [[leaf, scatterAdd(leaf, indices, mul(added, factor))]] }),
  );
  const fed = { indices: int(Array.from({ length: 300 }, (_, i) => i % 50)) };
  const runs = Array.from({ length: 20 }, () => programs.map((program) => program.runAsync(fed)));
  await Promise.all(runs.flat());
  expect(new Set(listOf(leaf))).toEqual(new Set([20 * 6 * 6]));
});
