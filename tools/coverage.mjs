// Measures how many branches of the code the tests take: `npm run check:coverage [-- typescript | native]`.
//
//   typescript   for src/, reads the result of `vitest run --coverage`
//   native       for native/kernels, native/program and native/routines, builds the C++ tests with coverage and runs them
//
// Without an argument, runs vitest, and then measures both parts. Prints one line for each part, and the files in which
// the tests take less than 90 % of the branches. Fails if the coverage of a part is below its floor. The floors are
// low: only a change that leaves a lot of code untested fails.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

const floors = { typescript: 95, native: 75 };
const low = 90;
const summary = '.cmake/coverage/typescript/coverage-summary.json';
const folder = '.cmake/coverage/build';

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`);
}

/** Returns [file, branches taken, all branches] for each file of src/. */
function ofTypeScript() {
  const { total: _, ...files } = JSON.parse(readFileSync(summary, 'utf8'));
  return Object.entries(files)
    .map(([file, { branches }]) => [relative(root, file), branches.covered, branches.total])
    .filter(([file]) => file.startsWith('src/')); // bench/src matches the same pattern
}

/** Builds and runs the C++ tests. Returns [file, branches taken, all branches] for each file of the native part. */
function ofNative() {
  const configuration = ['-DFOREBAY_TESTS=ON', '-DFOREBAY_ADDON=OFF', '-DFOREBAY_COVERAGE=ON'];
  run('cmake', ['-S', '.', '-B', folder, '-DCMAKE_BUILD_TYPE=Debug', ...configuration]);
  run('cmake', ['--build', folder, '--parallel', String(availableParallelism())]);
  // The counts of an earlier run are deleted, because gcov would add to them.
  run('find', [folder, '-name', '*.gcda', '-delete']);
  // The tests that sweep over all numbers are left out. They are slow without compiler optimization, and take no branch
  // that the other tests do not take.
  const options = ['--no-colors=true', '-tce=*promised ulps*'];
  run(`${folder}/forebay_tests`, options, { FOREBAY_FUZZ: '5000' });
  const filters = ['kernels', 'program', 'routines'].flatMap((name) => [
    '--filter',
    `native/${name}/`,
  ]);
  // g++ adds a branch to every call that could throw. These branches are excluded, because no call in this code throws.
  const branches = ['--exclude-throw-branches', '--exclude-unreachable-branches'];
  const out = resolve('.cmake/coverage/native.json');
  run('gcovr', ['--root', '.', ...filters, ...branches, '--json-summary', out, folder]);
  return JSON.parse(readFileSync(out, 'utf8')).files.map((file) => [
    file.filename,
    file.branch_covered,
    file.branch_total,
  ]);
}

const percent = (taken, of) => (of === 0 ? 100 : (100 * taken) / of);
const sum = (list) => list.reduce((a, b) => a + b, 0);

function report(name, files) {
  const [taken, of] = [1, 2].map((column) => sum(files.map((row) => row[column])));
  const all = percent(taken, of);
  const lowest = files
    .map(([file, ...counts]) => [file, percent(...counts)])
    .filter(([, share]) => share < low)
    .sort(([, a], [, b]) => a - b)
    .map(([file, share]) => `${file} ${share.toFixed(0)} %`);
  const where = name === 'native' ? 'native/kernels, native/program and native/routines' : 'src';
  console.log(`coverage of ${where}: ${all.toFixed(1)} % of ${of} branches`);
  if (lowest.length > 0) console.log(`coverage of ${where}, below ${low} %: ${lowest.join(', ')}`);
  if (all < floors[name]) {
    console.log(`coverage of ${where} must be at least ${floors[name]} %`);
    process.exitCode = 1;
  }
}

const parts = { typescript: ofTypeScript, native: ofNative };
const [word] = process.argv.slice(2);
if (word !== undefined && !(word in parts)) {
  console.error(`unknown argument ${word}: expected [${Object.keys(parts).join(' | ')}]`);
  process.exit(2);
}
if (word === undefined)
  run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--coverage']);
for (const [name, files] of Object.entries(parts)) {
  if (word === undefined || word === name) report(name, files());
}
