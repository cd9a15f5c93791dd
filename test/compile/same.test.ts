// Tests the hashes and keys with which the compiler finds equal values. If many values of a graph have one hash, the time to
// compile the graph grows with the square of their number.
import { describe, expect, it } from 'vitest';
import { constant } from '../../src/index.js';
import { Builder } from '../../src/ir/builder.js';
import { type Definition, noRules } from '../../src/ir/rule.js';
import { hashOf, Keys } from '../../src/ir/same.js';
import { narrow, type Ref, viewed } from '../../src/ir/value.js';

const count = 2000;
const numbers = Array.from({ length: count }, (_, i) => i + 1);
const build = new Builder(noRules);
const { value: x } = build.leaf(constant(new Float32Array(4 * count)), [4 * count]);

const prefixes = numbers.map((length) => narrow(x.whole, 0, 0, length));
const steps = numbers.map((step) => viewed(x, { offset: 0, shape: [4], strides: [step] }));
const matrices = numbers.map((rows) => viewed(x, { offset: 0, shape: [rows, 4], strides: [4, 1] }));

const sum = (arg: Ref): Definition => ({
  kind: 'reduce',
  dtype: 'float32',
  shape: [],
  args: [arg],
  details: { kernel: 'sum' },
  node: undefined,
});

const padded = (length: number, start: number): Definition => ({
  kind: 'assemble',
  dtype: 'float32',
  shape: [length],
  args: [narrow(x.whole, 0, 0, 1)],
  details: { starts: [[start]], adds: false, gaps: true },
  node: undefined,
});

describe.each([
  ['prefixes of a sequence', prefixes],
  ['views with different steps', steps],
  ['matrices with different numbers of rows', matrices],
])('%s', (_name, refs) => {
  it('have different hashes of their sums', () => {
    expect(new Set(refs.map((ref) => hashOf(sum(ref)))).size).toBe(count);
  });

  it('have keys that are seldom next to one another, because few refs have the hash of another ref', () => {
    const keys = new Keys();
    const all = new Set(refs.map((ref) => keys.of(ref)));
    expect(all.size).toBe(count);
    expect([...all].filter((key) => all.has(key - 1)).length).toBeLessThan(count / 4);
  });
});

describe.each([
  ['one block padded to different lengths', numbers.map((length) => padded(length, 0))],
  ['one block at different places', numbers.map((start) => padded(2 * count, start))],
])('%s', (_name, definitions) => {
  it('has different hashes', () => {
    expect(new Set(definitions.map(hashOf)).size).toBe(count);
  });
});
