// Tests routines as JavaScript calls them: single calls of `prepareRoutine`, and programs with a routine whose index is
// out of range. The C++ tests compare every routine with a reference.
import { describe, expect, it } from 'vitest';
import { outOfRange } from '../../src/compile/failed-run.js';
import { gather as gathered, input, NativeError, ValueError } from '../../src/index.js';
import { type Addon, load, routineFacts } from '../../src/native/addon.js';
import { prepareRoutine } from '../../src/native/kernels.js';
import {
  profileProgram,
  type RunStatus,
  runProgram,
  startProgram,
} from '../../src/native/program.js';
import { sharedArray, type TypedArray } from '../../src/tensor/dtype.js';
import { stridesOf } from '../../src/tensor/shape.js';
import { errorOf } from '../support.js';

const { addon } = load();
const any = addon as unknown as Record<keyof Addon, (...given: unknown[]) => unknown>;
const view = (...shape: number[]) => ({ shape, offset: 0, strides: stridesOf(shape) });
const f32 = (...values: number[]) => Float32Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);

describe('a routine', () => {
  it('gathers rows of a strided view, with negative indices', () => {
    // x is the transpose of a [2, 3] matrix, without its first row: [[1, 4], [2, 5]].
    const x = { shape: [1, 2, 2], offset: 1, strides: [0, 1, 3] };
    const gather = prepareRoutine(
      'gather',
      ['float32', 'int32', 'float32'],
      [x, view(3), view(1, 3, 2)],
      [0],
    );
    const out = new Float32Array(6);
    expect(gather(f32(0, 1, 2, 3, 4, 5), i32(-1, 0, 1), out)).toBeUndefined();
    expect([...out]).toEqual([2, 5, 1, 4, 2, 5]);
  });

  it('adds rows in the order of the indices, and sorts', () => {
    const scatter = prepareRoutine(
      'scatterAdd',
      ['float64', 'int32', 'float64', 'float64'],
      [view(1, 3, 1), view(4), view(1, 4, 1), view(1, 3, 1)],
      [0],
    );
    const table = new Float64Array(3);
    scatter(Float64Array.of(1, 2, 3), i32(2, 0, -1, 0), Float64Array.of(10, 20, 1e16, 40), table);
    expect([...table]).toEqual([61, 2, 3 + 10 + 1e16]);
    const sort = prepareRoutine(
      'argsort',
      ['float32', 'int32'],
      [view(1, 4, 1), view(1, 4, 1)],
      [1],
    );
    const order = new Int32Array(4);
    sort(f32(1, Number.NaN, 3, 1), order);
    expect([...order]).toEqual([1, 2, 0, 3]);
  });

  it('returns the first index that is out of range', () => {
    const gather = prepareRoutine(
      'gather',
      ['int32', 'int32', 'int32'],
      [view(1, 3, 1), view(4), view(1, 4, 1)],
      [2],
    );
    const run = (...indices: number[]) => gather(i32(1, 2, 3), i32(...indices), new Int32Array(4));
    expect(run(0, -3, 2, 1)).toBeUndefined();
    expect(run(0, 3, -4, 1)).toEqual({ index: 1, axis: 2, bound: 3, value: 3 });
    expect(run(0, 1, 1, -(2 ** 31))).toEqual({ index: 3, axis: 2, bound: 3, value: -(2 ** 31) });
  });

  it('may have views without elements, whose offset is outside the memory', () => {
    const x = { shape: [0, 3, 1], offset: 7, strides: [3, 1, 1] };
    const sums = prepareRoutine('cumsum', ['float32', 'float32'], [x, view(0, 3, 1)], [0]);
    expect(sums(f32(), f32())).toBeUndefined();
  });

  it('is refused with a NativeError if its call is not valid', () => {
    const call = (shape: number[], integers: number[], ...arrays: TypedArray[]) =>
      errorOf(() =>
        prepareRoutine(
          'cumsum',
          ['float32', 'float32'],
          [view(...shape), view(...shape)],
          integers,
        )(...arrays),
      );
    const ok = [f32(1, 2), f32(1, 2)];
    for (const [error, message] of [
      [call([1, 2, 1], [2], ...ok), 'cumsum: routine: cumsum: reverse is 2, expected 0 or 1'],
      [call([2, 1], [0], ...ok), 'cumsum: routine: cumsum: the rank of x is 2, expected 3'],
      [
        call([1, 3, 1], [0], ...ok),
        'cumsum: routine: the view of read 0 reaches beyond buffer 0, which has 8 bytes',
      ],
      [call([1, 2, 1], [0], f32(1, 2)), 'cumsum: routine: the buffer of write 0 is 1'],
      [call([1, 2, 1], [0, 0], ...ok), 'cumsum: routine: 1 numbers are left over'],
      [call([1, 2, 1], [0]), 'cumsum: routine: received 0 arrays, expected 1 to 5'],
      [errorOf(() => prepareRoutine('nothing', [], [], [])), "no routine 'nothing'"],
    ] as const) {
      expect(error).toBeInstanceOf(NativeError);
      expect(error.message).toContain(message);
    }
    expect(() => any.routine()).toThrow('received 0 arguments');
    expect(() => any.routine(new Float64Array(3), new Float64Array(4), f32())).toThrow(
      'the report is float64 of 4, expected float64 of 5',
    );
    expect(() => any.routine(new Float64Array(3), f32(1), f32())).toThrow('the report is float32');
    expect(() => any.routine('x', new Float64Array(5), f32())).toThrow(
      '(the geometry) is not a Float32Array',
    );
    expect(() => any.routine(new Float64Array(3), new Float64Array(5), {})).toThrow(
      'is not a Float32Array',
    );
  });

  it('tells which routines may fail, and which may be in place', () => {
    expect(routineFacts('gather')).toMatchObject({ mayFail: true, inPlace: -1, reads: 2 });
    expect(routineFacts('scatterAdd')).toMatchObject({ mayFail: true, inPlace: 0 });
    expect(routineFacts('cumsum')).toMatchObject({ mayFail: false, inPlace: 0 });
  });
});

