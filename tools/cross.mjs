// Builds for 64-bit ARM on another machine, with Debian's cross compiler and OpenBLAS for ARM. apt downloads OpenBLAS
// into .cmake/aarch64. Nothing is installed, and the package lists of this machine are not changed.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** The folder for all files that are built or downloaded for ARM. */
export const work = join(root, '.cmake/aarch64');
/** The build folder of CMake. It is shared, so that the kernels are compiled once for the C++ tests and the addon. */
const folder = join(work, 'build');

const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });

/**
 * Returns the commands that cross-compiling needs and this machine lacks, with the Debian packages that contain them.
 */
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
 * Downloads Debian packages for ARM from the sources that apt uses on this machine, and unpacks them.
 *
 * @param {string} name the name of the folder to unpack into. If the folder exists, the call does nothing
 * @param {readonly string[]} packages the names of the packages. Their dependencies are not downloaded
 * @returns the path of the folder
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

/** Returns the environment variables with which native/blas.cjs finds OpenBLAS for ARM. */
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
 * @param {readonly string[]} options options for configuring CMake, in addition to those for ARM
 * @returns the path of the build folder
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
