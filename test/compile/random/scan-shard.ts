/** Random graphs with loops: a program, `evaluate`, and the graph unrolled by hand are equal bit for bit. */

import { expect, it } from 'vitest';
import { specialise } from '../../../src/compile/specialise.js';
import { compile, evaluate, type Tensor } from '../../../src/index.js';
import { isExact, scanCase } from './scans.js';

/** The rewrites of loops. Each must be applied in each shard. */
const rewrites = [
  'distribute: before a loop',
  'distribute: after a loop',
  'distribute: sum over the steps',
  'chunks: rows of one value',
];

/**
 * Runs `count` random cases with the seeds from `from` on, or `FOREBAY_RANDOM_TIMES` times as many. `FOREBAY_SCAN=417` runs
 * only the case of this seed.
 */
export function testScans(from: number, count: number, build: 'scan' | 'recompute' = 'scan'): void {
  const only = process.env.FOREBAY_SCAN;
  const times = Number(process.env.FOREBAY_RANDOM_TIMES ?? 1);
  const seeds = Array.from({ length: count * times }, (_, i) => from + i).filter(
    (seed) => only === undefined || seed === Number(only),
  );
  it.skipIf(seeds.length === 0)(
    `${seeds.length} random graphs with loops from ${from}, by ${build}`,
    { timeout: 600_000 * times },
    () => {
      const fired = new Map<string, number>();
      const failures: string[] = [];
      let inexact = 0;
      for (const seed of seeds) {
        const { outputs } = scanCase(seed, build);
        const unrolled = evaluate(scanCase(seed, 'unrolled').outputs);
        if (!unrolled.every(isExact)) {
          inexact++;
          continue;
        }
        if (seed % 5 === 0) specialise(outputs, [], new Map(), undefined, fired);
        const program = compile({
          outputs: Object.fromEntries(outputs.map((node, i) => [`n${i}`, node])),
        });
        const found = { program: Object.values(program.run({})), evaluate: evaluate(outputs) };
        program.dispose();
        for (const [executor, tensors] of Object.entries(found)) {
          const wrong = unrolled.flatMap((tensor, i) => (same(tensor, tensors[i]) ? [] : [i]));
          if (wrong.length > 0) failures.push(`case ${seed}, ${executor}: outputs ${wrong.join()}`);
        }
      }
      expect(failures).toEqual([]);
      expect(inexact).toBeLessThanOrEqual(seeds.length / 10);
      if (only !== undefined) return;
      expect(rewrites.filter((rewrite) => !fired.has(rewrite))).toEqual([]);
    },
  );
}

function same(a: Tensor, b: Tensor | undefined): boolean {
  if (b === undefined || `${a.shape}` !== `${b.shape}` || a.dtype !== b.dtype) return false;
  for (let i = 0; i < a.size; i++) if (a.data[i] !== b.data[i]) return false;
  return true;
}
