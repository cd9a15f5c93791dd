/**
 * `forebay build` compiles the addon on this machine with the node-gyp that comes with npm. Nothing is downloaded,
 * because the package has all headers. The command compiles in a temporary folder, and replaces an existing addon only
 * if the new addon loads.
 */

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NativeError } from '../errors.js';
import { cacheFolder, runtime } from '../native/surroundings.js';

/** The exports of native/check-deps.cjs and native/vendor.cjs. */
interface Dependencies {
  findMissing(needs: { readonly gyp: boolean }): readonly object[];
  describeMissing(missing: readonly object[]): string;
}
interface Vendor {
  copyHeaders(to: string): void;
}

// The folder of the package. The path is the same from src/cli and from dist/cli.
const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);

/**
 * Compiles the addon and puts it where forebay looks for it.
 * @returns the path of the addon
 * @throws NativeError if a build dependency is missing, or if compiling or loading the addon fails
 */
export function build(): string {
  if (runtime().name !== 'Node') {
    throw new NativeError(
      `forebay build: expected Node.js, because node-gyp runs only there, but this is ${runtime().name}; run "npx forebay build" with Node.js`,
    );
  }
  const { findMissing, describeMissing } = require(`${root}native/check-deps.cjs`) as Dependencies;
  const missing = findMissing({ gyp: true });
  if (missing.length > 0) throw new NativeError(describeMissing(missing));
  const gyp = findNodeGyp();
  let work: string | undefined;
  try {
    work = mkdtempSync(join(tmpdir(), 'forebay-build-'));
    return install(compileIn(work, gyp));
  } catch (cause) {
    if (cause instanceof NativeError) throw cause;
    throw new NativeError(`forebay build: ${(cause as Error).message}`, { cause });
  } finally {
    if (work !== undefined) rmSync(work, { recursive: true, force: true });
  }
}

function compileIn(work: string, gyp: string): string {
  for (const part of ['package.json', 'native']) {
    copy(join(root, part), join(work, part));
  }
  // The package has no binding.gyp in its root folder, because with this file "npm ci" would compile the package: a
  // lock file does not record that package.json has "gypfile": false.
  copyFileSync(join(root, 'native/binding.gyp'), join(work, 'binding.gyp'));
  const headers = join(work, 'native/vendor');
  (require(`${root}native/vendor.cjs`) as Vendor).copyHeaders(headers);
  const options = [`--nodedir=${join(headers, 'node')}`, '--force-process-config', '--jobs=max'];
  const { status } = spawnSync(process.execPath, [gyp, 'rebuild', ...options], {
    cwd: work,
    // The compiler writes to standard error, because scripts read the name of the addon from standard output.
    stdio: ['ignore', process.stderr.fd, process.stderr.fd],
  });
  const built = join(work, 'build/Release/forebay.node');
  if (status !== 0 || !existsSync(built)) {
    throw new NativeError('forebay build: compiling failed; see the output of the compiler above');
  }
  // Load the addon in a separate process, because a faulty addon may crash the process that loads it.
  const script = 'require(process.argv[1]).nativeInfo()';
  const tried = spawnSync(process.execPath, ['-e', script, `${root}dist/index.js`], {
    env: { ...process.env, FOREBAY_ADDON: built },
    encoding: 'utf8',
  });
  if (tried.status !== 0) {
    const reason = tried.signal ? `the process ended by ${tried.signal}` : tried.stderr;
    throw new NativeError(`forebay build: the compiled addon does not load: ${reason}`);
  }
  return built;
}

/**
 * Copies a file, or a folder without its subfolder `test`. Folders are copied file by file, because this also works
 * inside the archives of Yarn's Plug'n'Play.
 */
function copy(from: string, to: string): void {
  if (!statSync(from).isDirectory()) {
    copyFileSync(from, to);
    return;
  }
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (name !== 'test') copy(join(from, name), join(to, name));
  }
}

/**
 * Puts the addon into the package or, if the package cannot be written, into the cache, where forebay also looks.
 * @returns the path of the addon
 */
function install(built: string): string {
  const inPackage = join(root, 'build/Release');
  const folders = [inPackage];
  // If the package is in an archive, only the cache remains: an addon can be neither written to an archive nor loaded
  // from it.
  if (/\.zip[\\/]/.test(root)) folders.pop();
  const cache = cacheFolder();
  if (cache !== undefined) folders.push(cache);
  let failure: unknown;
  for (const folder of folders) {
    try {
      const file = put(built, folder);
      const first = join(inPackage, 'forebay.node');
      if (folder === inPackage || !existsSync(first)) return file;
      failure = new NativeError(
        `forebay build: the addon is in ${file}, but forebay loads ${first}, which cannot be replaced; delete that file, or set FOREBAY_ADDON=${file}`,
      );
    } catch (error) {
      failure = error;
    }
  }
  if (failure instanceof NativeError) throw failure;
  throw new NativeError(
    `forebay build: neither ${root} nor a cache can be written; set XDG_CACHE_HOME to a folder that can be written`,
    { cause: failure },
  );
}

/**
 * Puts the addon into a folder, and returns its path. It is copied under a temporary name and then renamed, because
 * overwriting a file that a running process has mapped into memory would crash the process.
 */
function put(built: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'forebay.node');
  const fresh = `${file}.${process.pid}`;
  try {
    copyFileSync(built, fresh);
    renameSync(fresh, file);
  } finally {
    rmSync(fresh, { force: true });
  }
  return file;
}

/**
 * Returns the path of the script of node-gyp. Looks first in the npm that started this process, then in the folders of
 * Node and of PATH.
 * @throws NativeError if node-gyp is not found
 */
function findNodeGyp(): string {
  const { npm_config_node_gyp: named, npm_execpath: npm, PATH = '' } = process.env;
  const inNpm = (folder: string) => join(folder, 'node_modules/node-gyp/bin/node-gyp.js');
  const candidates = [
    ...(named ? [named] : []),
    ...(npm ? [inNpm(dirname(dirname(npm))), inNpm(dirname(npm))] : []),
    inNpm(join(dirname(dirname(process.execPath)), 'lib/node_modules/npm')),
    join(dirname(dirname(process.execPath)), 'lib/node_modules/node-gyp/bin/node-gyp.js'),
    ...PATH.split(delimiter).flatMap((folder) => [
      ...real(join(folder, 'npm')).map((file) => inNpm(dirname(dirname(file)))),
      ...real(join(folder, 'node-gyp')),
    ]),
  ];
  const found = candidates.find((file) => file.endsWith('.js') && existsSync(file));
  if (found !== undefined) return found;
  throw new NativeError(
    'forebay build: node-gyp was not found; run "npx forebay build", because npm includes node-gyp, or run "npm install --global node-gyp" and build again',
  );
}

function real(file: string): string[] {
  try {
    return [realpathSync(file)];
  } catch {
    return [];
  }
}
