// Building for 64-bit ARM on another machine: by Debian's cross compiler, with OpenBLAS for ARM, which apt
// downloads into a folder of ours. Nothing is installed, and the machine's own package lists stay as they are.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Everything that is built and downloaded for ARM. */
export const work = join(root, '.cmake/aarch64');
/** CMake's folder: the kernels are compiled once, for the C++ tests and for the addon. */
const folder = join(work, 'build');

const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });

/** The commands that cross-building needs and this machine lacks, and the Debian packages that have them. */
export function missingForCross() {
  const needs = {
    'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu',
    'apt-get': 'apt',
    dpkg: 'dpkg',
  };
  return Object.entries(needs)
    .filter(([command]) => spawnSync(command, ['--version'], { stdio: 'ignore' }).error)
    .map(([command, name]) => ({ command, package: name }));
}

/**
 * Downloads Debian packages for ARM from the archives that this machine's apt knows, and unpacks them.
 *
 * @param {string} name of the folder to unpack into, which is kept: a second call does nothing
 * @param {readonly string[]} packages by name; what they depend on is not added
 * @returns the folder
 */
export function fetchPackages(name, packages) {
  const unpacked = join(work, name);
  if (existsSync(unpacked)) return unpacked;
  const apt = join(work, 'apt');
  const archives = join(apt, name);
  rmSync(archives, { recursive: true, force: true });
  for (const path of ['lists/partial', 'cache/archives/partial', name]) {
    mkdirSync(join(apt, path), { recursive: true });
  }
  const options = [
    ...['APT::Architecture=arm64', 'APT::Architectures=arm64', 'APT::Sandbox::User=root'],
    ...[
      `Dir::State::Lists=${apt}/lists`,
      `Dir::Cache=${apt}/cache`,
      'Dir::State::Status=/dev/null',
    ],
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...options, '-q', 'update'], { cwd: archives });
  run('apt-get', [...options, '-q', 'download', ...packages], { cwd: archives });
  rmSync(`${unpacked}.new`, { recursive: true, force: true });
  for (const file of readdirSync(archives)) {
    run('dpkg', ['-x', join(archives, file), `${unpacked}.new`]);
  }
  renameSync(`${unpacked}.new`, unpacked);
  return unpacked;
}

/** The environment in which native/blas.cjs answers with OpenBLAS for ARM. */
export function crossEnvironment() {
  const sysroot = fetchPackages('root', ['libopenblas-pthread-dev']);
  const libraries = join(sysroot, 'usr/lib/aarch64-linux-gnu/openblas-pthread');
  return {
    ...process.env,
    PKG_CONFIG_LIBDIR: join(libraries, 'pkgconfig'),
    PKG_CONFIG_SYSROOT_DIR: sysroot,
  };
}

/**
 * Builds one target of CMakeLists.txt for ARM.
 *
 * @param {string} target
 * @param {readonly string[]} options of CMake's configuration, beside those for ARM
 * @returns the folder of the build
 */
export function crossBuild(target, options = []) {
  const env = crossEnvironment();
  const all = [
    '-DCMAKE_TOOLCHAIN_FILE=tools/aarch64.cmake',
    ...['-DCMAKE_BUILD_TYPE=Release', '-Wno-dev'],
    ...options,
  ];
  run('cmake', ['-S', '.', '-B', folder, ...all], { cwd: root, env });
  const jobs = String(availableParallelism());
  run('cmake', ['--build', folder, '--target', target, '--parallel', jobs], { cwd: root, env });
  return folder;
}
