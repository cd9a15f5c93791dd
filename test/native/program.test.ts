// Tests the addon's functions for programs by direct calls with program code: what they do, and what they refuse.
import { describe, expect, it } from 'vitest';
import { NativeError } from '../../src/index.js';
import { type Addon, kernelId, load } from '../../src/native/addon.js';
import { runProgram, withLeaves } from '../../src/native/program.js';
import { sharedArray, type TypedArray } from '../../src/tensor/dtype.js';
import { errorOf } from '../support.js';

const { addon } = load();
const any = addon as unknown as Record<keyof Addon, (...given: unknown[]) => unknown>;
const f32 = (...values: number[]) => {
  const array = sharedArray('float32', values.length) as Float32Array;
  array.set(values);
  return array;
};
const none: TypedArray[] = [];

function codeOf(instructions: number[][], head: number[]): Float64Array {
  const sized = instructions.map(([opcode, ...body]) => [
    opcode as number,
    body.length + 2,
    ...body,
  ]);
  return Float64Array.from([...head, ...sized.flat()]);
}

/** The code of a program for three elements: it computes output = feed + leaf, and then writes leaf = output. */
const adding = codeOf(
  [
    [
      ...[1, 1, 1, 3, 2, 1, 1, 0], // opcode 1 (group); counts of segments, axes, registers, loads, steps, stores, closes
      ...[0, 0, 0, 1, kernelId('map', 'add'), 0, 2, 0, 1, -1, 0, 2],
      ...[3, 1, 0, 1, 2, 0, 1, 0, 0, 1],
    ],
    [8, 0, 1, 3, 0, 0, 1, 2, 0, 1],
  ],
  [...[1, 3, 2, 1, 1, 0], ...[0, 64, 3, 12, 1, 12], ...[0, 3, 0, 0]],
);

const make = (leaf = f32(1, 2, 3), own: TypedArray[] | null = null) => ({
  leaf,
  program: addon.createProgram(adding, [leaf], addon.createQueue(), own, null),
});

const started = (program: object, steps: number, memory: TypedArray[], run = 0) =>
  new Promise<number[]>((resolve) => {
    addon.startProgram(program, run, steps, 1, false, (...answer) => resolve(answer), ...memory);
  });

describe('a program made from code', () => {
  it('runs on the memory that it is given, and on its own memory', () => {
    const { program, leaf } = make(f32(1, 2, 3), [f32(10, 10, 10), f32(0, 0, 0)]);
    const out = new Float32Array(3);
    expect(addon.runProgram(program, 0, 1, false, false, Float32Array.of(1, 1, 1), out)).toBe(-1);
    expect([[...out], [...leaf]]).toEqual([
      [2, 3, 4],
      [2, 3, 4],
    ]);
    expect(addon.runProgram(program, 1, 0, false, false)).toBe(-1);
    expect([...leaf]).toEqual([12, 13, 14]);
  });

  it('keeps its leaves and its own memory alive', () => {
    const own = [f32(1, 1, 1), f32(0, 0, 0)];
    const view = own[1] as TypedArray;
    const list = [f32(1, 2, 3)];
    const program = addon.createProgram(adding, list, addon.createQueue(), own, null);
    list.length = 0;
    own.length = 0;
    (globalThis as { gc?: () => void }).gc?.();
    addon.runProgram(program, 0, 1, false, false);
    expect([...view]).toEqual([2, 3, 4]);
  });

  it('runs several steps off this thread, and reports how many it completed', async () => {
    const { program, leaf } = make();
    const [feed, out] = [f32(1, 1, 1, 2, 2, 2, 3, 3, 3), sharedArray('float32', 9)];
    expect(await started(program, 3, [feed, out], 7)).toEqual([-1, 3, 9]);
    expect([...out]).toEqual([2, 3, 4, 4, 5, 6, 7, 8, 9]);
    expect([...leaf]).toEqual([7, 8, 9]);
    // If the index of the run is -1, the program uses the index after the last one.
    expect(await started(program, 1, [feed, out], -1)).toEqual([-1, 1, 10]);
  });

  it('stops before it writes a value that is not finite', () => {
    const { program, leaf } = make();
    const out = new Float32Array(3);
    expect(addon.runProgram(program, 0, 1, true, false, Float32Array.of(1, NaN, 1), out)).toBe(0);
    expect([...leaf]).toEqual([1, 2, 3]);
  });

  it('times each instruction of a normal run', () => {
    const { program, leaf } = make();
    const times = new Float64Array(2);
    const memory = [Float32Array.of(1, 1, 1), new Float32Array(3)];
    expect(addon.profileProgram(program, 0, 1, times, ...memory)).toBe(-1);
    expect([...leaf]).toEqual([2, 3, 4]);
    expect(times.every((time) => time > 0)).toBe(true);
  });

  it('returns a number that says which memory overlaps', () => {
    const { program, leaf } = make();
    const feed = new Float32Array(6);
    // If memory i overlaps memory j, the result is -4 - (3 * i + j). The numbers i are 0 for the output and 1 for the
    // feed. The numbers j are 0 for the feed, 1 for the output and 2 for the leaf.
    const run = (fed: Float32Array, out: Float32Array) =>
      addon.runProgram(program, 0, 1, false, false, fed, out);
    expect(run(feed.subarray(0, 3), feed.subarray(2, 5))).toBe(-4 - 0);
    expect(run(feed.subarray(0, 3), leaf)).toBe(-4 - 2);
    expect(run(leaf, feed.subarray(0, 3))).toBe(-4 - (3 + 2));
    expect([...leaf]).toEqual([1, 2, 3]);
    expect(run(feed.subarray(0, 3), feed.subarray(3, 6))).toBe(-1);
  });
});

