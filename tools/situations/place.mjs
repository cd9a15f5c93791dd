// Makes the folder in which a situation (a use of the package with certain tools) is tried: an empty project outside
// the checkout, with the tools and forebay.
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
// The projects are outside the checkout, because in a folder of the checkout, Node would find the node_modules of the
// checkout.
const digest = createHash('sha256').update(root).digest('hex').slice(0, 8);
const base = join(tmpdir(), `forebay-situations-${digest}`);
/**
 * Options of `timeout`, which stops commands and their child processes after 300 s. No recipe should take that long.
 */
const patience = ['--kill-after=10', '300'];

/** Removes all files of the situations. */
export const clean = () => rmSync(base, { recursive: true, force: true });

/** Returns the URL of the registry that npm uses on this machine. */
const registry = () =>
  execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();

/**
 * Returns the environment variables of a user. They do not include our variables, nor those that npm or vitest set if
 * they started this process.
 */
function environment(paths) {
  const ours = /^(npm_|FOREBAY_|NODE_(OPTIONS|PATH|ENV|V8_COVERAGE)$|VITEST|CI$|INIT_CWD$|PATH$)/;
  const others = Object.entries(process.env).filter(([name]) => !ours.test(name));
  const nodes = [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'];
  return {
    ...Object.fromEntries(others),
    PATH: [...paths, ...nodes].join(delimiter),
    // The stores of package managers and the caches of tools are in our cache folder, which is kept between runs.
    ...{ PNPM_HOME: join(cache, 'pnpm'), XDG_DATA_HOME: join(cache, 'data') },
    ...{ XDG_CACHE_HOME: join(cache, 'cache'), XDG_STATE_HOME: join(cache, 'state') },
    ...{ YARN_GLOBAL_FOLDER: join(cache, 'yarn'), YARN_ENABLE_TELEMETRY: '0' },
    // Yarn uses the registry of npm here. By default it uses another one.
    YARN_NPM_REGISTRY_SERVER: registry(),
    ...{ BUN_INSTALL: join(cache, 'bun'), DENO_DIR: join(cache, 'deno'), DO_NOT_TRACK: '1' },
    ...{ NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1', NO_UPDATE_NOTIFIER: '1' },
  };
}

/** Copies the contents of a folder by hard links, if possible, because a real copy of Next.js would take 300 MB. */
function linkInto(from, to) {
  mkdirSync(to, { recursive: true });
  const linked = spawnSync('cp', ['-al', `${from}/.`, to], { stdio: 'ignore' });
  if (linked.status !== 0) execFileSync('cp', ['-a', `${from}/.`, to]);
}

/**
 * Installs the tarball with npm. This is done only once, for all situations that do not install the tarball themselves.
 * @returns the path of node_modules
 */
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

/** Makes a folder for PATH in which each compiler and build tool is a script that fails with a message. */
function noCompiler() {
  const folder = join(base, 'no-compiler');
  mkdirSync(folder, { recursive: true });
  for (const name of ['cc', 'c++', 'gcc', 'g++', 'make', 'python3', 'python', 'node-gyp']) {
    const text = `#!/bin/sh\necho 'there is no ${name} on this machine' >&2\nexit 127\n`;
    writeFileSync(join(folder, name), text, { mode: 0o755 });
  }
  return folder;
}

/** Removes the files that an earlier run installed, because they may be of an earlier tarball. */
export function begin() {
  if (!existsSync(tarball))
    throw new Error('there is no tarball: run node tools/package.mjs first');
  clean();
}

/**
 * Makes an empty project.
 * @param name the name of the situation
 * @param options `inside`: tools that are packages of the project; `path`: tools that are on PATH; `installs`: true if
 *   the situation installs forebay itself. If it is false, forebay is already installed in the project
 */
export function emptyPlace(name, { inside = [], path = [], installs = false } = {}) {
  const folder = join(base, name.replace(/\W+/g, '-').toLowerCase());
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const modules = join(folder, 'node_modules');
  for (const tool of inside) linkInto(modulesOf(tool), modules);
  if (installs) copyFileSync(tarball, join(folder, 'forebay.tgz'));
  else linkInto(installedOnce(), modules);
  // This is the folder $DEPLOY of the recipes. It is outside the project, so that a program in it does not find the
  // node_modules of the project.
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
    /** Runs shell commands until one of them fails. */
    sh(commands) {
      // The output is written to a file, not to a pipe. Some tools make a pipe non-blocking, so that Node cuts off the
      // message of an uncaught error.
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
