// Tests which file is loaded as the addon. If none can be loaded, a NativeError must say which command helps.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { version } from '../../src/arguments/version.js';
import { wrongKind } from '../../src/native/file-kind.js';
import { type Machine, nothingFound, remedyFor, thisMachine } from '../../src/native/remedy.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const built = join(root, 'build/Release/forebay.node');
const folder = mkdtempSync(join(tmpdir(), 'forebay-loading-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Copies dist/, without the addon, to the node_modules of a new project. Returns the folder of the project. */
function installed(name: string): string {
  const project = join(folder, name);
  const home = join(project, 'node_modules/forebay');
  mkdirSync(home, { recursive: true });
  copyFileSync(join(root, 'package.json'), join(home, 'package.json'));
  cpSync(join(root, 'dist'), join(home, 'dist'), {
    recursive: true,
    filter: (file) => !/dist[\\/](cli|report)([\\/]|$)/.test(file),
  });
  return project;
}

const project = installed('project');
const home = join(project, 'node_modules/forebay');

/** Runs a script in a project, with forebay as `fb`. The only environment variables are HOME and those in `env`. */
function run(script: string, env: NodeJS.ProcessEnv = {}, flags: string[] = [], from = project) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, '-e', `const fb = require('forebay'); ${script}`],
    { cwd: from, encoding: 'utf8', env: { HOME: folder, ...env } },
  );
  return { status, stdout: stdout.trim(), stderr };
}

const report = `
  let shown;
  try { shown = 'loaded ' + fb.nativeInfo().version; } catch (error) {
    shown = (error instanceof fb.NativeError) + ' ' + error.code + ' ' + error.message;
  }
  console.log(shown);
`;
const loads = `loaded ${version}`;
const failed = (message: string) => `true FOREBAY_NATIVE ${message}`;

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** Writes a file where a link may be. It removes the link first, because writing to it would change the real addon. */
function replaceFile(path: string, content: string): void {
  rmSync(path, { force: true });
  writeFileSync(path, content);
}

/** Writes a copy of the addon with changed bytes. Returns its path. */
function changed(name: string, change: (bytes: Buffer) => Uint8Array): string {
  return file(name, change(readFileSync(built)));
}

/** Compiles C code to a shared library. Returns its path. */
function compiled(name: string, code: string): string {
  const library = join(folder, name);
  execFileSync('c++', ['-x', 'c', '-shared', '-fPIC', '-o', library, file(`${name}.c`, code)]);
  return library;
}

