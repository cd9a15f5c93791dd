// Tests docs/names.md and docs/onnx.md: every public op, layer and optimizer has a row, and the pages are those that
// tools/tables.mjs writes.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';

type Names = Record<string, readonly string[]>;
type Rows = Record<string, Record<string, readonly (string | null)[]>>;
interface Tables {
  exported(): Names;
  peers(): Rows;
  missing(names?: Names, rows?: Rows): string[];
  unused(names?: Names, rows?: Rows): string[];
  page(names?: Names, rows?: Rows): string;
}

const root = new URL('../../', import.meta.url);
const { exported, peers, missing, unused, page }: Tables = await import(
  new URL('tools/tables.mjs', root).href
);

describe('docs/onnx.md', () => {
  it('is written by npm run tables', async () => {
    const onnx: { page(): string } = await import(new URL('tools/tables/onnx.mjs', root).href);
    expect(readFileSync(new URL('docs/onnx.md', root), 'utf8')).toBe(onnx.page());
    expect(onnx.page()).toContain('| `Conv` |');
  });
});

describe('docs/names.md', () => {
  it('has a row for every public op, loss, layer, initialiser, optimizer and schedule', () => {
    expect(missing()).toEqual([]);
    expect(unused()).toEqual([]);
    const counts = Object.values(exported()).map((names) => names.length);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(3);
  });

  it('is written by npm run tables', () => {
    expect(readFileSync(new URL('docs/names.md', root), 'utf8')).toBe(page());
  });

  it('names functions and classes of TensorFlow.js that exist', () => {
    const tf: unknown = createRequire(import.meta.url)('@tensorflow/tfjs');
    const names = Object.values(peers())
      .flatMap((table) => Object.values(table).map((row) => row[2]))
      .filter((name) => name?.startsWith('tf.'));
    const lookup = (name: string) =>
      name
        .split('.')
        .slice(1)
        .reduce((object, key) => (object as Record<string, unknown> | undefined)?.[key], tf);
    expect(names.filter((name) => typeof lookup(name as string) !== 'function')).toEqual([]);
    expect(names.length).toBeGreaterThan(50);
  });

  it('would report a missing row and an unused one', () => {
    const names = { ops: ['exp', 'log'] };
    const rows = { ops: { exp: ['a b', null, 'c'], sin: [null, null, null] } };
    expect(missing(names, rows)).toEqual(['ops: log']);
    expect(unused(names, rows)).toEqual(['ops: sin']);
  });
});
