// Tests the sentence encoder of examples/ with a small BERT. transformers made its weights and vectors, by bert.py.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { load, save, type Tensor } from '../../src/index.js';

const root = new URL('../../', import.meta.url);
const { transpiled }: { transpiled(name: string): string } = await import(
  new URL('tools/examples.mjs', root).href
);
const data = (name: string) => fileURLToPath(new URL(`test/examples/data/${name}`, root));
const json = <T>(file: string) => JSON.parse(readFileSync(file, 'utf8')) as T;
const folder = mkdtempSync(join(tmpdir(), 'forebay-encoder-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const main = transpiled('examples/10-sentence-encoder.ts');

/** Runs the example. Returns the object of its last line, and its errors. */
function run(...args: readonly string[]): { last: Record<string, unknown>; stderr: string } {
  const done = spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: 'utf8' });
  const last = done.status === 0 ? (done.stdout.trimEnd().split('\n').at(-1) as string) : '{}';
  return { last: JSON.parse(last) as Record<string, unknown>, stderr: done.stderr };
}

const small = ['--tokenizer', data('tokenizer.json'), '--heads', '4'];
const weights = ['--weights', data('bert.safetensors')];

function vectorsOf(texts: readonly string[]): number[][] {
  const [given, out] = [join(folder, 'texts.json'), join(folder, 'vectors.json')];
  writeFileSync(given, JSON.stringify(texts));
  const { last, stderr } = run(...weights, ...small, '--texts', given, '--out', out);
  expect(stderr).toBe('');
  expect(last).toMatchObject({ texts: texts.length, width: 32 });
  return json(out);
}

/** Returns the largest difference between two lists of vectors. */
const worst = (a: readonly number[][], b: readonly number[][]) =>
  Math.max(
    ...a.flatMap((row, i) => row.map((value, j) => Math.abs(value - (b[i]?.[j] as number)))),
  );

describe('the sentence encoder', () => {
  it('has the vectors of transformers, of short and of too long texts', () => {
    const found = vectorsOf(json<string[]>(data('sentences.json')));
    const wanted = json<number[][]>(data('vectors.json'));
    expect(found).toHaveLength(60);
    expect(worst(found, wanted)).toBeLessThan(1e-6);
    const norms = found.map((row) => Math.hypot(...row));
    expect(Math.max(...norms.map((norm) => Math.abs(norm - 1)))).toBeLessThan(1e-6);
  });

  it('gives a text the same vector, whatever it is computed with', () => {
    const texts = ['Rain.', 'The ferry leaves at nine.'];
    const long = 'The turbine was stopped for repairs. '.repeat(5);
    const [alone, beside] = [vectorsOf(texts), vectorsOf([...texts, long])];
    expect(worst(alone, beside)).toBeLessThan(1e-6);
    expect(vectorsOf([long])).not.toEqual(vectorsOf([`${long}!`]));
    expect(vectorsOf([])).toEqual([]);
  });

  it('lists all tensors of a file that are missing, unexpected or of another shape', () => {
    const { 'encoder.layer.1.output.dense.bias': bias, ...others } = load(data('bert.safetensors'));
    const file = join(folder, 'damaged.safetensors');
    const key = 'encoder.layer.0.attention.self.key.bias';
    save(file, {
      ...others,
      'encoder.layer.1.output.dense.shift': bias as Tensor,
      [key]: others['encoder.layer.0.intermediate.dense.bias'] as Tensor,
    });
    const texts = ['--texts', data('sentences.json'), '--out', join(folder, 'none.json')];
    const { stderr } = run('--weights', file, ...small, ...texts);
    expect(stderr).toContain("missing: 'encoder.layer.1.output.dense.bias'");
    expect(stderr).toContain("unexpected: 'encoder.layer.1.output.dense.shift'");
    expect(stderr).toContain(`of another shape: '${key}' is [48]`);
    expect(run(...weights, ...texts).stderr).toContain('--weights and --tokenizer belong together');
  });

  it('learns to tell spam from other messages, with a head and LoRA', () => {
    const { last, stderr } = run();
    expect(stderr).toBe('');
    // For each of 4 weights [32, 32], two matrices of rank 8; and the head.
    expect(last).toMatchObject({ messages: 1200, unseen: 400, trained: 4 * 2 * 32 * 8 + 66 });
    const { losses, accuracy } = last as { losses: number[]; accuracy: number };
    expect(losses.at(-1)).toBeLessThan(losses[0] as number);
    expect(accuracy).toBeGreaterThan(0.7);
    expect(Object.keys(load(join(folder, 'spam.safetensors'))).sort()).toContain(
      'lora.layers.1.attention.value.weight.b',
    );
  });
});
