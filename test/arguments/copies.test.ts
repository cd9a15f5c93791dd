// Tests two copies of forebay in one process. Each refuses values of the other copy with an error that names both.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { version } from '../../src/arguments/version.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const script = fileURLToPath(new URL('copies.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'forebay-copies-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Makes a copy of the built package, as if it was installed in a folder `name`. It may claim another version. */
function copy(name: string, version?: string): string {
  const home = join(folder, name, 'node_modules/forebay');
  mkdirSync(home, { recursive: true });
  copyFileSync(join(root, 'package.json'), join(home, 'package.json'));
  cpSync(join(root, 'dist'), join(home, 'dist'), {
    recursive: true,
    filter: (file) => !/dist[\\/](cli|report)([\\/]|$)/.test(file),
  });
  if (version !== undefined) {
    const file = join(home, 'dist/arguments/version.js');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/version = '.*'/, `version = '${version}'`));
  }
  return home;
}

const [one, two] = [copy('one'), copy('two')];

/**
 * Runs copies.mjs. Returns for each call its name, its error for values of its own copy, and its error for values of
 * the other copy. If a call succeeds, its error is null.
 */
function answers(own: string, other: string): [string, string | null, string | null][] {
  const addon = process.env.FOREBAY_ADDON ?? join(root, 'build/Release/forebay.node');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, own, other], {
    encoding: 'utf8',
    env: { ...process.env, FOREBAY_ADDON: addon },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const said = JSON.parse(stdout) as Record<string, [string | null, string | null]>;
  return Object.entries(said).map(([call, [ours, theirs]]) => [call, ours, theirs]);
}

describe('a value of another copy of forebay', () => {
  const all = answers(one, two);

  it('is refused by functions that take it from their own copy', () => {
    expect(all.filter(([, ours]) => ours !== null)).toEqual([]);
    expect(all.length).toBeGreaterThan(60);
  });

  it.each(all)('is refused with the paths of both copies: %s', (_call, _ours, theirs) => {
    expect(theirs).toMatch(/^FOREBAY_\w+ /);
    const [, there, here] =
      / of another copy of forebay, in (.*), while this one is in (.*) \(install one copy/.exec(
        theirs ?? '',
      ) ?? [];
    // In most calls, this copy refuses a value of the other copy. But if the value is an activation, this copy calls
    // it, and the other copy refuses this copy's node. Then the error names the two paths in the other order, so they
    // are sorted before they are compared.
    expect([there, here].sort()).toEqual([join(one, 'dist'), join(two, 'dist')]);
  });
});

describe('a value of a copy of another version', () => {
  it('is refused with the paths and the versions of both copies', () => {
    const three = copy('three', '9.8.7');
    // The other copy does not load an addon, because the addon of this version would refuse to work with it.
    const script = `const [own, other] = [${JSON.stringify(one)}, ${JSON.stringify(three)}].map((path) => require(path));
      try { own.exp(other.input('x', [2])); } catch (error) { console.log(error.message); }`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toContain(
      `an Input of another copy of forebay, in ${join(three, 'dist')}, while this one is in ${join(one, 'dist')} (install one copy: npm ls forebay; this is version ${version}, the other is 9.8.7)`,
    );
  });
});

describe('a value of the same copy that was loaded a second time, as test runners do', () => {
  it.each(answers(one, one))('is refused with an error that says so: %s', (_call, ours, theirs) => {
    expect(ours).toBeNull();
    expect(theirs).toContain(`of forebay that was loaded a second time from ${join(one, 'dist')}`);
  });
});
