// Builds the addons of the package into prebuilds/. They contain OpenBLAS and the C++ library, so users need neither a
// compiler nor OpenBLAS. On Linux x64 this builds two addons, for x64 and for arm64. The addon for arm64 needs Debian's
// cross compiler (g++-aarch64-linux-gnu). Without this compiler, it is left out.
//   npm run prebuild                builds for use on this machine
//   npm run prebuild -- --release   builds the addons to publish. They are linked in a Debian 11 chroot (which needs
//                                   root), and work on every Linux with glibc 2.31 or later
//   npm run prebuild -- --check     builds nothing, and checks that the addons in prebuilds/ can be published
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { crossBuild, crossEnvironment, missingForCross } from './cross.mjs';
import { architectureOf, newest, symbolsOf } from './symbols.mjs';

const require = createRequire(import.meta.url);

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The oldest version of glibc on which the published addons run. Debian 11 and Ubuntu 20.04 have it; RHEL 9 has a newer
 * one.
 */
export const ceiling = '2.31';

const libc = process.platform === 'linux' ? '.glibc' : '';
/** Returns the path of the addon for a processor. src/native/locate.ts looks for the addon at this path. */
export const prebuiltFor = (arch) =>
  join(root, `prebuilds/${process.platform}-${arch}/forebay.napi${libc}.node`);
/** The path of the addon for this machine. */
export const prebuilt = prebuiltFor(process.arch);

/** The processors for which a package must have an addon if it is built on this machine. */
export const published =
  process.platform === 'linux' && process.arch === 'x64' ? ['x64', 'arm64'] : [process.arch];

const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });

/** Runs native/blas.cjs with these environment variables. Returns its result: how to compile and link with OpenBLAS. */
function blasIn(env) {
  const ask = "JSON.stringify(require('./native/blas.cjs').chooseBlas())";
  return JSON.parse(execFileSync(process.execPath, ['-p', ask], { cwd: root, env }).toString());
}

// ---- Building for this machine, and for ARM.

/** Builds the addon for a processor and copies it to prebuilds/. @returns the folders of the build and of OpenBLAS */
function build(arch) {
  const cross = arch !== process.arch;
  const work = cross
    ? crossBuild('forebay_prebuilt', ['-DFOREBAY_ADDON=ON'])
    : buildHere('forebay_prebuilt');
  const built = [join(work, 'Release'), work]
    .map((folder) => join(folder, 'forebay_prebuilt.node'))
    .find((file) => existsSync(file));
  place(built, arch);
  const { folders, name } = blasIn(cross ? crossEnvironment() : process.env);
  writeFileSync(join(dirname(prebuiltFor(arch)), 'LICENSES.txt'), licences(folders[0] ?? '', name));
  return { arch, work, blas: folders[0] };
}

function buildHere(target) {
  // Uses the build folder of `npm run build`, if there is one, because it may already have the same objects.
  const known = ['.cmake/dev/build', '.cmake/prebuild'];
  const work = known.find((folder) => existsSync(join(folder, 'CMakeCache.txt'))) ?? known[1];
  run('cmake', ['-S', '.', '-B', work, '-DCMAKE_BUILD_TYPE=Release', '-Wno-dev']);
  const jobs = String(availableParallelism());
  run('cmake', ['--build', work, '--target', target, '--parallel', jobs]);
  return work;
}

/** Copies a built addon to prebuilds/. */
function place(built, arch) {
  const file = prebuiltFor(arch);
  mkdirSync(dirname(file), { recursive: true });
  // The copy is renamed to its final name, because overwriting a file that a running process has mapped would crash the
  // process.
  copyFileSync(built, `${file}.new`);
  renameSync(`${file}.new`, file);
}

/**
 * Returns the text of LICENSES.txt, on the third-party code in the addon. It quotes Debian's file on OpenBLAS, if
 * found.
 */
function licences(folder, name) {
  const system = folder.replace(/\/usr\/lib\/.*/, '');
  const copyright = ['libopenblas-pthread-dev', 'libopenblas-dev']
    .map((pkg) => join(system, '/usr/share/doc', pkg, 'copyright'))
    .find((file) => existsSync(file));
  const words = copyright
    ? readFileSync(copyright, 'utf8')
    : 'https://www.openblas.net, BSD-3-Clause\n';
  const library =
    'It also contains the C++ library of GCC, under the GPL 3 with the GCC Runtime Library Exception 3.1.\n';
  return `This addon contains ${name}:\n\n${words}\n${library}`;
}

