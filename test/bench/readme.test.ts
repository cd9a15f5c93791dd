// Tests how the section of the README on speed is made from the results of a run, and that nobody has edited this
// section by hand.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BenchError } from '../../bench/src/errors.js';
import { cautionsOf, sectionOf, withSection } from '../../bench/src/readme.js';
import { type Results, resultsOf, rowOf } from '../../bench/src/results.js';
import { measured } from './measured.js';
import { root } from './support.js';

const made = resultsOf([measured], { threads: 1, rounds: 9, compiled: true, load: 0.1 });
const lineOf = (text: string, start: string) =>
  text.split('\n').find((line) => line.startsWith(start));

describe('the section of the README', () => {
  it('has a line for each workload, with its time, its share of the limit and a ratio for each peer', () => {
    const text = sectionOf(made);
    expect(lineOf(text, '| workload | forebay')).toBe(
      '| workload | forebay, µs | of the limit | PyTorch 9.9 | TensorFlow.js (wasm) 9.9 |',
    );
    expect(lineOf(text, '| `mlp-1`')).toBe(
      '| `mlp-1`: 784-512-128-128-128-10, batch 1, Adam | 110 | 50 % | 3.00 × | 17.5 × |',
    );
    expect(text).toContain('| workload | fastest form of PyTorch |');
    expect(text).toContain('| `mlp-1` | eager, fused |');
  });

  it('says in words where a peer is faster', () => {
    const ahead = sectionOf(made).replace(/\s+/g, ' ');
    expect(ahead).toContain('PyTorch 9.9 takes 3.00 × the time of forebay.');
    expect(ahead).not.toContain('faster than forebay');
    const [row] = made.rows as [ReturnType<typeof rowOf>];
    const slower = {
      ...row,
      workload: 'mlp-256',
      ratios: { torch: { ...row.us_spread, median: 0.91 } },
    };
    const behind = sectionOf({ ...made, rows: [row, slower] }).replace(/\s+/g, ' ');
    expect(behind).toContain(
      'PyTorch 9.9 takes 0.91 × to 3.00 × the time of forebay; it is faster than forebay on `mlp-256` (0.91 ×).',
    );
  });

  it('warns of a run with few rounds, on a busy machine, or without torch.compile', () => {
    expect(cautionsOf(made)).toEqual([]);
    const busy = { ...made.machine, load: 13.2 };
    const careless = { ...made, rounds: 2, compiled: false, machine: busy };
    const cautions = cautionsOf(careless);
    expect(cautions).toHaveLength(3);
    expect(cautions.join(' ')).toMatch(/^Only 2 rounds.*load average 13\.2.*torch\.compile/);
    const text = sectionOf(careless).replace(/\s+/g, ' ');
    for (const caution of cautions) expect(text).toContain(`**${caution}**`);
    // Without PyTorch, there is no warning that its compiled forms were not tried.
    const alone = resultsOf([{ ...measured, peers: new Map() }], {
      ...{ threads: 1, rounds: 9, compiled: false, load: 0 },
    });
    expect(cautionsOf(alone)).toEqual([]);
  });

  it('has the times of compiling in the text and not in the table', () => {
    const parts = new Map([['lstm-1000', [3.5e6]]]);
    const compiled = rowOf({ ...measured, workload: 'compile', work: null, parts });
    const text = sectionOf({ ...made, rows: [...made.rows, compiled] });
    expect(text).toContain('compiling takes 3.5 s for `lstm-1000`.');
    expect(lineOf(text, '| `compile`')).toBeUndefined();
  });

  it('replaces the text between its markers and nothing else', () => {
    const [begin, end] = [
      '<!-- bench: written by `npm run bench -- --readme` -->',
      '<!-- /bench -->',
    ];
    const text = withSection(`before\n${begin}\nold\n${end}\nafter\n`, made);
    expect(text).toBe(`before\n${begin}\n${sectionOf(made)}${end}\nafter\n`);
    expect(withSection(text, made)).toBe(text);
    expect(() => withSection('no markers', made)).toThrow(BenchError);
  });

  it('equals the section that bench/results.json gives, word for word', () => {
    const read = (file: string) => readFileSync(join(root, file), 'utf8');
    const results = JSON.parse(read('bench/results.json')) as Results;
    expect(read('README.md')).toBe(withSection(read('README.md'), results));
    // The results contain no path of the machine that made them.
    expect(read('bench/results.json')).not.toMatch(/["\s(]\/\w+/);
  });
});
