// Builds the addon that the package carries, so that whoever installs forebay needs no compiler and no
// OpenBLAS: OpenBLAS and the C++ library are inside.
//   npm run prebuild                for this machine, into prebuilds/
//   npm run prebuild -- --release   the one to publish: in a Debian 11 chroot (needs root), for any Linux
//                                   whose glibc is 2.31 or later
//   npm run prebuild -- --check     only looks at what is in prebuilds/: is it fit to be published?
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
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newest, symbolsOf } from './symbols.mjs';

const require = createRequire(import.meta.url);
const { chooseBlas } = require('../native/blas.cjs');

const root = fileURLToPath(new URL('..', import.meta.url));

/** The oldest glibc that the published addon runs on: that of Debian 11, Ubuntu 20.04 and RHEL 9. */
export const ceiling = '2.31';

const libc = process.platform === 'linux' ? '.glibc' : '';
/** Where src/native/locate.ts looks for it. */
export const prebuilt = join(
  root,
  `prebuilds/${process.platform}-${process.arch}/forebay.napi${libc}.node`,
);

const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });

// ---- For this machine.

function build() {
  // The developers' build has compiled the same objects already; in the chroot there is none.
  const known = ['.cmake/dev/build', '.cmake/prebuild'];
  const work = known.find((folder) => existsSync(join(folder, 'CMakeCache.txt'))) ?? known[1];
  const kernels = `-DFOREBAY_KERNELS=${process.env.FOREBAY_KERNELS ?? ''}`;
  run('cmake', ['-S', '.', '-B', work, '-DCMAKE_BUILD_TYPE=Release', kernels, '-Wno-dev']);
  const jobs = String(availableParallelism());
  run('cmake', ['--build', work, '--target', 'forebay_prebuilt', '--parallel', jobs]);
  const [built] = [join(work, 'Release'), work]
    .map((folder) => join(folder, 'forebay_prebuilt.node'))
    .filter((file) => existsSync(file));
  place(built);
  writeFileSync(join(prebuilt, '../LICENSES.txt'), licences());
  return work;
}

/** Renamed into place: writing over a file that a running process has mapped would crash it. */
function place(built) {
  mkdirSync(join(prebuilt, '..'), { recursive: true });
  copyFileSync(built, `${prebuilt}.new`);
  renameSync(`${prebuilt}.new`, prebuilt);
}

/** What is inside, beside forebay; in Debian's words where it is Debian's. */
function licences() {
  const { folders, name } = chooseBlas();
  const system = (folders[0] ?? '').replace(/\/usr\/lib\/.*/, '');
  const copyright = ['libopenblas-pthread-dev', 'libopenblas-dev']
    .map((pkg) => join(system, '/usr/share/doc', pkg, 'copyright'))
    .find((file) => existsSync(file));
  const words = copyright
    ? readFileSync(copyright, 'utf8')
    : 'https://www.openblas.net, BSD-3-Clause\n';
  const library =
    'The C++ library of GCC is inside, under the GPL 3 with the GCC Runtime Library Exception 3.1.\n';
  return `This addon has ${name} inside:\n\n${words}\n${library}`;
}

// ---- The one that is published.

/**
 * What the chroot is for: the C library that the addon is linked with, and the C++ library. The kernels
 * and OpenBLAS come from this machine, as archives of objects, which ask for no version of either: the
 * compiler of Debian 11 makes kernels that take a fifth longer (`mlp-256`), and its OpenBLAS, 0.3.13, is
 * older than many processors.
 */
const packages = ['g++', 'cmake', 'make', 'pkg-config'];
const chroot = resolve(process.env.FOREBAY_CHROOT ?? join(root, '.cmake/bullseye'));
const mirror = process.env.FOREBAY_MIRROR ?? 'http://deb.debian.org/debian';
/** Where in the chroot the archives of this machine lie. */
const archives = '/opt/forebay';