// ---- Building the addons to publish.

/**
 * The packages of the chroot. The addons are linked there, with the C library and the C++ library of Debian 11. The
 * kernels and OpenBLAS come from this machine, as archives of objects, which do not depend on the version of these
 * libraries. They are not compiled in the chroot, because kernels from the compiler of Debian 11 take a fifth longer
 * (in the workload `mlp-256`), and its OpenBLAS, 0.3.13, is older than many processors.
 */
const packages = ['g++', 'g++-aarch64-linux-gnu', 'cmake', 'make', 'pkg-config'];
export const chroot = resolve(process.env.FOREBAY_CHROOT ?? join(root, '.cmake/bullseye'));
const mirror = process.env.FOREBAY_MIRROR ?? 'http://deb.debian.org/debian';
/**
 * The folder in the chroot into which the archives of this machine are copied. It has a subfolder for each processor.
 */
const archives = '/opt/forebay';

function release() {
  if (process.getuid?.() !== 0) throw new Error('--release makes a chroot, which only root can do');
  const lacking = missingForCross().map((need) => need.package);
  if (lacking.length > 0) throw new Error(`for arm64: apt-get install ${lacking.join(' ')}`);
  const builds = published.map(build);
  if (!existsSync(join(chroot, 'usr/bin/aarch64-linux-gnu-g++'))) {
    rmSync(chroot, { recursive: true, force: true });
    mkdirSync(chroot, { recursive: true });
    const options = ['--variant=minbase', `--include=${packages.join()}`];
    run('debootstrap', [...options, 'bullseye', chroot, mirror]);
  }
  copyFileSync(process.execPath, join(chroot, 'usr/local/bin/node'));
  // The build folders of an earlier release are kept, so that CMake builds only changed files.
  const project = join(chroot, 'forebay');
  mkdirSync(project, { recursive: true });
  const parts = ['CMakeLists.txt', 'package.json', 'native', 'tools'];
  for (const part of [...parts, ...['node-addon-api', 'node-api-headers'].map(inModules)]) {
    rmSync(join(project, part), { recursive: true, force: true });
    cpSync(join(root, part), join(project, part), { recursive: true, preserveTimestamps: true });
  }
  for (const { arch, work, blas } of builds) {
    bringArchives(arch, work, blas);
    place(linkInChroot(project, arch), arch);
  }
}

function bringArchives(arch, work, blas) {
  const inside = join(chroot, archives, arch);
  rmSync(inside, { recursive: true, force: true });
  const [includes] = blasIn(arch === process.arch ? process.env : crossEnvironment()).includes;
  cpSync(includes, join(inside, 'include'), { recursive: true, dereference: true });
  copyFileSync(join(work, 'libforebay_kernels.a'), join(inside, 'libforebay_kernels.a'));
  copyFileSync(join(blas, 'libopenblas.a'), join(inside, 'libopenblas.a'));
  const facts = ['Name: openblas', 'Description: of the machine outside', 'Version: 0'];
  const folder = `${archives}/${arch}`;
  const flags = [`Cflags: -I${folder}/include`, `Libs: -L${folder} -lopenblas`];
  writeFileSync(join(inside, 'openblas.pc'), `${[...facts, ...flags].join('\n')}\n`);
}

/** Compiles everything except the kernels in the chroot, and links the addon. @returns its path outside the chroot */
function linkInChroot(project, arch) {
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: '/root',
    PKG_CONFIG_LIBDIR: `${archives}/${arch}`,
  };
  const work = `.cmake/${arch}`;
  const options = [
    ...['-DCMAKE_BUILD_TYPE=Release', '-Wno-dev'],
    `-DFOREBAY_KERNELS=${archives}/${arch}/libforebay_kernels.a`,
    ...(arch === 'arm64' ? ['-DCMAKE_TOOLCHAIN_FILE=tools/aarch64.cmake'] : []),
  ];
  const jobs = String(availableParallelism());
  const commands = [
    ['cmake', '-S', '.', '-B', work, ...options],
    ['cmake', '--build', work, '--target', 'forebay_prebuilt', '--parallel', jobs],
  ].map((words) => words.join(' '));
  run('chroot', [chroot, 'sh', '-c', `cd /forebay && ${commands.join(' && ')}`], { env });
  return join(project, work, 'forebay_prebuilt.node');
}

const inModules = (name) => join('node_modules', name);

// ---- Checking the addons.

