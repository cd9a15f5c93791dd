// Cross-compiles native/kernels and native/program for 64-bit ARM, and runs their C++ tests in qemu-user.
//   node tools/aarch64.mjs           all tests, with fewer damaged programs. About six minutes, because qemu is slow
//   node tools/aarch64.mjs --short   the tests of a few files, for continuous integration
// Needs Debian's g++-aarch64-linux-gnu, qemu-user-static and doctest-dev. tools/aarch64-addon.mjs tests the package's
// addon for ARM.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { crossBuild, work } from './cross.mjs';

/** The test files of --short. The other files take long, because they test the same code with many random inputs. */
const short = process.argv.includes('--short')
  ? ['bodies', 'elementwise', 'cast', 'map', 'reduce', 'program_run']
  : [];

/** Builds the C++ tests. @returns the path of the executable */
function build() {
  // Only the folder of doctest is copied. It has only headers, which are the same for all processors. Other headers in
  // /usr/include are for the processor of this machine.
  const header = ['/usr/include', '/usr/local/include']
    .map((folder) => join(folder, 'doctest'))
    .find((folder) => existsSync(folder));
  if (header === undefined) throw new Error('doctest is missing: apt-get install doctest-dev');
  cpSync(header, join(work, 'include/doctest'), { recursive: true });
  const folder = crossBuild('forebay_tests', [
    ...['-DFOREBAY_TESTS=ON', '-DFOREBAY_STATIC_TESTS=ON'],
    `-DDOCTEST_INCLUDE=${join(work, 'include')}`,
    `-DFOREBAY_TEST_FILES=${short.join(';')}`,
  ]);
  return join(folder, 'forebay_tests');
}

const tests = build();
const env = { FOREBAY_FUZZ: '2000', ...process.env };
// With this option, the emulator uses the C and C++ libraries of the cross compiler.
const libraries = ['-L', '/usr/aarch64-linux-gnu'];
execFileSync('qemu-aarch64-static', [...libraries, tests, '--no-colors=true'], {
  env,
  stdio: ['ignore', 'inherit', 'inherit'],
});
