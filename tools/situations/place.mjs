// The folder in which a situation is tried: an empty project outside the checkout, the tools, and the tarball.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tarball } from '../package.mjs';
import { binOf, cache, modulesOf } from './tools.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Outside the checkout, whose node_modules would be found from any folder inside.
const digest = createHash('sha256').update(root).digest('hex').slice(0, 8);
const base = join(tmpdir(), `forebay-situations-${digest}`);
/** For `timeout`, which ends all that the commands have started: none takes five minutes that does not hang. */
const patience = ['--kill-after=10', '300'];

/** Removes what the situations have left behind. */
export const clean = () => rmSync(base, { recursive: true, force: true });

/** The registry that this machine's npm asks. */
const registry = () =>
  execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();

/** The variables that a user has: none of ours, and none of the npm or vitest that may have started us. */
function environment(paths) {
  const ours = /^(npm_|FOREBAY_|NODE_(OPTIONS|PATH|ENV|V8_COVERAGE)$|VITEST|CI$|INIT_CWD$|PATH$)/;
  const others = Object.entries(process.env).filter(([name]) => !ours.test(name));
  const nodes = [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'];
  return {
    ...Object.fromEntries(others),
    PATH: [...paths, ...nodes].join(delimiter),
    // The stores of package managers and the caches of tools, kept from run to run.
    ...{ PNPM_HOME: join(cache, 'pnpm'), XDG_DATA_HOME: join(cache, 'data') },
    ...{ XDG_CACHE_HOME: join(cache, 'cache'), XDG_STATE_HOME: join(cache, 'state') },
    ...{ YARN_GLOBAL_FOLDER: join(cache, 'yarn'), YARN_ENABLE_TELEMETRY: '0' },
    // Else Yarn asks a registry of its own.
    YARN_NPM_REGISTRY_SERVER: registry(),
    ...{ BUN_INSTALL: join(cache, 'bun'), DENO_DIR: join(cache, 'deno'), DO_NOT_TRACK: '1' },
    ...{ NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1', NO_UPDATE_NOTIFIER: '1' },
  };
}

/** Copies a folder's contents by hard links: a copy of Next.js would be 300 MB. */
function linkInto(from, to) {
  mkdirSync(to, { recursive: true });
  const linked = spawnSync('cp', ['-al', `${from}/.`, to], { stdio: 'ignore' });
  if (linked.status !== 0) execFileSync('cp', ['-a', `${from}/.`, to]);
}

/** forebay and what it depends on, as npm installs the tarball: once for all that do not install it themselves. */
function installedOnce() {
  const folder = join(base, 'installed');
  const modules = join(folder, 'node_modules');
  if (existsSync(join(modules, 'forebay'))) return modules;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const options = ['--prefer-offline', '--no-audit', '--no-fund'];
  execFileSync('npm', ['install', ...options, tarball], { cwd: folder, stdio: 'ignore' });
  return modules;
}

/** A folder for PATH with which this machine has no compiler: whoever starts one fails, and says so. */
function noCompiler() {
  const folder = join(base, 'no-compiler');
  mkdirSync(folder, { recursive: true });
  for (const name of ['cc', 'c++', 'gcc', 'g++', 'make', 'python3', 'python', 'node-gyp']) {
    const text = `#!/bin/sh\necho 'there is no ${name} on this machine' >&2\nexit 127\n`;
    writeFileSync(join(folder, name), text, { mode: 0o755 });
  }
  return folder;
}

/** Forgets what an earlier tarball had installed. */
export function begin() {
  if (!existsSync(tarball)) throw new Error('there is no tarball yet: node tools/package.mjs');
  clean();
}

/**
 * @param name of the situation
 * @param options `inside`: tools that are the project's own packages; `path`: tools that are the machine's;
 *   `installs`: the situation installs forebay itself
 */
export function emptyPlace(name, { inside = [], path = [], installs = false } = {}) {
  const folder = join(base, name.replace(/\W+/g, '-').toLowerCase());
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const modules = join(folder, 'node_modules');
  for (const tool of inside) linkInto(modulesOf(tool), modules);
  if (installs) copyFileSync(tarball, join(folder, 'forebay.tgz'));
  else linkInto(installedOnce(), modules);
  // Where the recipes deploy to: outside the project, so that its node_modules are not found from there.
  const deploy = `${folder}.deployed`;
  for (const left of [deploy, `${deploy}.hidden`]) rmSync(left, { recursive: true, force: true });
  mkdirSync(deploy);
  const paths = path.map(binOf);
  const env = { ...environment(installs ? [...paths, noCompiler()] : paths), DEPLOY: deploy };
  return {
    folder,
    write(file, text) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    },
    /** Runs shell commands, to the first that fails. */
    sh(commands) {
      // Into a file: tools make a pipe that they are given non-blocking, and what Node prints of an uncaught error
      // is cut off then.
      const log = openSync(`${deploy}.log`, 'w');
      const { status, signal } = spawnSync('timeout', [...patience, 'sh', '-e', '-c', commands], {
        ...{ cwd: folder, env, stdio: ['ignore', log, log] },
      });
      closeSync(log);
      return {
        ok: status === 0,
        status: status ?? signal,
        output: readFileSync(`${deploy}.log`, 'utf8'),
      };
    },
    remove() {
      for (const used of [folder, deploy, `${deploy}.hidden`, `${deploy}.log`])
        rmSync(used, { recursive: true, force: true });
    },
  };
}
