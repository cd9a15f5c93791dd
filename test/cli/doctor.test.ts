import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { doctor, examined, type Machine, nodeFits } from '../../src/cli/doctor.js';

const command = fileURLToPath(new URL('../../dist/cli/main.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'forebay-doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the built command with only the given environment variables. */
function forebay(env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, 'doctor'], {
    ...{ cwd: folder, encoding: 'utf8', env },
  });
  return { status, stdout, stderr };
}

describe('forebay doctor', () => {
  it('shows which addon is loaded and from where, and exits with 0 if there are no problems', () => {
    const { status, stdout, stderr } = forebay();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const line of [
      /^addon +built on this machine$/m,
      /^ +\/.*\/build\/Release\/forebay\.node$/m,
      /^BLAS +OpenBLAS [\d.]+ .*, core \w+$/m,
      /^kernels +\w+ \(this machine can run portable/m,
      new RegExp(`^threads +\\d+; processors: ${availableParallelism()}$`, 'm'),
      new RegExp(`^Node +${process.versions.node} on ${process.platform}-${process.arch}$`, 'm'),
      /^libc +glibc 2\.\d+$/m,
      /^saving +on the disk when save returns \(fsync\)$/m,
      /\n\nNo problems found\.\n$/,
    ]) {
      expect(stdout).toMatch(line);
    }
  });

  it.each([
    [{ FOREBAY_SIMD: 'portable' }, /^- FOREBAY_SIMD is 'portable', but .*: unset it\.$/m],
    [{ FOREBAY_SIMD: 'sse9' }, /^- FOREBAY_SIMD is 'sse9': this machine can run .*; unset it/m],
    [{ OPENBLAS_NUM_THREADS: '3' }, /^- OPENBLAS_NUM_THREADS is '3', .*setThreads\(3\)/m],
    [{ OPENBLAS_CORETYPE: 'Prescott' }, /^- OPENBLAS_CORETYPE is 'Prescott', .*: unset it\.$/m],
  ])('reports %o with the remedy, and exits with 1', (env, finding) => {
    const { status, stdout, stderr } = forebay(env);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout).toMatch(/\n\n1 problem found:\n/);
    expect(stdout).toMatch(finding);
  });

  it('shows that files are not synced if fsync is forbidden, which is not a problem', () => {
    const lines: string[] = [];
    const healthy = doctor((text) => lines.push(text), { ...examined(), durable: false });
    expect(healthy).toBe(true);
    expect(lines.join('')).toMatch(
      /^saving +not forced to the disk \(fsync\), which node --permission forbids$/m,
    );
  });

  it.each(['missing', 'broken'])('works if the addon is %s', (kind) => {
    const addon = join(folder, `${kind}.node`);
    if (kind === 'broken') writeFileSync(addon, 'this is no shared library');
    const { status, stdout, stderr } = forebay({ FOREBAY_ADDON: addon });
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout).toContain(`addon     named by FOREBAY_ADDON\n          ${addon}\n`);
    expect(stdout).toMatch(/^- forebay.s native addon could not be loaded from /m);
    expect(stdout).toContain('"npx forebay build"');
    expect(stdout).toMatch(/^Node +/m);
  });
});

describe('a finding', () => {
  const machine = examined();
  const { info } = machine;
  if (info === undefined) throw new Error('the addon does not load');

  /**
   * Runs the checks of `forebay doctor` with some facts about this machine replaced. Returns the output, and whether no
   * problem was found (`well`).
   */
  function said(changes: Partial<Machine>): { readonly text: string; readonly well: boolean } {
    let text = '';
    const healthy = doctor(
      (more) => {
        text += more;
      },
      { ...machine, env: {}, ...changes },
    );
    return { text, well: healthy };
  }

  it('is not made without a problem', () => {
    expect(said({})).toMatchObject({ well: true });
    expect(said({ env: { OPENBLAS_NUM_THREADS: '1' } })).toMatchObject({ well: true });
  });

  it.each<[string, Partial<Machine>, RegExp]>([
    [
      'a Node that is too old',
      { runtime: { name: 'Node', version: '20.18.3' } },
      /Node is 20\.18\.3, but forebay needs \^20\.19/,
    ],
    [
      'a processor that OpenBLAS does not recognise',
      {
        info: {
          ...info,
          blas: { library: 'OpenBLAS 0.3.10', core: 'Prescott', threads: 1 },
          simd: { active: 'avx2', available: ['portable', 'avx2'] },
        },
      },
      /takes this processor for a Prescott.*OPENBLAS_CORETYPE=Haswell/,
    ],
  ])('is made for %s', (_what, changes, finding) => {
    const { text, well: healthy } = said(changes);
    expect(healthy).toBe(false);
    expect(text).toMatch(finding);
  });

  it.each<[string, Partial<Machine>, RegExp]>([
    [
      'Bun, with any version of Node',
      { runtime: { name: 'Bun', version: '1.4.5' } },
      /^Bun +1\.4\.5 on /m,
    ],
    [
      'Deno, with any version of glibc',
      { runtime: { name: 'Deno', version: '2.9.6' }, glibc: undefined },
      /^Deno +2\.9\.6 on .*\nlibc +glibc \(Deno does not say which\)$/m,
    ],
    ['musl', { musl: true, glibc: undefined }, /^libc +musl$/m],
    ['the permission model', { durable: false }, /^saving +not forced to the disk/m],
    ['no addon', { choice: undefined }, /^addon +none$/m],
    [
      'a prebuilt addon',
      { choice: { file: '/x/forebay.node', by: 'prebuilt' } },
      /^addon +prebuilt, came with the package\n +\/x\/forebay\.node$/m,
    ],
  ])('is not made for %s, which is shown as a fact', (_what, of, fact) => {
    const { text, well: healthy } = said(of);
    expect(text).toMatch(fact);
    expect(healthy).toBe(true);
  });

  it('is counted', () => {
    const { text } = said({
      runtime: { name: 'Node', version: '18.0.0' },
      env: { OPENBLAS_NUM_THREADS: '8', GOTO_NUM_THREADS: '8' },
    });
    expect(text).toContain('\n3 problems found:\n');
  });
});

describe('the range of supported Node versions', () => {
  const { engines } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as { readonly engines: { readonly node: string } };

  it.each([
    ['20.19.0', true],
    ['20.20.2', true],
    ['20.18.9', false],
    ['21.7.0', false],
    ['22.11.9', false],
    ['22.12.0', true],
    ['23.0.0', true],
    ['26.10.0', true],
    ['18.20.0', false],
  ])('contains %s: %s', (version, fits) => {
    expect(nodeFits(version, engines.node)).toBe(fits);
  });
});
