// Tests the output of a run: the figures, the lines of the table, and the picture.
import { describe, expect, it } from 'vitest';
import { drawRatios } from '../../bench/src/plot.js';
import { type Row, resultsOf, rowOf } from '../../bench/src/results.js';
import { formatUs, linesOf, percent, times } from '../../bench/src/table.js';
import { measured } from './measured.js';

describe('a row of the results', () => {
  const row = rowOf(measured);

  it('has the median times, and the ratios of neighbouring slices', () => {
    expect(row).toMatchObject({ workload: 'mlp-1', dtype: 'float32', us: 110 });
    expect(row.peers).toEqual({ torch: 330, 'tfjs-wasm': 2500 });
    expect(row.ratios.torch).toEqual({ median: 3, low: 2.5, high: 3, rounds: 3 });
    expect(row.ratios['tfjs-wasm']).toEqual({ median: 17.5, low: 16.25, high: 18.75, rounds: 2 });
  });

  it('has the speed of its matrix products, and its share of the peak that the same round measured', () => {
    expect(row.gflops).toBeCloseTo(12420 / 110 / 1e3, 4);
    // In each round, the share is the speed of the products divided by the peak that was measured in this round, in
    // GFLOP/s: 0.1242 / 1, 0.0621 / 0.5 and 0.1129 / 1. The result is their median.
    expect(row.peak_fraction).toBeCloseTo(0.124, 3);
    const unknown = rowOf({ ...measured, stats: null, machine: [] });
    expect(unknown).toMatchObject({ gflops: null, peak_fraction: null, limit: null, rss_mb: 7 });
  });

  it('has the limit, and the share of the limit that was reached in the same round', () => {
    // Each limit is the time of the operations plus the time of the memory traffic. In the three rounds, it is 20 + 30,
    // 40 + 30 and 20 + 60 microseconds, and the measured times are 100, 200 and 110 microseconds.
    expect(row.limit).toEqual({
      us: 70,
      fraction: 0.5,
      operations: 20_000,
      traffic_bytes: 60_000,
      footprint_bytes: 30_000,
      copy_gigabytes: 2,
    });
  });

  it('has every form of each peer with its time, or the reason why it has no time', () => {
    expect(row.fastest).toEqual({ torch: 'eager, fused', 'tfjs-wasm': 'wasm' });
    expect(row.forms.torch).toEqual([
      { form: 'eager, fused', us: 310.1 },
      { form: 'eager, loop', us: 412 },
      { form: 'compiled', us: null, why: 'no compiler' },
    ]);
  });

  it('has the memory of the program and of the processes', () => {
    expect(row.rss_mb).toBe(6.5);
    expect(row.memory_mb.program).toEqual({ arena: 4, leaves: 2, blas: 0.5 });
    expect(row.memory_mb.growth).toEqual({ forebay: 7, torch: 30, 'tfjs-wasm': 60 });
  });

  it('becomes a line of the table, with a line for each peer and its fastest form', () => {
    const lines = linesOf(row);
    expect(lines.map((line) => line.trim().split(/\s{2,}/))).toEqual([
      [
        'mlp-1',
        '110',
        '±22.7%',
        '6.5 MB, 0.1 GFLOP/s, 12 % of peak, limit 70.0 us, 50 % of it reached',
      ],
      ['torch', '330', '±8.3%', '3.00×', 'eager, fused'],
      ['tfjs-wasm', '2,500', '±7.1%', '17.5×', 'wasm'],
    ]);
    const parts = new Map([['a graph', [1000, 1000]]]);
    expect(linesOf(rowOf({ ...measured, parts }))[1]).toMatch(/^ {2}a graph +1,000/);
  });
});

describe('figures', () => {
  it('are written with three digits and with a separator of thousands', () => {
    expect([3.456, 34.56, 345.6, 1234567].map(formatUs)).toEqual([
      '3.46',
      '34.6',
      '346',
      '1,234,567',
    ]);
    expect([0.934, 12.34, 187.4].map(times)).toEqual(['0.93×', '12.3×', '187×']);
    expect([0.0123, 0.0996, 0.5, 1.2].map(percent)).toEqual(['1.2 %', '10 %', '50 %', '120 %']);
  });
});

type Bar = readonly [from: number, length: number];

describe('the picture', () => {
  const results = resultsOf([measured], { threads: 2, rounds: 3, compiled: true, load: 0 });

  it('is drawn from results that name no folder of this machine', () => {
    expect(results.peers.torch?.blas).toEqual({ core: 'Haswell', files: ['libopenblas.so'] });
    expect(JSON.stringify(results)).not.toContain('/lib/');
  });

  it('shows each peer that took part, with its ratio', async () => {
    const svg = await drawRatios(results);
    expect(svg).toMatch(/^<svg /);
    for (const text of ['PyTorch', 'TensorFlow.js', 'mlp-1', '3.00×', '17.5×', '2 threads']) {
      expect(svg).toContain(text);
    }
    expect(svg).not.toContain('brain.js');
    expect(await drawRatios(results)).toBe(svg);
  });

  it('draws bars from 1 on a logarithmic scale, to the left if forebay is slower', async () => {
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