/** Throws if the addon needs a library other than the C library, or symbols of Node other than Node-API. */
export function assertSelfContained(file) {
  const { needed, imports } = symbolsOf(file);
  const ours = /^(libc|libm|libpthread|libdl|librt|ld-linux[-\w]*)\.so\.\d+$/;
  const strange = needed.filter((library) => !ours.test(library));
  if (strange.length > 0) throw new Error(`${file} needs ${strange.join(', ')}`);
  const beyond = imports.filter((name) => !/^napi_/.test(name));
  if (beyond.length > 0)
    throw new Error(`${file} imports symbols that are not of Node-API: ${beyond.join(', ')}`);
}

/** Throws if the addon needs a newer glibc than `ceiling`. @returns the version that it needs */
export function assertGlibc(file) {
  const { glibc } = symbolsOf(file);
  const late = [...glibc].filter(([, version]) => newest([version, ceiling]) !== ceiling);
  if (late.length === 0) return newest([...glibc.values()]);
  const names = late.map(([name, version]) => `${name} (${version})`).join(', ');
  throw new Error(`${file} needs a glibc newer than ${ceiling}: ${names}`);
}

/**
 * Returns the description of the OpenBLAS in the addon. An addon for another processor cannot be loaded, so the
 * description is searched for in the bytes of the file.
 */
function blasOf(file, arch) {
  if (arch === process.arch) return require(file).describe().blas;
  const [library = ''] = /OpenBLAS \d[ -~]*/.exec(readFileSync(file, 'latin1')) ?? [];
  return { library };
}

/** Throws if the OpenBLAS in the addon uses OpenMP, or lacks kernels for some processors. @returns a summary */
function assertBlas(file, arch) {
  const { library, core } = blasOf(file, arch);
  if (!library.includes('DYNAMIC_ARCH') || library.includes('USE_OPENMP')) {
    throw new Error(
      `${file}: its OpenBLAS must have DYNAMIC_ARCH and must not have USE_OPENMP, but is: ${library}`,
    );
  }
  return `${library.trim()}${core === undefined ? '' : `; on this machine it chooses ${core}`}`;
}

function check(arch, toPublish) {
  const file = prebuiltFor(arch);
  if (!existsSync(file)) throw new Error(`there is no ${file}: run npm run prebuild`);
  const packed = gzipSync(readFileSync(file), { level: 9 }).length;
  const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(`${file.slice(root.length)}: ${mb(statSync(file).size)}, ${mb(packed)} compressed`);
  if (process.platform !== 'linux') return;
  const found = architectureOf(file);
  if (found !== arch) throw new Error(`${file} is for ${found ?? 'another processor'}`);
  assertSelfContained(file);
  const needs = toPublish ? assertGlibc(file) : newest([...symbolsOf(file).glibc.values()]);
  console.log(`  glibc ${needs} or later`);
  console.log(`  ${assertBlas(file, arch)}`);
}

/**
 * Returns true if npm started this script because of `npm run build`. npm runs a script named `prebuild` before
 * `build`, and in this case there is nothing to do. Only the command line of the npm process shows the difference.
 */
function beforeBuild() {
  if (process.env.npm_lifecycle_event !== 'prebuild' || process.platform !== 'linux') return false;
  for (let pid = process.ppid; pid > 1; ) {
    const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    if (/^npm (run|run-script|rum|urn) build\b/.test(title)) return true;
    // The fields of the file are: pid (command) state parent …
    pid = Number(/^\d+ \(.*\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  }
  return false;
}

/** Builds for this machine and, if there is a cross compiler, for ARM. @returns the processors for which it built */
function buildAll() {
  const lacking = missingForCross();
  const possible = published.filter((arch) => arch === process.arch || lacking.length === 0);
  for (const arch of possible) build(arch);
  for (const arch of published.filter((name) => !possible.includes(name))) {
    // Deletes an addon of an earlier build, because it is not built from this code, but would be packed.
    rmSync(dirname(prebuiltFor(arch)), { recursive: true, force: true });
    const names = lacking.map((need) => need.package).join(' ');
    console.log(
      `${arch} is left out, because this machine has no compiler for it: apt-get install ${names}`,
    );
  }
  return possible;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && !beforeBuild()) {
  process.chdir(root);
  const toPublish = process.argv.includes('--release') || process.argv.includes('--check');
  if (process.argv.includes('--release')) release();
  const there = toPublish ? published : buildAll();
  for (const arch of there) check(arch, toPublish);
}
