import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// These tests run the built command, as `npx forebay` does. Run `npm run build:ts` first.
const command = fileURLToPath(new URL('../../dist/cli/main.mjs', import.meta.url));
const hang = fileURLToPath(new URL('hang.mjs', import.meta.url));

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-process-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function forebay(...args: string[]) {
  const run = spawnSync(process.execPath, [command, ...args], { cwd: folder, encoding: 'utf8' });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

describe('the forebay command', () => {
  it('exits with 0 for help and version', () => {
    expect(forebay('--help')).toMatchObject({ status: 0, stderr: '' });
    expect(forebay('--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('exits with 2 and one line for wrong usage', () => {
    expect(forebay()).toMatchObject({ status: 2, stdout: '' });
    const { status, stdout, stderr } = forebay('demo', 'nothing-of-this-name');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^forebay: unknown demo 'nothing-of-this-name'; [^\n]*\n$/);
  });

  it('ends at once on Ctrl-C, without output, and leaves only complete files', async () => {
    const child = spawn(process.execPath, [hang, 'demo', 'hang'], { cwd: folder });
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdout.once('data', () => child.kill('SIGINT'));
    const [status, signal] = await new Promise<readonly [number | null, string | null]>((done) =>
      child.on('close', (...ended) => done(ended)),
    );
    expect({ status, signal, stderr }).toEqual({ status: null, signal: 'SIGINT', stderr: '' });
    expect(readdirSync(join(folder, 'out/hang'))).toEqual(['begun.txt']);
  });

  it('prints no error if the reader closes its output', async () => {
    const child = spawn(process.execPath, [command, '--help'], { cwd: folder });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    await new Promise((done) => child.on('close', done));
    expect(stderr).toBe('');
  });
});
