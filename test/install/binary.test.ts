// Tests what the addon needs from the machine and from Node, and the error if the machine lacks it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { child } from '../native/child.js';

const tools = new URL('../../tools/', import.meta.url).href;
const { newest, symbolsOf } = (await import(`${tools}symbols.mjs`)) as {
  newest(versions: Iterable<string>): string | undefined;
  symbolsOf(file: string): { needed: string[]; glibc: Map<string, string>; imports: string[] };
};
const { assertGlibc, assertSelfContained, ceiling } = (await import(`${tools}prebuild.mjs`)) as {
  assertGlibc(file: string): string;
  assertSelfContained(file: string): void;
  readonly ceiling: string;
};
const addon = fileURLToPath(new URL('../../build/Release/forebay.node', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'forebay-binary-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Builds an addon that needs a symbol of the given version of glibc. Returns its path. */
function addonThatNeeds(version: string, name: string): string {
  const write = (file: string, text: string) => {
    writeFileSync(join(folder, file), text);
    return join(folder, file);
  };
  const future = write('future.c', 'int of_the_future(void) { return 1; }');
  const map = write('future.map', `GLIBC_${version} { of_the_future; };`);
  const user = write(
    'user.c',
    'int of_the_future(void); int napi_x(void) { return of_the_future(); }',
  );
  const library = join(folder, 'libfuture.so');
  const options = ['-shared', '-fPIC', '-nostdlib'];
  const script = ['-Wl,-soname,libc.so.6', `-Wl,--version-script,${map}`];
  execFileSync('c++', ['-x', 'c', ...options, ...script, '-o', library, future]);
  execFileSync('c++', [
    ...options,
    '-o',
    join(folder, `${name}.node`),
    '-x',
    'c',
    user,
    '-x',
    'none',
    library,
  ]);
  return join(folder, `${name}.node`);
}

describe('the binary of the addon', () => {
  it('imports only functions of Node-API from Node, which every version has', () => {
    const { imports, needed } = symbolsOf(addon);
    expect(imports.filter((name) => name.startsWith('napi_')).length).toBeGreaterThan(20);
    expect(imports.filter((name) => /^uv_|^_ZN?K?(2v8|4node)|^node_/.test(name))).toEqual([]);
    // All other imported symbols belong to C++ or OpenBLAS.
    const others = imports.filter(
      (name) => !/^(napi_|_Z|__cxa_|__gxx_|_Unwind_|__cpu_)/.test(name),
    );
    expect(others.every((name) => /^(cblas|openblas)_/.test(name))).toBe(true);
    expect(needed).toContain('libopenblas.so.0');
  });

  it('is examined for the symbols of the C library and their versions', () => {
    const { glibc } = symbolsOf(addon);
    expect(glibc.get('memcpy')).toBe('2.14'); // the version of memcpy that x86-64 has had since 2011
    expect(newest(glibc.values())).toMatch(/^2\.\d+$/);
    expect(newest(['2.4', '2.31', '2.3.4', '2.9'])).toBe('2.31');
  });

  it('is refused for publication if it needs a newer glibc than the ceiling, or an external BLAS', () => {
    const late = addonThatNeeds('2.99', 'late');
    expect(() => assertGlibc(late)).toThrow(
      `needs a glibc newer than ${ceiling}: of_the_future (2.99)`,
    );
    const fine = addonThatNeeds('2.31', 'fine');
    expect(assertGlibc(fine)).toBe('2.31');
    expect(() => assertSelfContained(addon)).toThrow(/needs libopenblas\.so\.0/);
  });
});

describe('an addon that this system cannot load', () => {
  it('because its glibc is too old throws an error with both versions and the remedy', () => {
    const script = `try { fb.nativeInfo(); } catch (error) { console.log(error.code + ' ' + error.message); }`;
    const { stdout } = child(script, { FOREBAY_ADDON: addonThatNeeds('2.99', 'future') });
    const libc = execFileSync('getconf', ['GNU_LIBC_VERSION'], { encoding: 'utf8' });
    expect(stdout).toContain('FOREBAY_NATIVE ');
    expect(stdout).toContain(
      `it needs glibc 2.99 or later, but this system has ${libc.trim().replace('glibc ', '')}: "npx forebay build" compiles it on this machine`,
    );
  });
});
