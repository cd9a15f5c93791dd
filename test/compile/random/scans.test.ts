// Random graphs with loops: a program, `evaluate`, and the graph unrolled by hand are equal bit for bit.
import { expect, it } from 'vitest';
import { compile, evaluate } from '../../../src/index.js';
import { isExact, scanCase } from './scans.js';

const cases = 1000;
const shard = 100;

it.each(Array.from({ length: cases / shard }, (_, i) => i * shard))('cases from %i', (from) => {
  let inexact = 0;
  for (let seed = from; seed < from + shard; seed++) {
    const { outputs } = scanCase(seed, 'scan');
    const looped = evaluate(outputs);
    const unrolled = evaluate(scanCase(seed, 'unrolled').outputs);
    if (!unrolled.every(isExact)) {
      inexact++;
      continue;
    }
    const label = `case ${seed}`;
    const program = compile({
      outputs: Object.fromEntries(outputs.map((node, i) => [`n${i}`, node])),
    });
    const results = Object.values(program.run({}));
    program.dispose();
    results.forEach((tensor, i) => {
      if (!same(tensor.data, unrolled[i]?.data))
        expect.fail(
          `${label}, output ${i} of the program: ${tensor.data} instead of ${unrolled[i]?.data}`,
        );
    });
    looped.forEach((tensor, i) => {
      const other = unrolled[i];
      if (`${tensor.shape}` !== `${other?.shape}` || !same(tensor.data, other?.data))
        expect.fail(`${label}, output ${i}: ${tensor.data} instead of ${other?.data}`);
    });
    expect(looped.length, label).toBe(unrolled.length);
  }
  expect(inexact).toBeLessThan(shard / 4);
});

function same(a: ArrayLike<number | bigint>, b: ArrayLike<number | bigint> | undefined): boolean {
  if (b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
