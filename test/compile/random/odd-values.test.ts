// Compares programs with the interpreter on inputs and leaves with NaN, infinities or subnormal numbers as elements.
import { expect, test } from 'vitest';
import type { Numbers } from './draft.js';
import { oddDifference } from './odd.js';

const [notNumbers, subnormals] = [
  [NaN, Infinity, -Infinity, -0],
  { float64: [5e-324, -1e-310, 1e-310], float32: [1e-45, -1e-40, 1e-40] },
];
const families: [string, Numbers, readonly number[]][] = [
  ['integers, NaN and infinities', { exact: true, dtype: 'float64', scale: 1 }, notNumbers],
  ['any numbers, NaN and infinities', { exact: false, dtype: 'float64', scale: 1 }, notNumbers],
  [
    'integers, NaN, infinities and subnormal numbers, float64',
    { exact: true, dtype: 'float64', scale: 1 },
    [...notNumbers, ...subnormals.float64],
  ],
  [
    'integers, NaN, infinities and subnormal numbers, float32',
    { exact: true, dtype: 'float32', scale: 1 },
    [...notNumbers, ...subnormals.float32],
  ],
];

const compared = 200;

test.each(families)('200 random graphs: %s', { timeout: 300_000 }, (_name, numbers, odd) => {
  const differences: string[] = [];
  let equal = 0;
  for (let seed = 0; seed < 4 * compared && equal < compared; seed++) {
    const found = oddDifference(seed, numbers, odd);
    if (found === 'equal') equal++;
    else if (found !== 'unclear') differences.push(found);
  }
  expect(differences).toEqual([]);
  expect(equal).toBe(compared);
});
