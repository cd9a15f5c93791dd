// The kernels and programs on 64-bit ARM: cross-compiled, and their C++ tests run by qemu-user.
//   node tools/aarch64.mjs           all tests, with fewer damaged programs: some six minutes, for qemu is slow
//   node tools/aarch64.mjs --short   those of one file a family, for CI
// It needs Debian's g++-aarch64-linux-gnu, qemu-user-static and doctest-dev. The addon that the package carries
// for ARM is run by tools/aarch64-addon.mjs.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { crossBuild, work } from './cross.mjs';

/** Builds the C++ tests. @returns their file */
function build() {
  // Only headers, the same for all machines; /usr/include itself is this machine's.
  const header = ['/usr/include', '/usr/local/include']
    .map((folder) => join(folder, 'doctest'))
    .find((folder) => existsSync(folder));
  if (header === undefined) throw new Error('doctest is missing: apt-get install doctest-dev');
  cpSync(header, join(work, 'include/doctest'), { recursive: true });
  const folder = crossBuild('forebay_tests', [
    ...['-DFOREBAY_TESTS=ON', '-DFOREBAY_STATIC_TESTS=ON'],
    `-DDOCTEST_INCLUDE=${join(work, 'include')}`,
  ]);
  return join(folder, 'forebay_tests');
}

const tests = build();
/** A family's kernels each, and programs of them: what is long is random tries of the same. */
const some = ['bodies', 'elementwise', 'map', 'reduce', 'program_run'];
const files = some.map((name) => `*/${name}_test.cc`).join();
const short = process.argv.includes('--short') ? [`--source-file=${files}`] : [];
const env = { FOREBAY_FUZZ: '2000', ...process.env };
// The C and C++ libraries are the cross compiler's.
const libraries = ['-L', '/usr/aarch64-linux-gnu'];
execFileSync('qemu-aarch64-static', [...libraries, tests, '--no-colors=true', ...short], {
  env,
  stdio: ['ignore', 'inherit', 'inherit'],
});
