import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findPython } from '../../bench/src/python.js';
import { type Golden, goldenFolder } from './golden.js';

const script = fileURLToPath(new URL('../../tools/golden/generate.py', import.meta.url));
const missing =
  'no Python here has PyTorch; `node bench/peers/install.mjs` installs it into .cmake/peers/venv';

/**
 * Returns a line for each path at which two JSON values differ, with both values. Numbers that differ only by rounding
 * count as equal.
 */
function differences(ours: unknown, theirs: unknown, path = ''): string[] {
  if (typeof ours === 'number' && typeof theirs === 'number') {
    // Versions of PyTorch round the results of functions such as exp differently.
    const close = Math.abs(ours - theirs) <= 1e-12 * Math.max(1, Math.abs(ours));
    return close ? [] : [`${path}: ${ours} is committed, torch computes ${theirs}`];
  }
  if (typeof ours === 'object' && typeof theirs === 'object' && ours && theirs) {
    const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
    const at = (value: object, key: string) => (value as Record<string, unknown>)[key];
    return [...keys].flatMap((key) =>
      differences(at(ours, key), at(theirs, key), `${path}/${key}`),
    );
  }
  return ours === theirs ? [] : [`${path}: ${ours} is committed, torch computes ${theirs}`];
}

const read = (folder: string, file: string) =>
  JSON.parse(readFileSync(join(folder, file), 'utf8')) as Golden<unknown>;

describe('the committed golden values', () => {
  it('equal those that tools/golden/generate.py computes here', (context) => {
    const python = findPython(['torch']);
    if (python === undefined) return context.skip(missing);
    const committed = fileURLToPath(goldenFolder);
    const folder = mkdtempSync(join(tmpdir(), 'forebay-golden-'));
    try {
      const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
      execFileSync(python, [script, folder], { env, stdio: ['ignore', 'ignore', 'pipe'] });
      const files = readdirSync(folder).sort();
      expect(readdirSync(committed).sort()).toEqual(files);
      for (const file of files) {
        const [ours, theirs] = [read(committed, file), read(folder, file)];
        const versions = `${file}: torch ${ours.torch} committed, ${theirs.torch} here`;
        console.log(`${versions}, ${ours.cases.length} cases`);
        const off = differences(ours.cases, theirs.cases);
        expect(off.slice(0, 20), versions).toEqual([]);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('were all computed by the same recent version of PyTorch, which each file names', () => {
    const folder = fileURLToPath(goldenFolder);
    const versions = readdirSync(folder).map((file) => read(folder, file).torch);
    expect(new Set(versions).size).toBe(1);
    expect(versions[0]).toMatch(/^2\.(1[5-9]|[2-9]\d)\.\d+$/);
  });

  it('are compared number by number, and a change in the twelfth digit is found', () => {
    const ours = { a: [1700, { b: 0.3 }], c: 'NaN' };
    expect(differences(ours, structuredClone(ours))).toEqual([]);
    expect(differences(ours, { a: [1700 * (1 + 1e-13), { b: 0.3 + 1e-13 }], c: 'NaN' })).toEqual(
      [],
    );
    expect(differences(ours, { a: [1700 * (1 + 2e-12), { b: 0.3 }], c: 'NaN' })).toHaveLength(1);
    expect(differences(ours, { a: [1700, { b: 0.3 + 2e-12 }], c: 0 })).toHaveLength(2);
    expect(differences(ours, { a: [1700, { b: 0.3 }, 1], c: 'NaN' })).toHaveLength(1);
  });
});
