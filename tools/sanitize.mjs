// Runs the tests under sanitizers: `npm run check:sanitize [-- PART …]`, where a PART is one of the names below. It
// fails if a report is about forebay. Known reports about other code are listed in tools/sanitize/*.txt, with reasons.
// tools/sanitize/reports.mjs decides whether a leak was caused by forebay.
//
//   address/C++      all C++ tests under ASAN, LSAN and UBSAN
//   address/vitest   all tests in TypeScript, with an addon built with these sanitizers
//   threads/C++      all C++ tests under TSAN
//   threads/vitest   the tests in TypeScript that run programs off the JavaScript thread, under TSAN
//
// It takes twenty to forty minutes on two cores.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isOurs, reportsIn, unanswered } from './sanitize/reports.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

const reports = resolve('.cmake/reports/sanitize');
const suppressions = (file) =>
  `suppressions=${resolve('tools/sanitize', file)}:print_suppressions=0`;

/**
 * Returns the options that set the files of the reports. `log_exe_name` adds the name of the program to the file name.
 */
const logs = (part) => `log_path=${reports}/${part.replace('/', '-')}:log_exe_name=1`;

const kinds = {
  address: {
    folder: '.cmake/asan/build',
    sanitizers: 'address,undefined',
    library: 'libasan.so',
    // This script finds leaks in the reports. A leak must not change the exit status of a process (exitcode=0), because
    // some tests check the exit status.
    options: (part) => ({
      // An allocation that is too large must return null instead of ending the process, because tests request such
      // allocations. ASAN keeps freed memory for a while. This quarantine is small, because tests measure memory.
      ASAN_OPTIONS: `${logs(part)}:allocator_may_return_null=1:quarantine_size_mb=16`,
      LSAN_OPTIONS: `${suppressions('leaks.txt')}:exitcode=0`,
      UBSAN_OPTIONS: `${logs(part)}:print_stacktrace=1`,
    }),
    // The number of damaged programs. The proof 'damaged-programs' runs more of them.
    fuzz: '100000',
    tests: [],
  },
  threads: {
    folder: '.cmake/tsan/build',
    sanitizers: 'thread',
    library: 'libtsan.so',
    options: (part) => ({
      // Node and OpenBLAS are not built with TSAN, so TSAN does not notice their locks and would report false races.
      TSAN_OPTIONS: `${logs(part)}:${suppressions('races.txt')}:allocator_may_return_null=1:ignore_noninstrumented_modules=1`,
    }),
    fuzz: '3000',
    tests: ['test/native', 'test/compile/program-async', 'test/train'],
  },
};

const passes = (command, args, env = {}) =>
  spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } }).status === 0;

/** Builds the C++ tests and the addon with the sanitizers. */
function build({ folder, sanitizers }) {
  const options = ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DFOREBAY_TESTS=ON', '-DFOREBAY_ADDON=ON'];
  const built =
    passes('cmake', ['-S', '.', '-B', folder, ...options, `-DFOREBAY_SANITIZE=${sanitizers}`]) &&
    passes('cmake', ['--build', folder, '--parallel', String(availableParallelism())]);
  if (!built) return false;
  mkdirSync(`${folder}/addon/build/Release`, { recursive: true });
  const addon = `${folder}/addon/build/Release/forebay.node`;
  // The copy is renamed to its final name, because overwriting a file that a running process has mapped would crash the
  // process.
  copyFileSync(`${folder}/forebay.node`, `${addon}.new`);
  renameSync(`${addon}.new`, addon);
  return true;
}

/** Returns the path of a library of the compiler. The library of a sanitizer must be preloaded before Node starts. */
const library = (name) =>
  spawnSync('c++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();

const runs = {
  'C++': ({ folder, fuzz }, env) =>
    passes(`${folder}/forebay_tests`, ['--no-colors=true'], { ...env, FOREBAY_FUZZ: fuzz }),
  vitest: ({ folder, library: name, tests }, env) =>
    // vitest is not started by npx, because the sanitizer would be preloaded into npx, too. The time limits are high,
    // because a test takes ten times as long as usual.
    passes(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...tests, ...patience], {
      ...env,
      FOREBAY_ADDON: resolve(folder, 'addon/build/Release/forebay.node'),
      // libstdc++ is preloaded, too. The sanitizer looks for it at its start, but Node may not load it, because Node
      // may contain its own copy.
      LD_PRELOAD: `${library(name)} ${library('libstdc++.so.6')}`,
    }),
};
const patience = ['--testTimeout=600000', '--hookTimeout=600000', '--maxWorkers=2'];

/**
 * Returns the reports on Node and on the C++ tests. Reports on the shells and Pythons that tests start do not count.
 */
const written = (part) =>
  readdirSync(reports)
    .filter((file) => file.startsWith(`${part.replace('/', '-')}.`))
    .filter((file) =>
      ['node', 'forebay_tests', basename(process.execPath)].includes(file.split('.')[1]),
    )
    .map((file) => readFileSync(`${reports}/${file}`, 'utf8'));

const names = Object.keys(kinds).flatMap((kind) =>
  Object.keys(runs).map((run) => `${kind}/${run}`),
);
const words = process.argv.slice(2);
const unknown = words.filter((word) => !names.includes(word));
if (unknown.length > 0) {
  console.error(`unknown part ${unknown.join(', ')}: expected one of ${names.join(', ')}`);
  process.exit(2);
}
if (process.platform !== 'linux' || !existsSync(library('libasan.so'))) {
  console.error('this needs Linux and a g++ with its sanitizers (libasan, libtsan, libubsan)');
  process.exit(2);
}

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
let bad = 0;
const built = new Map();
for (const name of words.length > 0 ? words : names) {
  const [kind, run] = name.split('/');
  const how = kinds[kind];
  if (!built.has(kind)) built.set(kind, build(how));
  const passed = built.get(kind) && runs[run](how, how.options(name));
  const texts = written(name);
  const all = reportsIn(texts);
  const found = run === 'vitest' ? all.filter(isOurs) : all;
  for (const text of found) console.log(text);
  console.log(`sanitize ${name}: ${passed ? 'passed' : 'FAILED'}, ${found.length} reports`);
  const silent = unanswered(texts);
  if (silent > 0)
    console.log(`  in ${silent} processes LeakSanitizer stopped early: their leaks are unknown`);
  const others = all.length - found.length;
  if (others > 0) console.log(`  in ${others} processes Node leaked memory, and forebay none`);
  if (!passed || found.length > 0) bad++;
}
process.exitCode = bad === 0 ? 0 : 1;
