// What a run writes: the figures, the table's lines, the picture.
import { describe, expect, it } from 'vitest';
import type { Measured, Taken } from '../../bench/src/measure.js';
import { drawRatios } from '../../bench/src/plot.js';
import { type Row, resultsOf, rowOf } from '../../bench/src/results.js';
import { formatUs, headOf, linesOf, times } from '../../bench/src/table.js';
import { smallMlp } from './support.js';

const taken = (rounds: readonly number[], growth: number): Taken => ({
  hello: {
    version: '9.9',
    capability: 'avx2',
    blas: { files: ['/lib/libopenblas.so'], core: 'Haswell' },
    threads: 1,
  },
  rounds,
  variant: 'some',
  growth,
});

const measured: Measured = {
  workload: 'small',
  spec: smallMlp,
  forebay: taken([100, 200, 110], 7e6),
  peers: new Map([
    [
      'torch',
      {
        ...taken([300, 400, 330], 30e6),
        agreement: { distance: 1e-7, tensor: 'w', tolerance: 2e-5 },
      },
    ],
    ['tfjs-wasm', taken([2000, 3000], 60e6)],
  ]),
  // 2 * 10 * 20 * 30 + 2 * 5 * 6 * 7 operations
  stats: {
    productShapes: [
      [10, 20, 30],
      [5, 6, 7],
    ],
    memory: { arena: 4e6, leaves: 2e6, blas: 0.5e6 },
  },
  peaks: [1, 0.5, 1],
  parts: new Map(),
};

describe('a row of the results', () => {
  const row = rowOf(measured);

  it('has the medians of all, and ratios within rounds', () => {
    expect(row).toMatchObject({ workload: 'small', dtype: 'float32', us: 110 });
    expect(row.peers).toEqual({ torch: 330, 'tfjs-wasm': 2500 });
    expect(row.ratios.torch).toEqual({ median: 3, low: 2.5, high: 3, rounds: 3 });
    expect(row.ratios['tfjs-wasm']).toEqual({ median: 17.5, low: 16.25, high: 18.75, rounds: 2 });
  });

  it('has the speed of its own products, and its share of the peak of the same round', () => {
    expect(row.gflops).toBeCloseTo(12420 / 110 / 1e3, 4);
    // 0.1242 / 1, 0.0621 / 0.5 and 0.1129 / 1
    expect(row.peak_fraction).toBeCloseTo(0.124, 3);
    const unknown = rowOf({ ...measured, stats: null, peaks: [] });
    expect(unknown).toMatchObject({ gflops: null, peak_fraction: null, rss_mb: 7 });
  });

  it('has the memory of the program and of the processes', () => {
    expect(row.rss_mb).toBe(6.5);
    expect(row.memory_mb.program).toEqual({ arena: 4, leaves: 2, blas: 0.5 });
    expect(row.memory_mb.growth).toEqual({ forebay: 7, torch: 30, 'tfjs-wasm': 60 });
  });

  it('is a line of the table under its head', () => {
    const names = ['torch', 'tfjs-wasm', 'brain'];
    const [line = ''] = linesOf(row, names);
    expect(line.split(/\s+/)).toEqual([
      'small',
      '110',
      '±22.7%',
      '330',
      '3.00×',
      '2,500',
      '17.5×',
      '-',
      '-',
      '0.1',
      '0.12',
      '6.5',
    ]);
    expect(line).toHaveLength(headOf(names).length);
    const parts = new Map([['a graph', [1000, 1000]]]);
    expect(linesOf(rowOf({ ...measured, parts }), names)[1]).toMatch(/^ {2}a graph +1,000/);
  });
});

describe('figures', () => {
  it('are written with three digits, and thousands apart', () => {
    expect([3.456, 34.56, 345.6, 1234567].map(formatUs)).toEqual([
      '3.46',
      '34.6',
      '346',
      '1,234,567',
    ]);
    expect([0.934, 12.34, 187.4].map(times)).toEqual(['0.93×', '12.3×', '187×']);
  });
});

type Bar = readonly [from: number, length: number];

describe('the picture', () => {
  const results = resultsOf([measured], { threads: 2, rounds: 3 });

  it('shows each peer that took part, with its ratio', async () => {
    const svg = await drawRatios(results);
    expect(svg).toMatch(/^<svg /);
    for (const text of ['PyTorch', 'TensorFlow.js', 'small', '3.00×', '17.5×', '2 threads']) {
      expect(svg).toContain(text);
    }
    expect(svg).not.toContain('brain.js');
    expect(await drawRatios(results)).toBe(svg);
  });

  it('draws bars from 1, decade by decade, and to the left of 1 for what is slower', async () => {
    const rows = [10, 1000, 0.1].map((ratio) => ({
      ...(results.rows[0] as Row),
      workload: `ratio ${ratio}`,
      ratios: { torch: { median: ratio, low: ratio, high: ratio, rounds: 1 } },
    }));
    const svg = await drawRatios({ ...results, rows });
    const bars = [
      ...svg.matchAll(/<path d="M([\d.]+) [\d.]+l([\d.]+) 0l0 13l-[\d.]+ 0Z" fill="#0072b2"/g),
    ].map(([, from, length]) => [Number(from), Number(length)] as const);
    expect(bars).toHaveLength(3);
    const [[one, decade], [same, three], [before, back]] = bars as [Bar, Bar, Bar];
    expect(decade).toBeGreaterThan(50);
    expect(same).toBeCloseTo(one, 3);
    expect(three).toBeCloseTo(3 * decade, 3);
    expect(before + back).toBeCloseTo(one, 3);
    expect(back).toBeCloseTo(decade, 3);
  });
});