describe('a program with an index out of range', () => {
  // output = gather(table of 3, feed of 2 indices) + nothing; then leaf = output. The leaf is buffer 2.
  const { id } = routineFacts('gather');
  const gather = [
    id,
    0,
    2,
    0,
    ...[3, 1, 3, 1, 1, 0, 3, 1, 1],
    ...[1, 2, 3, 0, 1],
    ...[3, 1, 2, 1, 0, 0, 2, 1, 1],
    4,
  ];
  const copy = [0, 1, 2, 0, 0, 1, 2, 0, 1];
  const code = Float64Array.from([
    ...[1, 4, 2, 1, 1, 0],
    ...[0, 64, 2, 12, 1, 8, 3, 8],
    ...[0, 2, 0, 0],
    ...[9, gather.length + 2, ...gather],
    ...[8, copy.length + 2, ...copy],
  ]);
  const make = () => {
    const [table, leaf] = [sharedArray('float32', 3), sharedArray('float32', 2)];
    table.set([5, 6, 7]);
    return {
      leaf,
      program: addon.createProgram(code, [table, leaf], addon.createQueue(), null, null),
    };
  };
  const failure = { instruction: 0, iterations: [], index: 1, axis: 4, bound: 3, value: -4 };

  it('writes nothing, and returns the index, the axis and the bound', () => {
    const { program, leaf } = make();
    const out = f32(1, 2);
    for (const checkFinite of [false, true]) {
      expect(runProgram(program, 0, 1, checkFinite, false, [i32(2, -4), out])).toEqual(failure);
      expect([...leaf, ...out]).toEqual([0, 0, 1, 2]);
    }
    expect(profileProgram(program, 0, 1, new Float64Array(2), [i32(2, -4), out])).toEqual(failure);
    expect([...leaf, ...out]).toEqual([0, 0, 1, 2]);
    expect(runProgram(program, 0, 1, true, false, [i32(2, -3), out])).toBe(-1);
    expect([...leaf, ...out]).toEqual([7, 5, 7, 5]);
    expect(() => any.readFailure(program, new Float64Array(4))).toThrow('expected float64 of 5');
    expect(() => any.readFailure(program)).toThrow('received 1 arguments');
  });

  it('stops the steps of an asynchronous run, and keeps the completed ones', async () => {
    const { program, leaf } = make();
    const [feeds, out] = [sharedArray('int32', 6), sharedArray('float32', 6)];
    feeds.set([0, 1, 1, -4, 2, 2]);
    const ended = await new Promise<[RunStatus, number, number]>((resolve) => {
      startProgram({
        ...{ program, run: 5, steps: 3, threads: 1, checkFinite: false, memory: [feeds, out] },
        done: (...answer) => resolve(answer),
      });
    });
    expect(ended).toEqual([failure, 1, 6]);
    expect([...leaf]).toEqual([5, 6]);
    expect([...out]).toEqual([5, 6, 0, 0, 0, 0]);
  });

  it('becomes a ValueError that names the node, the index, the axis and the bound', () => {
    const node = gathered(input('table', [2]), input('indices', [1], { dtype: 'int32' })).named(
      'rows',
    );
    const encoded = { nodes: [[node]], loops: [-1] };
    const failed = { encoded, bindings: new Map() } as unknown as Parameters<typeof outOfRange>[0];
    const error = outOfRange(failed, failure, 8);
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toBe(
      "run 8: [gather 'rows']: element 1 of the indices is -4, but the valid indices of axis 4 are from -3 to 2; the run has written nothing",
    );
  });
});
