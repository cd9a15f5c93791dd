import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { doctor, examined, nodeFits, type Patient } from '../../src/cli/doctor.js';

const command = fileURLToPath(new URL('../../dist/cli/main.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'forebay-doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The command as it is typed, in an environment of nothing but what is given. */
function forebay(env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, 'doctor'], {
    ...{ cwd: folder, encoding: 'utf8', env },
  });
  return { status, stdout, stderr };
}

describe('forebay doctor', () => {
  it('says what was loaded and from where, and exits with 0 when all is well', () => {
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
  ])('names %o, with the remedy, and exits with 1', (env, finding) => {
    const { status, stdout, stderr } = forebay(env);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout).toMatch(/\n\nOne thing is off:\n/);
    expect(stdout).toMatch(finding);
  });

  it('says that nothing is synced to the disk where fsync is forbidden, which is no fault', () => {
    const lines: string[] = [];
    const healthy = doctor((text) => lines.push(text), { ...examined(), durable: false });
    expect(healthy).toBe(true);
    expect(lines.join('')).toMatch(
      /^saving +not forced to the disk \(fsync\), which node --permission forbids$/m,
    );
  });

  it.each(['missing', 'broken'])('works when the addon is %s', (kind) => {
    const place = join(folder, kind, 'build/Release');
    mkdirSync(place, { recursive: true });
    if (kind === 'broken') writeFileSync(join(place, 'forebay.node'), 'this is no shared library');
    const { status, stdout, stderr } = forebay({ FOREBAY_PREBUILD: join(folder, kind) });
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout).toMatch(/^- forebay.s native addon could not be loaded from /m);
    expect(stdout).toContain('rebuild it with "npm rebuild forebay"');
    expect(stdout).toMatch(/^Node +/m);
    expect(stdout.includes(join(place, 'forebay.node'))).toBe(kind === 'broken');
  });
});

describe('a finding', () => {
  const well = examined();
  const { info } = well;
  if (info === undefined) throw new Error('the addon does not load');

  /** What is printed of a patient who is well but for this. */
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

  it('is not made where all is well', () => {
    expect(said({})).toMatchObject({ well: true });
    expect(said({ env: { OPENBLAS_NUM_THREADS: '1' } })).toMatchObject({ well: true });
  });

  it.each<[string, Partial<Patient>, RegExp]>([
    [
      'a Node that is too old',
      { node: '20.18.3' },
      /Node is 20\.18\.3, but forebay needs \^20\.19/,
    ],
    [
      'an addon of another version',
      { info: { ...info, version: '0.0.9' } },
      /stale: it is version 0\.0\.9, not \d.*npm rebuild forebay/,
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
  ])('is made of %s', (_what, ill, finding) => {
    const { text, well: healthy } = said(ill);
    expect(healthy).toBe(false);
    expect(text).toMatch(finding);
  });

  it('counts', () => {
    const { text } = said({
      node: '18.0.0',
      env: { OPENBLAS_NUM_THREADS: '8', GOTO_NUM_THREADS: '8' },
    });
    expect(text).toContain('\n3 things are off:\n');
  });
});

describe('the range of Node', () => {
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
  ])('%s: %s', (version, fits) => {
    expect(nodeFits(version, engines.node)).toBe(fits);
  });
});