describe('the addon that is loaded', () => {
  const prebuilds = join(home, 'prebuilds', `${process.platform}-${process.arch}`);
  const inPackage = join(prebuilds, 'forebay.napi.glibc.node');

  it('is the prebuilt one of the package', () => {
    mkdirSync(prebuilds, { recursive: true });
    rmSync(inPackage, { force: true });
    symlinkSync(built, inPackage);
    expect(run(report).stdout).toBe(loads);
    rmSync(inPackage);
    expect(run(report).stdout).toContain('not found');
  });

  it.each([
    ['the package by npx forebay build', join(home, 'build/Release/forebay.node'), {}],
    [
      'the cache of this version, platform and C library',
      join(folder, `cache/forebay/${version}-linux-${process.arch}-glibc/forebay.node`),
      { XDG_CACHE_HOME: join(folder, 'cache') },
    ],
    [
      'the cache in the home folder, if XDG_CACHE_HOME is relative',
      join(folder, `.cache/forebay/${version}-linux-${process.arch}-glibc/forebay.node`),
      { XDG_CACHE_HOME: 'cache' },
    ],
  ])('is the one in %s, before the prebuilt one', (_name, place, env) => {
    replaceFile(inPackage, 'no addon');
    mkdirSync(dirname(place), { recursive: true });
    rmSync(place, { force: true });
    symlinkSync(built, place);
    expect(run(report, env).stdout).toBe(loads);
    rmSync(place);
    expect(run(report, env).stdout).toContain(`could not be loaded from ${inPackage}: it is not`);
    rmSync(inPackage);
  });

  it('is the one that FOREBAY_ADDON names, before any in the package', () => {
    mkdirSync(join(home, 'build/Release'), { recursive: true });
    replaceFile(join(home, 'build/Release/forebay.node'), 'no addon');
    expect(run(report, { FOREBAY_ADDON: built }).stdout).toBe(loads);
    // A relative path is resolved against the current folder. The library folders of the system are not searched.
    symlinkSync(built, join(project, 'here.node'));
    expect(run(report, { FOREBAY_ADDON: 'here.node' }).stdout).toBe(loads);
    rmSync(join(home, 'build'), { recursive: true });
  });

  it('is the one that configure names, before all others', () => {
    const configure = `fb.configure({ addon: ${JSON.stringify(built)} });`;
    expect(run(configure + report, { FOREBAY_ADDON: '/nowhere' }).stdout).toBe(loads);
    expect(run(`fb.configure({}); ${report}`, { FOREBAY_ADDON: built }).stdout).toBe(loads);
  });

  it('is found if configure names it by a relative path and the working directory changes', () => {
    symlinkSync(built, join(project, 'named.node'));
    const script = `fb.configure({ addon: 'named.node' }); process.chdir('/'); ${report}`;
    expect(run(script).stdout).toBe(loads);
  });

  it('can be named after another one failed to load, but not after one was loaded', () => {
    const script = (first: string) => `
      const codes = [${JSON.stringify(first)}, ${JSON.stringify(built)}].map((addon) => {
        try { fb.configure({ addon }); fb.evaluate(fb.exp(0)); return 'fine'; } catch (error) { return error.code + ' ' + error.message; }
      });
      console.log(codes.join('|'));`;
    expect(run(script('/nowhere/forebay.node')).stdout).toMatch(/^FOREBAY_NATIVE .*\|fine$/);
    expect(run(script(built)).stdout).toMatch(
      /^fine\|FOREBAY_STATE configure: the native addon is loaded already/,
    );
  });

  it.each([
    ["{ adon: 'x' }", /no option 'adon'; did you mean 'addon'/],
    ['{ addon: 1 }', /addon must be the path of a file, but is number 1/],
    ["{ addon: '' }", /addon must be the path of a file/],
    ["'/x.node'", /expected an options object \{ addon \}/],
    ['null', /expected an options object/],
  ])('cannot be named by configure(%s)', (options, message) => {
    const script = `try { fb.configure(${options}); } catch (error) { console.log(error.code, error.message); }`;
    expect(run(script).stdout).toMatch(/^FOREBAY_VALUE configure: /);
    expect(run(script).stdout).toMatch(message);
  });
});