describe("the addon's functions for programs refuse", () => {
  const { program } = make();
  const queue = addon.createQueue();
  const [feed, out] = [f32(0, 0, 0), f32(0, 0, 0)];
  const gone = new Float32Array(3);
  structuredClone(gone, { transfer: [gone.buffer] });
  const disposed = make().program;
  addon.disposeProgram(disposed);

  it.each<[string, keyof Addon, unknown[], RegExp]>([
    ['no arguments', 'createProgram', [], /received 0 arguments, expected 5/],
    [
      'no code',
      'createProgram',
      [[1], [], queue, null, null],
      /the geometry\) is not a Float32Array/,
    ],
    ['an empty code', 'createProgram', [new Float64Array(0), [], queue, null, null], /./],
    [
      'a code that ends early',
      'createProgram',
      [adding.slice(0, -1), [f32(1, 2, 3)], queue, null, null],
      /./,
    ],
    ['a missing leaf', 'createProgram', [adding, [], queue, null, null], /lea(f|ves)/],
    [
      'a leaf too short',
      'createProgram',
      [adding, [f32(1, 2)], queue, null, null],
      /8 bytes|leaf|12/,
    ],
    [
      'a leaf whose buffer can be detached',
      'createProgram',
      [adding, [new Float32Array(3)], queue, null, null],
      /leaf 0 is not on a SharedArrayBuffer/,
    ],
    [
      'leaves of words',
      'createProgram',
      [adding, [new Uint16Array(12)], queue, null, null],
      /leaf 0 is not a Float32Array/,
    ],
    [
      'leaves that are not in a list',
      'createProgram',
      [adding, feed, queue, null, null],
      /\(the leaves\) is not an array/,
    ],
    [
      'no queue',
      'createProgram',
      [adding, [f32(1, 2, 3)], {}, null, null],
      /argument 2 is not a queue/,
    ],
    [
      'a program for a queue',
      'createProgram',
      [adding, [f32(1, 2, 3)], program, null, null],
      /argument 2 is not a queue/,
    ],
    [
      'too little memory of its own',
      'createProgram',
      [adding, [f32(1, 2, 3)], queue, [feed], null],
      /received 1 feeds and outputs, expected 1 and 1/,
    ],
    [
      'a queue for kept values',
      'createProgram',
      [adding, [f32(1, 2, 3)], queue, null, queue],
      /argument 4 is not kept values/,
    ],
    ['no bytes of kept values', 'createKept', [-1], /argument 0 \(the bytes\)/],
    [
      'more kept values than memory',
      'createKept',
      [2 ** 53 - 1],
      /no memory for 9007199254740991 bytes/,
    ],
    ['nothing to expire', 'expireKept', [null], /argument 0 is not kept values/],
    ['nothing to dispose of', 'disposeKept', [queue], /argument 0 is not kept values/],
    ['a short geometry', 'panelsSave', [new Float64Array([0, 1, 1])], /panelsSave/],
    ['a product of integers', 'panelsSave', [new Float64Array([2, 1, 1, 1, 1, 1, 1, 1])], /int32/],
    ['a negative extent', 'panelsSave', [new Float64Array([0, -1, 1, 1, 1, 1, 1, 1])], /an extent/],
    [
      'a queue for a program',
      'runProgram',
      [queue, 0, 1, false, false, feed, out],
      /argument 0 is not a program/,
    ],
    [
      'an object for a program',
      'runProgram',
      [{}, 0, 1, false, false, feed, out],
      /argument 0 is not a program/,
    ],
    [
      'a disposed program',
      'runProgram',
      [disposed, 0, 1, false, false, feed, out],
      /has been disposed of/,
    ],
    [
      'no memory, for a program without memory of its own',
      'runProgram',
      [program, 0, 1, false, false],
      /received 0 feeds and outputs/,
    ],
    [
      'too little memory',
      'runProgram',
      [program, 0, 1, false, false, feed],
      /received 1 feeds and outputs/,
    ],
    [
      'too much memory',
      'runProgram',
      [program, 0, 1, false, false, feed, out, out],
      /received 3 feeds and outputs/,
    ],
    [
      'a short feed',
      'runProgram',
      [program, 0, 1, false, false, f32(1, 2), out],
      /feed 0 has 8 bytes, expected 12/,
    ],
    [
      'a long feed',
      'runProgram',
      [program, 0, 1, false, false, f32(1, 2, 3, 4), out],
      /feed 0 has 16 bytes/,
    ],
    [
      'a detached feed',
      'runProgram',
      [program, 0, 1, false, false, gone, out],
      /feed 0 has 0 bytes/,
    ],
    [
      'a detached output',
      'runProgram',
      [program, 0, 1, false, false, feed, gone],
      /output 0 is float32 of 0 elements/,
    ],
    [
      'an output of another dtype',
      'runProgram',
      [program, 0, 1, false, false, feed, new Int32Array(3)],
      /output 0 is int32 of 3 elements, expected float32/,
    ],
    [
      'words to read',
      'runProgram',
      [program, 0, 1, false, false, new Uint16Array(6), out],
      /feed 0 is not a Float32Array/,
    ],
    [
      'a list to read',
      'runProgram',
      [program, 0, 1, false, false, [feed], [out]],
      /feed 0 is not a Float32Array/,
    ],
    [
      'a fractional run',
      'runProgram',
      [program, 0.5, 1, false, false, feed, out],
      /the run\) is 0.5, expected an integer from 0/,
    ],
    ['a negative run', 'runProgram', [program, -1, 1, false, false, feed, out], /the run\) is -1/],
    [
      'a run of 2^53',
      'runProgram',
      [program, 2 ** 53, 1, false, false, feed, out],
      /the run\) is 9007199254740992/,
    ],
    [
      'threads by name',
      'runProgram',
      [program, 0, 'all', false, false, feed, out],
      /the threads\) is not a number/,
    ],
    [
      'a number for a flag',
      'runProgram',
      [program, 0, 1, 1, false, feed, out],
      /checkFinite\) is not a boolean/,
    ],
    [
      'too few times',
      'profileProgram',
      [program, 0, 1, new Float64Array(1), feed, out],
      /times are float64 of 1, expected float64 of 2/,
    ],
    [
      'times of another type',
      'profileProgram',
      [program, 0, 1, new Float32Array(2), feed, out],
      /times are float32 of 2/,
    ],
    [
      'no callback',
      'startProgram',
      [program, 0, 1, 1, false, 3, feed, out],
      /argument 5 is not a function/,
    ],
    [
      'no steps',
      'startProgram',
      [program, 0, 0, 1, false, () => {}, feed, out],
      /the steps\) is 0, expected an integer from 1/,
    ],
    [
      'too many steps',
      'startProgram',
      [program, 0, 2 ** 53 - 1, 1, false, () => {}, feed, out],
      /feed 0 has 12 bytes, expected/,
    ],
    [
      'a step too many',
      'startProgram',
      [program, 0, 2, 1, false, () => {}, f32(0, 0, 0, 0, 0, 0), out],
      /output 0 is float32 of 3 elements, expected float32 of 6/,
    ],
    [
      'memory whose buffer can be detached',
      'startProgram',
      [program, 0, 1, 1, false, () => {}, new Float32Array(3), out],
      /feed 0 is not on a SharedArrayBuffer/,
    ],
    ['a run by name', 'cancelRun', ['first'], /is not a number/],
    ['no program to dispose of', 'disposeProgram', [null], /is not a program/],
    ['no threads', 'setThreads', [0], /the threads\) is 0/],
    ['claims that are not in a list', 'claimLeaves', [feed, []], /is not an array/],
    [
      'claims of memory whose buffer can be detached',
      'claimLeaves',
      [[new Float32Array(3)], []],
      /is not on a SharedArrayBuffer/,
    ],
    ['a program instead of a claim', 'beginWrites', [program], /argument 0 is not a claim/],
    ['no claim to release', 'releaseLeaves', [undefined], /argument 0 is not a claim/],
  ])('%s', (_what, entry, given, message) => {
    const code = expect.stringMatching(/^FOREBAY_NATIVE_(ARGUMENT|MEMORY)$/);
    const thrown = expect.objectContaining({ code, message: expect.stringMatching(message) });
    expect(() => any[entry](...given)).toThrow(thrown);
  });

  it('arguments whose getters run code during the call', () => {
    const trap = () => {
      throw new RangeError('a trap');
    };
    const list = Object.defineProperty([], 0, { get: trap, enumerable: true });
    expect(() => any.createProgram(adding, list, queue, null, null)).toThrow(/a trap/);
    // This getter detaches the buffer of the code before the addon reads the code.
    const code = adding.slice();
    const thief = Object.defineProperty([], 0, {
      get: () => {
        structuredClone(code, { transfer: [code.buffer] });
        return f32(1, 2, 3);
      },
    });
    expect(() => any.createProgram(code, thief, queue, null)).toThrow(/./);
  });

  it('neither a late cancellation nor a second disposal', () => {
    addon.cancelRun(1e9);
    addon.disposeProgram(disposed);
  });

  it('with errors that src/native converts to typed errors', () => {
    expect(errorOf(() => runProgram(disposed, 0, 1, false, false, [feed, out]))).toBeInstanceOf(
      NativeError,
    );
  });
});

describe('withLeaves', () => {
  it('waits for runs in flight, computes, and writes', async () => {
    const { program, leaf } = make();
    const answer = started(program, 1, [f32(1, 1, 1), f32(0, 0, 0)]);
    const sum = withLeaves(
      [leaf],
      [leaf],
      () => leaf[0] as number,
      () => leaf.fill(0),
    );
    expect([sum, [...leaf]]).toEqual([2, [0, 0, 0]]);
    await answer;
  });

  it('releases the leaves if its callback throws', () => {
    const { program, leaf } = make();
    const failing = () => {
      throw new RangeError('no');
    };
    expect(() => withLeaves([leaf], [leaf], failing, () => {})).toThrow('no');
    expect(() => withLeaves([leaf], [leaf], () => 0, failing)).toThrow('no');
    expect(addon.runProgram(program, 0, 1, false, false, f32(0, 0, 0), f32(0, 0, 0))).toBe(-1);
  });
});

it('a program without any memory runs', () => {
  const empty = codeOf([], [1, 1, 0, 0, 0, 0, 0, 0]);
  const program = addon.createProgram(empty, none, addon.createQueue(), none, null);
  expect(addon.runProgram(program, 0, 1, true, false)).toBe(-1);
});
