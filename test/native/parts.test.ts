// Tests the smaller functions of the addon, for rows of a dataset, threads, and panels of packed matrices.
import { describe, expect, it } from 'vitest';
import { ValueError } from '../../src/index.js';
import { type Addon, load } from '../../src/native/addon.js';
import { fmaPeak } from '../../src/native/info.js';
import { gatherRows, panelBytes } from '../../src/native/program.js';
import { getThreads, setThreads } from '../../src/native/threads.js';
import { errorOf } from '../support.js';

const { addon, description } = load();
const any = addon as unknown as Record<keyof Addon, (...given: unknown[]) => unknown>;
const f32 = (...values: number[]) => Float32Array.from(values);

describe('gatherRows', () => {
  it('copies examples into a batch along any axis', () => {
    // The source has three examples of shape [2, 2]. The batch has shape [2, 4, 2]: four examples along axis 1.
    const source = Float64Array.from({ length: 12 }, (_, i) => i);
    const out = new Float64Array(16).fill(-1);
    gatherRows(out, source, Int32Array.of(2, 0), { from: 1, batch: 4, inner: 2 });
    expect([...out]).toEqual([-1, -1, 8, 9, 0, 1, -1, -1, -1, -1, 10, 11, 2, 3, -1, -1]);
    const labels = new Int32Array(3);
    gatherRows(labels, Int32Array.of(5, 6, 7), Float64Array.of(2, 2, 0), {
      from: 0,
      batch: 3,
      inner: 1,
    });
    expect([...labels]).toEqual([7, 7, 5]);
    gatherRows(new Int32Array(0), new Int32Array(0), new Int32Array(0), {
      from: 0,
      batch: 0,
      inner: 3,
    });
  });

  it.each<[string, unknown[], RegExp]>([
    [
      'an index beyond the examples',
      [f32(0), f32(1, 2), Int32Array.of(2), 0, 1, 1],
      /index 0 is 2, expected one from 0 to 1/,
    ],
    ['an index below 0', [f32(0), f32(1, 2), Int32Array.of(-1), 0, 1, 1], /index 0 is -1/],
    [
      'an index that is NaN',
      [f32(0), f32(1, 2), Float64Array.of(NaN), 0, 1, 1],
      /index 0 is -?nan/,
    ],
    ['a fractional index', [f32(0), f32(1, 2), Float64Array.of(0.5), 0, 1, 1], /index 0 is 0.5/],
    [
      'rows beyond the batch',
      [f32(0, 0), f32(1, 2), Int32Array.of(0, 0), 1, 2, 1],
      /rows 1 to 3 of a batch of 2/,
    ],
    [
      'a batch beyond the memory',
      [f32(0), f32(1, 2), Int32Array.of(0), 0, 2, 1],
      /are outside the memory of 1 elements/,
    ],
    [
      'sizes that overflow',
      [f32(0), f32(1, 2), Int32Array.of(0), 0, 2 ** 40, 2 ** 40],
      /are outside the memory of 1 elements/,
    ],
    [
      'two dtypes',
      [f32(0), Float64Array.of(1), Int32Array.of(0), 0, 1, 1],
      /source is float64, but the rows are float32/,
    ],
    ['indices of floats', [f32(0), f32(1), f32(0), 0, 1, 1], /indices are int32 or float64/],
  ])('refuses %s', (_what, given, message) => {
    expect(() => any.gatherRows(...given)).toThrow(message);
  });
});

describe('threads', () => {
  it('are set for the process, up to a limit', () => {
    const before = getThreads();
    expect(before).toBeGreaterThanOrEqual(1);
    for (const [set, got] of [
      [3, 3],
      [1, 1],
      [1e6, 64],
    ] as const) {
      setThreads(set);
      expect(getThreads()).toBe(got);
    }
    setThreads(before);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, '2', undefined])('cannot be %s', (threads) => {
    const before = getThreads();
    expect(errorOf(() => setThreads(threads as number))).toBeInstanceOf(ValueError);
    expect(getThreads()).toBe(before);
  });
});

it('fmaPeak returns a plausible number of operations per second', () => {
  const [single, double] = [fmaPeak('float32'), fmaPeak('float64')];
  expect(double).toBeGreaterThan(1e8);
  expect(single).toBeGreaterThan(1e8);
});

it('panelBytes uses the panel widths of the addon', () => {
  const { float32, float64 } = description.panels;
  expect(float32 * 4).toBe(float64 * 8);
  expect(panelBytes('float32', 3, float32 + 1)).toBe(2 * float32 * 3 * 4);
  expect(panelBytes('float64', 3, 0)).toBe(0);
});
