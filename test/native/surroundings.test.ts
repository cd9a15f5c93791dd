// What forebay finds out about its environment, and which file it then chooses as the addon. No native code is loaded.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { version } from '../../src/arguments/version.js';
import { build } from '../../src/cli/build.js';
import { wrongKind } from '../../src/native/file-kind.js';
import { chooseAddon, setAddon } from '../../src/native/locate.js';
import {
  beginning,
  cacheFolder,
  glibcVersion,
  hasPermissionModel,
  look,
  runtime,
  variable,
} from '../../src/native/surroundings.js';
import { errorOf } from '../support.js';

const folder = mkdtempSync(join(tmpdir(), 'forebay-surroundings-'));
const workingDirectory = process.cwd();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  process.chdir(workingDirectory);
});

describe('the runtime', () => {
  it.each([
    [{ node: '24.0.0' }, { name: 'Node', version: '24.0.0' }],
    [
      { node: '24.0.0', bun: '1.4.5' },
      { name: 'Bun', version: '1.4.5' },
    ],
    [
      { node: '24.0.0', deno: '2.6.0' },
      { name: 'Deno', version: '2.6.0' },
    ],
    [{}, { name: 'Node', version: 'unknown' }],
  ])('with the versions %o is %o', (versions, expected) => {
    vi.spyOn(process, 'versions', 'get').mockReturnValue(versions as never);
    expect(runtime()).toEqual(expected);
  });

  it('has no known glibc under Deno, and one on a Linux with glibc', () => {
    expect(glibcVersion()).toMatch(/^2\.\d+$/);
    vi.spyOn(process, 'versions', 'get').mockReturnValue({ deno: '2.6.0' } as never);
    expect(glibcVersion()).toBeUndefined();
  });

  it('has no permission model unless Node was started with it', () => {
    expect(hasPermissionModel()).toBe(false);
  });
});

describe('files and variables', () => {
  it('an empty variable counts as not set', () => {
    vi.stubEnv('FOREBAY_ADDON', '');
    expect(variable('FOREBAY_ADDON')).toBeUndefined();
  });

  it('a file is there or missing, and its first bytes are read as far as they go', () => {
    const file = join(folder, 'short');
    writeFileSync(file, 'abc');
    expect([look(file), look(join(folder, 'none'))]).toEqual(['there', 'missing']);
    expect([beginning(file, 2), beginning(file, 9)]).toEqual(['ab', 'abc']);
    expect(beginning(join(folder, 'none'), 2)).toBeUndefined();
  });

  it('the cache folder follows XDG_CACHE_HOME if that is an absolute path, else HOME', () => {
    const name = `${version}-${process.platform}-${process.arch}`;
    vi.stubEnv('HOME', folder);
    vi.stubEnv('XDG_CACHE_HOME', '/cache');
    expect(cacheFolder()).toContain(join('/cache/forebay', name));
    vi.stubEnv('XDG_CACHE_HOME', 'relative');
    expect(cacheFolder()).toContain(join(folder, '.cache/forebay', name));
  });

  it('a library of 32 bits and one of an unknown processor are named as such', () => {
    const elf = (bits: number, processor: number) => {
      const bytes = Buffer.alloc(64);
      bytes.write('\x7fELF', 'latin1');
      bytes[4] = bits;
      bytes[5] = 1;
      bytes.writeUInt16LE(processor, 18);
      const file = join(folder, `elf-${bits}-${processor}`);
      writeFileSync(file, bytes);
      return file;
    };
    const machine = { platform: 'linux', arch: 'x64' };
    expect(wrongKind(elf(1, 3), machine)).toMatch(/^it is an addon for (ia32|other)/);
    expect(wrongKind(elf(2, 999), machine)).toContain("other (ELF's number 999)");
    expect(wrongKind(elf(2, 62), machine)).toBeUndefined();
  });
});

describe('the addon that is chosen', () => {
  it('is the one in the cache only if the package has not built one', () => {
    vi.stubEnv('FOREBAY_ADDON', undefined);
    vi.stubEnv('XDG_CACHE_HOME', folder);
    const cache = cacheFolder() as string;
    mkdirSync(cache, { recursive: true });
    writeFileSync(join(cache, 'forebay.node'), '');
    expect(chooseAddon()?.by).toBe('built');
    expect(chooseAddon()?.file).not.toContain(folder);
  });

  it('is that of FOREBAY_ADDON, as an absolute path, also if the working directory is gone', () => {
    vi.stubEnv('FOREBAY_ADDON', 'a.node');
    expect(chooseAddon()).toEqual({ file: resolve('a.node'), by: 'FOREBAY_ADDON' });
    const gone = mkdtempSync(join(folder, 'gone-'));
    process.chdir(gone);
    rmSync(gone, { recursive: true });
    expect(chooseAddon()).toEqual({ file: './a.node', by: 'FOREBAY_ADDON' });
  });

  it('is that of configure before that of FOREBAY_ADDON', () => {
    vi.stubEnv('FOREBAY_ADDON', '/a.node');
    setAddon('/b.node');
    expect(chooseAddon()).toEqual({ file: '/b.node', by: 'configure' });
  });
});

describe('forebay build', () => {
  it.each([
    [{ CXX: 'no-such-compiler -m64' }, /the C\+\+ compiler no-such-compiler/],
    [{ MAKE: '/nowhere/make' }, /make was not found/],
    [{ npm_config_python: '/nowhere/python' }, /python3 was not found/],
  ])('without a dependency, %o, names it and the command that installs it', (env, message) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const error = errorOf(build);
    expect(error).toMatchObject({ code: 'FOREBAY_NATIVE' });
    expect(error.message).toMatch(message);
    expect(error.message).toContain('Install what is missing with');
  });

  it('refuses to run in another runtime', () => {
    vi.spyOn(process, 'versions', 'get').mockReturnValue({ node: '24.0.0', bun: '1.4.5' } as never);
    expect(errorOf(build).message).toMatch(/expected Node\.js.* but this is Bun 1\.4\.5|is Bun/);
  });

  it('without a folder for temporary files throws a NativeError', () => {
    vi.stubEnv('TMPDIR', '/nowhere');
    const error = errorOf(build);
    expect(error).toMatchObject({ code: 'FOREBAY_NATIVE' });
    expect(error.message).toMatch(/^forebay build: .*\/nowhere/);
  });
});