describe('an addon that cannot be loaded', () => {
  const own = `name the addon of forebay ${version} for this machine, or none, so that forebay finds its own (unset FOREBAY_ADDON for that); "npx forebay build" compiles it on this machine`;

  it('causes no error at import, and the same error at each native call', () => {
    const script = `
      // Graphs, gradients and drawings need no native code, so they work without the addon.
      const w = fb.parameter('w', [1, 2]);
      const loss = fb.sum(fb.square(w));
      const drawn = fb.dot([loss, fb.backward(loss).of(w)]).length > 0;
      const messages = [1, 2].map(() => { try { fb.evaluate(loss); } catch (error) { return error.code + error.message.replace(/#\\d+/, ''); } });
      console.log(drawn, messages[0] === messages[1], messages[0]);`;
    const { status, stdout, stderr } = run(script, { FOREBAY_ADDON: '/nowhere/forebay.node' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^true true FOREBAY_NATIVE/);
    expect(stdout).toContain(`/nowhere/forebay.node (named by FOREBAY_ADDON): `);
  });

  const arm64 = (bytes: Buffer) => {
    bytes.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
    return bytes;
  };
  const other = process.arch === 'arm64' ? 'x64' : 'arm64';
  it.each<[string, () => string, string]>([
    ['that does not exist', () => '/nowhere/forebay.node', 'there is no such file'],
    [
      'in a folder that is a file',
      () => `${file('flat', '')}/forebay.node`,
      'there is no such file',
    ],
    ['that is a folder', () => folder, 'it is a folder, not a file'],
    [
      'that is a named pipe',
      () => {
        execFileSync('mkfifo', [join(folder, 'pipe.node')]);
        return join(folder, 'pipe.node');
      },
      'it is not a regular file',
    ],
    [
      'that is empty',
      () => file('empty.node', ''),
      'it is not a native addon: it is not a shared library',
    ],
    [
      'that is text',
      () => file('text.node', 'this is no shared library'),
      'it is not a native addon: it is not a shared library',
    ],
    [
      'that is cut off',
      () => changed('half.node', (bytes) => bytes.subarray(0, bytes.length / 2)),
      'the file is cut off: a part of it is missing',
    ],
    [
      'that is cut off after its first bytes',
      () => changed('head.node', (bytes) => bytes.subarray(0, 20)),
      'the file is cut off: a part of it is missing',
    ],
    [
      'for another processor',
      () => changed('processor.node', arm64),
      `it is an addon for ${other} processors, but this process is for ${process.arch}`,
    ],
    [
      'for macOS',
      () => file('mac.node', Buffer.from('cffaedfe0c00000100000000', 'hex')),
      'it is an addon for macOS, but this is Linux',
    ],
    [
      'for Windows',
      () => file('windows.node', `MZ${'\0'.repeat(62)}`),
      'it is an addon for Windows, but this is Linux',
    ],
    [
      'of another package',
      () =>
        compiled(
          'other.node',
          'void *napi_register_module_v1(void *env, void *exports) { return exports; }',
        ),
      'it is the addon of another package',
    ],
  ])('%s throws a NativeError that says so', (_what, make, reason) => {
    const path = make();
    const { status, stdout, stderr } = run(report, { FOREBAY_ADDON: path });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toBe(
      failed(
        `forebay's native addon could not be loaded from ${path} (named by FOREBAY_ADDON): ${reason}; ${own}`,
      ),
    );
  });

  it('that is another library is reported as such', () => {
    const library = compiled('library.node', 'int nothing(void) { return 1; }');
    const { status, stdout } = run(report, { FOREBAY_ADDON: library });
    expect(status).toBe(0);
    expect(stdout).toContain('it is a library, but not a native addon: name the addon of forebay');
  });

  it('that configure named is reported with that origin', () => {
    const script = `fb.configure({ addon: '/nowhere/forebay.node' }); ${report}`;
    const { stdout } = run(script);
    expect(stdout).toContain('(named by configure): there is no such file; ');
    expect(stdout).toContain('(leave configure() out)');
  });

  it('of another version is refused with both versions', () => {
    // The file contains its version as text, so the test can replace it.
    const other = version.replace(/.$/, (last) => String((Number(last) + 1) % 10));
    const path = changed('version.node', (bytes) =>
      Buffer.from(bytes.toString('latin1').replaceAll(`\0${version}\0`, `\0${other}\0`), 'latin1'),
    );
    expect(run(report, { FOREBAY_ADDON: path }).stdout).toBe(
      failed(
        `forebay's native addon ${path} (named by FOREBAY_ADDON) is stale: it is of version ${other}, but this is forebay ${version}; ${own}`,
      ),
    );
  });

  it('because the package lacks it is reported with the missing folder and the command that compiles it', () => {
    expect(run(report).stdout).toBe(
      failed(
        `forebay's native addon was not found: the binary for ${process.platform}-${process.arch} is not in ${home}/prebuilds, although it comes with the package. Install forebay again (in a deployment that copies only some files: see that prebuilds/ is copied); or "npx forebay build" compiles it on this machine (in a checkout: "npm run build:native")`,
      ),
    );
  });

  it('under the permission model loads if --allow-addons is given, and the error says so if not', () => {
    const flag = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission';
    mkdirSync(join(home, 'build/Release'), { recursive: true });
    copyFileSync(built, join(home, 'build/Release/forebay.node'));
    // The process may only read the folder of the application.
    const flags = [flag, `--allow-fs-read=${join(project, '*')}`];
    expect(run(report, {}, [...flags, '--allow-addons']).stdout).toBe(loads);
    expect(run(report, {}, flags).stdout).toMatch(
      /Node\.js runs with --permission and may not load addons: add --allow-addons$/,
    );
    rmSync(join(home, 'build'), { recursive: true });
  });

  it('with --no-addons is reported with that reason', () => {
    const { stdout } = run(report, { FOREBAY_ADDON: built }, ['--no-addons']);
    expect(stdout).toMatch(/Node\.js runs with --no-addons: leave that out, also in NODE_OPTIONS$/);
  });
});

describe('the remedy on another machine', () => {
  const machine = (change: Partial<Machine>): Machine => ({
    ...thisMachine(),
    glibc: '2.36',
    ...change,
  });
  const prebuilt = { file: built, by: 'prebuilt' } as const;

  it.each<[string, Partial<Machine>, RegExp]>([
    [
      'with musl',
      { musl: true, folder: '/app' },
      /no binary for musl.*"npx forebay build".*apk add.*node:22-slim/,
    ],
    [
      'of a platform without a binary',
      { platform: 'freebsd', arch: 'x64', folder: '/app' },
      /no binary for freebsd-x64: "npx forebay build"/,
    ],
    [
      'if forebay was bundled',
      { folder: undefined },
      /bundled.*--external:forebay.*serverExternalPackages.*external: \['forebay'\].*FOREBAY_ADDON=FILE.*configure/,
    ],
  ])('%s is given if no addon is found', (_what, change, message) => {
    expect(nothingFound(machine(change))).toMatch(message);
  });

  const libc = (glibc: string | undefined, name: 'Node' | 'Deno' = 'Node') =>
    machine({ glibc, runtime: { name, version: '1' } });
  it.each<[string, Machine, RegExp]>([
    [
      "/lib/libc.so.6: version `GLIBC_2.38' not found (required by x.node)",
      libc('2.31'),
      /^it needs glibc 2\.38 or later, but this system has 2\.31: "npx forebay build"/,
    ],
    [
      "/lib/libc.so.6: version `GLIBC_2.38' not found (required by x.node)",
      libc(undefined, 'Deno'),
      /^it needs glibc 2\.38 or later: "npx forebay build"/,
    ],
    ['Error loading shared library ld-linux-x86-64.so.2', machine({ musl: true }), /musl/],
    ['Error relocating x.node: __memcpy_chk: symbol not found', machine({ musl: true }), /musl/],
    ['libc.musl-x86_64.so.1: cannot open shared object file', machine({}), /another C library/],
    [
      'libopenblas.so.0: cannot open shared object file',
      machine({}),
      /apt-get install libopenblas0/,
    ],
    [
      "libstdc++.so.6: version `GLIBCXX_3.4.32' not found",
      machine({}),
      /C\+\+ library.*npx forebay build/,
    ],
    [
      'Requires ffi access to "/app/x.node", run again with the --allow-ffi flag',
      machine({}),
      /--allow-ffi --allow-read --allow-env/,
    ],
    [
      'Cannot load native addon because loading addons is disabled.',
      machine({ permissionModel: true }),
      /--permission.*--allow-addons/,
    ],
    ['out of memory', machine({}), /^install forebay again; or "npx forebay build"/],
    [
      'out of memory',
      machine({ runtime: { name: 'Bun', version: '1.4.5' } }),
      /this is Bun 1\.4\.5/,
    ],
  ])('is given for the error "%s"', (reason, of, remedy) => {
    expect(remedyFor(reason, prebuilt, of)).toMatch(remedy);
  });

  it('names the system that a file is for, by its first bytes', () => {
    const linux = { platform: 'linux', arch: process.arch };
    expect(wrongKind(built, linux)).toBeUndefined();
    expect(wrongKind(built, { ...linux, platform: 'freebsd' })).toBeUndefined();
    expect(wrongKind(built, { ...linux, arch: 'riscv64' })).toMatch(/for riscv64$/);
    expect(wrongKind(built, { ...linux, platform: 'darwin' })).toBe(
      'it is an addon for Linux, but this is macOS',
    );
    const mac = file('of-mac.node', Buffer.from('cffaedfe0c00000100000000', 'hex'));
    expect(wrongKind(mac, { platform: 'darwin', arch: 'arm64' })).toBeUndefined();
  });
});
