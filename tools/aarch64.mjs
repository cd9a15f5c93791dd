// The kernels and programs on 64-bit ARM: cross-compiled, and their C++ tests run by qemu-user.
//   node tools/aarch64.mjs           all tests, with fewer damaged programs: some six minutes, for qemu is slow
//   node tools/aarch64.mjs --short   those of one file a family, for CI
// It needs Debian's g++-aarch64-linux-gnu and qemu-user-static, and its own copy of OpenBLAS for ARM, which
// apt downloads into a folder of ours: nothing is installed, and the machine's own lists stay as they are.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const work = resolve('.cmake/aarch64');
const sysroot = join(work, 'root');

const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });

/** Debian's OpenBLAS for ARM, from the archives that this machine's apt knows. */
function fetchOpenblas() {
  if (existsSync(sysroot)) return;
  const apt = join(work, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(apt, folder), { recursive: true });
  }
  const options = [
    ...['APT::Architecture=arm64', 'APT::Architectures=arm64', 'APT::Sandbox::User=root'],
    ...[
      `Dir::State::Lists=${apt}/lists`,
      `Dir::Cache=${apt}/cache`,
      'Dir::State::Status=/dev/null',
    ],
  ].flatMap((option) => ['-o', option]);
  const cwd = apt;
  run('apt-get', [...options, '-q', 'update'], { cwd });
  run('apt-get', [...options, '-q', 'download', 'libopenblas-pthread-dev'], { cwd });
  const [archive] = readdirSync(apt).filter((file) => file.endsWith('.deb'));
  rmSync(`${sysroot}.new`, { recursive: true, force: true });
  run('dpkg', ['-x', join(apt, archive), `${sysroot}.new`]);
  renameSync(`${sysroot}.new`, sysroot);
}

function build() {
  // Only headers, the same for all machines; /usr/include itself is this machine's.
  const header = ['/usr/include', '/usr/local/include']
    .map((folder) => join(folder, 'doctest'))
    .find((folder) => existsSync(folder));
  if (header === undefined) throw new Error('doctest is missing: apt-get install doctest-dev');
  cpSync(header, join(work, 'include/doctest'), { recursive: true });
  const libraries = join(sysroot, 'usr/lib/aarch64-linux-gnu/openblas-pthread');
  const env = {
    ...process.env,
    PKG_CONFIG_LIBDIR: join(libraries, 'pkgconfig'),
    PKG_CONFIG_SYSROOT_DIR: sysroot,
  };
  const options = [
    '-DCMAKE_TOOLCHAIN_FILE=tools/aarch64.cmake',
    '-DCMAKE_BUILD_TYPE=Release',
    ...['-DFOREBAY_ADDON=OFF', '-DFOREBAY_TESTS=ON', '-DFOREBAY_STATIC_TESTS=ON', '-Wno-dev'],
    `-DDOCTEST_INCLUDE=${join(work, 'include')}`,
  ];
  const folder = join(work, 'build');
  run('cmake', ['-S', '.', '-B', folder, ...options], { env });
  run('cmake', ['--build', folder, '--parallel', String(availableParallelism())], { env });
  return join(folder, 'forebay_tests');
}

fetchOpenblas();
const tests = build();
/** A family's kernels each, and programs of them: what is long is random tries of the same. */
const some = ['bodies', 'elementwise', 'map', 'reduce', 'program_run'];
const files = some.map((name) => `*/${name}_test.cc`).join();
const short = process.argv.includes('--short') ? [`--source-file=${files}`] : [];
const env = { FOREBAY_FUZZ: '2000', ...process.env };
// The C and C++ libraries are the cross compiler's.
const libraries = ['-L', '/usr/aarch64-linux-gnu'];
run('qemu-aarch64-static', [...libraries, tests, '--no-colors=true', ...short], { env });
