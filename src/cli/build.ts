/**
 * `forebay build`: compiles the addon on this machine, by the node-gyp that npm brings along. Nothing is downloaded: the
 * package has all headers. The work is done in a folder of its own, so that an addon that is in use, or one that works,
 * is replaced only by one that loads.
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

/** What native/check-deps.cjs and native/vendor.cjs offer. */
interface Dependencies {
  findMissing(needs: { readonly gyp: boolean }): readonly object[];
  describeMissing(missing: readonly object[]): string;
}
interface Vendor {
  copyHeaders(to: string): void;
}

// The same from src/cli and from dist/cli.
const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);

/**
 * Compiles the addon and puts it where forebay looks for it.
 * @returns its file
 * @throws NativeError if something that compiling needs is missing, or it fails
 */
export function build(): string {
  if (runtime().name !== 'Node') {
    throw new NativeError('forebay build: node-gyp runs on Node.js alone: "npx forebay build"');
  }
  const { findMissing, describeMissing } = require(`${root}native/check-deps.cjs`) as Dependencies;
  const missing = findMissing({ gyp: true });
  if (missing.length > 0) throw new NativeError(describeMissing(missing));
  const gyp = findNodeGyp();
  const work = mkdtempSync(join(tmpdir(), 'forebay-build-'));
  try {
    return place(compileIn(work, gyp));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function compileIn(work: string, gyp: string): string {
  for (const part of ['package.json', 'native']) {
    copy(join(root, part), join(work, part));
  }
  // Not in the package's own folder: "npm ci" would take it for a wish to have it compiled, for a lock file does not
  // say that package.json has "gypfile": false.
  copyFileSync(join(root, 'native/binding.gyp'), join(work, 'binding.gyp'));
  const headers = join(work, 'native/vendor');
  (require(`${root}native/vendor.cjs`) as Vendor).copyHeaders(headers);
  const options = [`--nodedir=${join(headers, 'node')}`, '--force-process-config', '--jobs=max'];
  const { status } = spawnSync(process.execPath, [gyp, 'rebuild', ...options], {
    cwd: work,
    // Standard output is the file's name, for scripts.
    stdio: ['ignore', process.stderr.fd, process.stderr.fd],
  });
  const built = join(work, 'build/Release/forebay.node');
  if (status !== 0 || !existsSync(built)) {
    throw new NativeError('forebay build: compiling failed; what the compiler said is above');
  }
  // In a process of its own, which it may end.
  const script = 'require(process.argv[1]).nativeInfo()';
  const tried = spawnSync(process.execPath, ['-e', script, `${root}dist/index.js`], {
    env: { ...process.env, FOREBAY_ADDON: built },
    encoding: 'utf8',
  });
  if (tried.status !== 0) {
    throw new NativeError(`forebay build: what was compiled does not load: ${tried.stderr}`);
  }
  return built;
}

/** Copies by reading and writing, as from within the archives of Yarn's Plug'n'Play; without native/test. */
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

/** Into the package; where that cannot be written, into the cache, where forebay looks too. */
function place(built: string): string {
  const folders = [join(root, 'build/Release')];
  // A file in an archive could be written by nobody and loaded by nobody.
  if (/\.zip[\\/]/.test(root)) folders.pop();
  const cache = cacheFolder();
  if (cache !== undefined) folders.push(cache);
  let failure: unknown;
  for (const folder of folders) {
    try {
      return put(built, folder);
    } catch (error) {
      failure = error;
    }
  }
  throw new NativeError(
    `forebay build: neither ${root} nor a cache can be written (set XDG_CACHE_HOME to a folder that can)`,
    { cause: failure },
  );
}

/** Renamed into place: writing over a file that a running process has mapped would crash it. */
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

/** The script of node-gyp: the one of the npm that started us, or of another npm that can be found. */
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
    'forebay build: node-gyp was not found; npm brings it along: run "npx forebay build", or "npm install --global node-gyp" and build again',
  );
}

function real(file: string): string[] {
  try {
    return [realpathSync(file)];
  } catch {
    return [];
  }
}