function release() {
  if (process.getuid?.() !== 0) throw new Error('a chroot can only be made by root');
  const work = build();
  if (!existsSync(join(chroot, 'usr/bin/cmake'))) {
    rmSync(chroot, { recursive: true, force: true });
    mkdirSync(chroot, { recursive: true });
    const options = ['--variant=minbase', `--include=${packages.join()}`];
    run('debootstrap', [...options, 'bullseye', chroot, mirror]);
  }
  copyFileSync(process.execPath, join(chroot, 'usr/local/bin/node'));
  bringArchives(work);
  const project = join(chroot, 'forebay');
  // The objects of the last release stay where they are: CMake builds again what has changed.
  mkdirSync(project, { recursive: true });
  const parts = ['CMakeLists.txt', 'package.json', 'native', 'tools'];
  for (const part of [...parts, ...['node-addon-api', 'node-api-headers'].map(inModules)]) {
    rmSync(join(project, part), { recursive: true, force: true });
    cpSync(join(root, part), join(project, part), { recursive: true, preserveTimestamps: true });
  }
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: '/root',
    PKG_CONFIG_LIBDIR: archives,
    FOREBAY_KERNELS: join(archives, 'libforebay_kernels.a'),
  };
  run('chroot', [chroot, 'sh', '-c', 'cd /forebay && node tools/prebuild.mjs'], { env });
  place(join(project, prebuilt.slice(root.length)));
}

function bringArchives(work) {
  const { includes, folders } = chooseBlas();
  const inside = join(chroot, archives);
  rmSync(inside, { recursive: true, force: true });
  cpSync(includes[0], join(inside, 'include'), { recursive: true, dereference: true });
  copyFileSync(join(work, 'libforebay_kernels.a'), join(inside, 'libforebay_kernels.a'));
  copyFileSync(join(folders[0], 'libopenblas.a'), join(inside, 'libopenblas.a'));
  const facts = ['Name: openblas', 'Description: of the machine outside', 'Version: 0'];
  const flags = [`Cflags: -I${archives}/include`, `Libs: -L${archives} -lopenblas`];
  writeFileSync(join(inside, 'openblas.pc'), `${[...facts, ...flags].join('\n')}\n`);
}

const inModules = (name) => join('node_modules', name);

// ---- What came of it.

/** Throws unless the addon needs nothing but the C library, and Node of Node. */
export function assertSelfContained(file) {
  const { needed, imports } = symbolsOf(file);
  const ours = /^(libc|libm|libpthread|libdl|librt|ld-linux[-\w]*)\.so\.\d+$/;
  const strange = needed.filter((library) => !ours.test(library));
  if (strange.length > 0) throw new Error(`${file} needs ${strange.join(', ')}`);
  const beyond = imports.filter((name) => !/^napi_/.test(name));
  if (beyond.length > 0) throw new Error(`${file} takes from Node ${beyond.join(', ')}`);
}

/** Throws when the addon needs a newer glibc than `ceiling`. */
export function assertGlibc(file) {
  const { glibc } = symbolsOf(file);
  const late = [...glibc].filter(([, version]) => newest([version, ceiling]) !== ceiling);
  if (late.length === 0) return newest([...glibc.values()]);
  const names = late.map(([name, version]) => `${name} (${version})`).join(', ');
  throw new Error(`${file} needs a glibc newer than ${ceiling}: ${names}`);
}

/** Throws unless OpenBLAS, inside, has the kernels of all processors and no OpenMP. */
function assertBlas(file) {
  const { library, core } = require(file).describe().blas;
  if (!library.includes('DYNAMIC_ARCH') || library.includes('USE_OPENMP')) {
    throw new Error(`${file} has an OpenBLAS of the wrong kind: ${library}`);
  }
  return `${library.trim()}; here it chooses ${core}`;
}

function check(published) {
  if (!existsSync(prebuilt)) throw new Error(`there is no ${prebuilt}: npm run prebuild`);
  const size = (statSync(prebuilt).size / 1e6).toFixed(1);
  console.log(`${prebuilt.slice(root.length)}: ${size} MB`);
  if (process.platform !== 'linux') return;
  assertSelfContained(prebuilt);
  const needs = published ? assertGlibc(prebuilt) : newest([...symbolsOf(prebuilt).glibc.values()]);
  console.log(`glibc ${needs} or later`);
  console.log(assertBlas(prebuilt));
}

/**
 * npm takes a script named prebuild for one to be run before `build`, too, where there is nothing to do.
 * Only the title of the npm that started us tells the one from the other.
 */
function beforeBuild() {
  if (process.env.npm_lifecycle_event !== 'prebuild' || process.platform !== 'linux') return false;
  for (let pid = process.ppid; pid > 1; ) {
    const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    if (/^npm (run|run-script|rum|urn) build\b/.test(title)) return true;
    // pid (command) state parent …
    pid = Number(/^\d+ \(.*\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  }
  return false;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && !beforeBuild()) {
  process.chdir(root);
  const published = process.argv.includes('--release') || process.argv.includes('--check');
  if (process.argv.includes('--release')) release();
  else if (!published) build();
  check(published);
}
