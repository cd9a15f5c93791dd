import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { doctor, examined, nodeFits, type Patient } from '../../src/cli/doctor.js';

const command = fileURLToPath(new URL('../../dist/cli/main.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'forebay-doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command with only the given environment. */
function forebay(env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, 'doctor'], {
    ...{ cwd: folder, encoding: 'utf8', env },
  });
  return { status, stdout, stderr };
}

describe('forebay doctor', () => {
  it('reports the loaded addon and its file, and exits with 0 if it finds no problem', () => {
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
      /\n\nAll is well\.\n$/,
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
    expect(stdout).toMatch(/\n\nOne thing is off:\n/);
    expect(stdout).toMatch(finding);
  });

  it('reports that saving does not sync if fsync is forbidden, but not as a problem', () => {
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
  const well = examined();
  const { info } = well;
  if (info === undefined) throw new Error('the addon does not load');

  /** The output of the doctor for a healthy patient with these changes. */
  function said(ill: Partial<Patient>): { readonly text: string; readonly well: boolean } {
    let text = '';
    const healthy = doctor(
      (more) => {
        text += more;
      },
      { ...well, env: {}, ...ill },
    );
    return { text, well: healthy };
  }

  it('is not reported for a healthy process', () => {
    expect(said({})).toMatchObject({ well: true });
    expect(said({ env: { OPENBLAS_NUM_THREADS: '1' } })).toMatchObject({ well: true });
  });

  it.each<[string, Partial<Patient>, RegExp]>([
    [
      'a Node that is too old',
      { runtime: { name: 'Node', version: '20.18.3' } },
      /Node is 20\.18\.3, but forebay needs \^20\.19/,
    ],
    [
      'a processor that OpenBLAS does not know',
      {
        info: {
          ...info,
          blas: { library: 'OpenBLAS 0.3.10', core: 'Prescott', threads: 1 },
          simd: { active: 'avx2', available: ['portable', 'avx2'] },
        },
      },
      /takes this processor for a Prescott.*OPENBLAS_CORETYPE=Haswell/,
    ],
  ])('is reported for %s', (_what, ill, finding) => {
    const { text, well: healthy } = said(ill);
    expect(healthy).toBe(false);
    expect(text).toMatch(finding);
  });

  it.each<[string, Partial<Patient>, RegExp]>([
    [
      'Bun, with its own version',
      { runtime: { name: 'Bun', version: '1.4.5' } },
      /^Bun +1\.4\.5 on /m,
    ],
    [
      'Deno, without a version of glibc',
      { runtime: { name: 'Deno', version: '2.9.6' }, glibc: undefined },
      /^Deno +2\.9\.6 on .*\nlibc +glibc \(Deno does not say which\)$/m,
    ],
    ['musl', { musl: true, glibc: undefined }, /^libc +musl$/m],
    ['the permission model', { durable: false }, /^saving +not forced to the disk/m],
    ['no addon', { choice: undefined }, /^addon +none$/m],
    [
      'the prebuilt addon',
      { choice: { file: '/x/forebay.node', by: 'prebuilt' } },
      /^addon +prebuilt, came with the package\n +\/x\/forebay\.node$/m,
    ],
  ])('is not reported for %s, which is printed as a fact', (_what, of, fact) => {
    const { text, well: healthy } = said(of);
    expect(text).toMatch(fact);
    expect(healthy).toBe(true);
  });

  it('is counted', () => {
    const { text } = said({
      runtime: { name: 'Node', version: '18.0.0' },
      env: { OPENBLAS_NUM_THREADS: '8', GOTO_NUM_THREADS: '8' },
    });
    expect(text).toContain('\n3 things are off:\n');
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
