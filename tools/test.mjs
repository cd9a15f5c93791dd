// Runs all checks: `node tools/test.mjs`, or only the suites whose names contain one of the given words
// (`node tools/test.mjs lint`). A suite has a name, a shell command and a function that counts its tests. The suites
// run one after another, but adjacent suites that are marked `beside` run concurrently. If a suite fails, its output is
// shown, and the other suites still run. The last line is "N passed, N failed", the sum over all suites. The exit
// status is 0 only if no test failed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { examples } from './examples.mjs';
import { missing as missingForFuzzing } from './fuzz.mjs';
import { guides } from './guides.mjs';
import { installed } from './install.mjs';
import { tarball } from './package.mjs';
import { promiseNames } from './proof/process.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);
/** The processes of the running suites. */
const children = new Set();
/** Kills the process of a suite, and all processes that it started. */
function kill(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The process has not started, or has just ended.
  }
}
// Even if this script itself fails, its last line must have the form "N passed, N failed".
process.on('uncaughtException', (error) => {
  console.error(error);
  children.forEach(kill);
  console.log('0 passed, 1 failed');
  process.exit(1);
});

const reports = '.cmake/reports';
const jobs = availableParallelism();
const minutes = 60_000;

// ---- Functions that count the tests of a suite. The arguments are its output, and whether it succeeded. They return
// [passed, failed].

/** Counts the whole suite as one test, such as a build. */
const asOne = (_output, ok) => (ok ? [1, 0] : [0, 1]);

/** Reads the counts from the last line of the output, "N passed, N failed". */
const fromLastLine = (output) => {
  const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(output) ?? [];
  return [Number(passed ?? 0), Number(failed ?? 0)];
};

const fromDoctest = (output) => {
  const line = /test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed/.exec(output);
  return line ? [Number(line[1]), Number(line[2])] : [0, 0];
};

/** Marks suites that keep only one core busy and measure no time, so that several can run concurrently. */
const beside = (...list) => list.map((suite) => ({ ...suite, beside: true }));

/** Returns a suite of TypeScript tests. Its tests are counted from the JSON report of vitest. */
const vitest = (name, filter = '', env = {}) => {
  const report = `${reports}/${name.replace(/\W+/g, '-')}.json`;
  const command = `vitest run ${filter} --reporter=default --reporter=json --outputFile.json=${report}`;
  const count = () => {
    if (!existsSync(report)) return [0, 0];
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
    return [numPassedTests, numFailedTests];
  };
  return { name, command, count, env };
};

/** Returns the names of the kernel bodies (a body is compiled for one instruction set) that this machine can run. */
function simdBodies() {
  const ask = "require('./build/Release/forebay.node').describe().simd.available.join()";
  const { status, stdout } = spawnSync(process.execPath, ['-p', ask], { encoding: 'utf8' });
  // If the addon cannot be loaded, only one suite is made. It fails and shows the reason.
  return status === 0 ? stdout.trim().split(',') : ['portable'];
}

/** Returns the command that configures a CMake build of the C++ tests, without the addon. */
const configure = (folder, options) =>
  `cmake -S . -B ${folder} -DFOREBAY_TESTS=ON -DFOREBAY_ADDON=OFF ${options}`;
const cpp = (name, folder, options, env = {}) => ({
  name,
  command: [
    configure(folder, options),
    `cmake --build ${folder} --parallel ${jobs}`,
    `${folder}/forebay_tests --no-colors=true`,
  ].join(' && '),
  count: fromDoctest,
  env,
  beside: true,
});

// ---- The needs of a suite. A need is a command, or an object with a condition. If the machine lacks one, the suite is
// left out.

const isThere = (need) =>
  need.title === undefined ? !spawnSync(need, ['--version']).error : need.try();

const fuzzer = {
  title: 'clang-14 with libFuzzer',
  try: () => missingForFuzzing() === undefined,
};

// ---- The suites.

// The kernels and programs of the addon have the same options, so they are linked instead of compiled once more.
const release = [
  '.cmake/test/build',
  `-DCMAKE_BUILD_TYPE=Release -DFOREBAY_LIBRARIES=${resolve('.cmake/dev/build')}`,
];
/** A folder that is only configured: clang-tidy reads from it how each file is compiled. */
const tidy = '.cmake/tidy';
const sanitized = [
  '.cmake/asan/build',
  '-DCMAKE_BUILD_TYPE=RelWithDebInfo -DFOREBAY_SANITIZE=address,undefined',
];

/**
 * The tests of test/native that depend on how the kernels were compiled. The other tests are on processes and threads.
 */
const kernelTests = ['arguments', 'handshake', 'numbers', 'parts', 'program']
  .map((name) => `test/native/${name}`)
  .join(' ');

// Promises whose short proof is already a part of other suites.
const suitesOfTheirOwn = ['damaged-programs', 'install', 'sanitizers', 'situations'];
const promises = promiseNames().filter((name) => !suitesOfTheirOwn.includes(name));

const promise = (name) => ({
  name: `promise: ${name}`,
  command: `node tools/prove.mjs --short ${name}`,
  ...(name === 'fuzzing' ? { needs: fuzzer } : {}),
  // Two promises must run alone: 'event-loop' measures time, and 'workers' builds the same addon as another promise.
  beside: name !== 'event-loop' && name !== 'workers',
});

/** A pattern of the lines of output that are shown even if nothing failed. */
const coverage = /^coverage of .*/gm;
const typescript = vitest('TypeScript', '--coverage');

const suites = [
  ...beside(
    { name: 'lint: types', command: 'tsc -p tsconfig.json' },
    // Checks the reference of `npm run docs`, but does not write it. A warning is a failure.
    { name: 'lint: reference', command: 'typedoc --emit none' },
    { name: 'lint: guides', command: 'node tools/guides.mjs --types' },
    { name: 'lint: biome', command: 'biome ci --colors=off --error-on-warnings .' },
    {
      name: 'lint: clang-format',
      needs: 'clang-format-14',
      command: 'node tools/clang-format.mjs --check',
    },
  ),
  {
    name: 'lint: clang-tidy',
    needs: 'clang-tidy-14',
    command: `${configure(tidy, '-DCMAKE_BUILD_TYPE=Release')} && ls native/kernels/*.cc native/program/*.cc native/routines/*.cc | xargs -P ${jobs} -n 1 clang-tidy-14 -p ${tidy} --quiet --warnings-as-errors='*'`,
  },
  {
    ...typescript,
    command: `${typescript.command} && node tools/coverage.mjs typescript`,
    shows: coverage,
  },
  ...simdBodies().map((body) => vitest(`kernels, ${body}`, kernelTests, { FOREBAY_SIMD: body })),
  // The tarball with a binary is packed once, and installed in several situations.
  { name: 'package: prebuilt binary', command: 'node tools/prebuild.mjs' },
  { name: 'package: contents', command: 'node tools/package.mjs' },
  { name: 'package: publint', command: `publint run --strict ${tarball}` },
  { name: 'package: types, by attw', command: `attw ${tarball}` },
  { name: 'install: prebuilt', command: 'node tools/install.mjs prebuilt' },
  { name: 'install: from source', command: 'node tools/install.mjs source' },
  { name: 'install: into a cache', command: 'node tools/install.mjs readonly' },
  { name: 'install: OpenBLAS missing', command: 'node tools/install.mjs missing' },
  vitest('kernels, built by node-gyp', kernelTests, {
    FOREBAY_ADDON: `${installed('source')}/build/Release/forebay.node`,
  }),
  ...beside(
    // Installs about 250 MB of tools from npm, once. `npm run prove situations` tries all situations.
    { name: 'situations', command: 'node tools/situations.mjs --short', count: fromLastLine },
    { name: 'install: types', command: 'node tools/install.mjs types' },
    // Installs 40 MB from npm, once. `npm run check:nodes` tests all lines.
    { name: 'another Node', command: 'node tools/node-lines.mjs 24' },
    ...examples().map((file) => ({
      name: `example ${file}`,
      command: `node tools/examples.mjs ${file}`,
    })),
    ...guides().map((file) => ({
      name: `guide ${file}`,
      command: `node tools/guides.mjs ${file}`,
    })),
  ),
  ...promises.map(promise).filter((suite) => !suite.beside),
  // The following suites keep only about one core busy after their builds, so several can run concurrently.
  cpp('C++ under ASAN and UBSAN', ...sanitized, { UBSAN_OPTIONS: 'print_stacktrace=1' }),
  cpp('C++', ...release),
  {
    name: 'C++ on aarch64',
    needs: ['aarch64-linux-gnu-g++', 'qemu-aarch64-static'],
    command: 'node tools/aarch64.mjs --short',
    count: fromDoctest,
    beside: true,
  },
  {
    name: 'the addon on aarch64',
    needs: ['aarch64-linux-gnu-g++', 'qemu-aarch64-static'],
    command: 'node tools/aarch64-addon.mjs --short',
    count: fromLastLine,
    beside: true,
  },
  {
    name: 'coverage: C++',
    needs: 'gcovr',
    command: 'node tools/coverage.mjs native',
    shows: coverage,
    beside: true,
  },
  ...promises.map(promise).filter((suite) => suite.beside),
];

// ---- Running them.

/** Runs a suite. Resolves to its counts and its output. A suite that exceeds the time limit is stopped, and fails. */
function run({ command, env = {}, count = asOne, beside: concurrent = false }) {
  const limit = concurrent ? 20 : 15;
  return new Promise((done) => {
    const child = spawn('sh', ['-c', command], {
      env: {
        ...process.env,
        ...env,
        NO_COLOR: '1',
        PATH: resolve('node_modules/.bin') + delimiter + process.env.PATH,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    const timer = setTimeout(() => {
      output += `\nstopped after ${limit} minutes\n`;
      kill(child);
    }, limit * minutes);
    children.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('close', (status) => {
      clearTimeout(timer);
      children.delete(child);
      let [passed, failed] = count(output, status === 0);
      // If a suite ends before its tests are counted, or tests nothing, it has failed.
      if (failed === 0 && (status !== 0 || passed === 0)) failed = 1;
      done({ passed, failed, output });
    });
  });
}

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });

const words = process.argv.slice(2);
const chosen = suites.filter(
  ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
);
const total = { passed: 0, failed: 0 };

async function perform(suite) {
  // A suite is left out if its tools are missing. Some tools do not exist on every system, so `./setup test` could not
  // install them.
  const lacking = [suite.needs ?? []].flat().filter((need) => !isThere(need));
  if (lacking.length > 0) {
    const names = lacking.map((need) => need.title ?? need).join(', ');
    console.log(`          ${suite.name}: left out, because this machine has no ${names}`);
    return;
  }
  const start = performance.now();
  const { passed, failed, output } = await run(suite);
  const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(6);
  if (failed > 0) console.log(`\n---- ${suite.name}: ${suite.command}\n${output}----`);
  console.log(`${seconds} s  ${suite.name}: ${passed} passed, ${failed} failed`);
  const shown = failed === 0 && suite.shows ? output.matchAll(suite.shows) : [];
  for (const [line] of shown) console.log(`          ${line}`);
  total.passed += passed;
  total.failed += failed;
}

// Suites marked `beside` run concurrently: as many as there are cores, but at most four, because each of them also
// builds with as many compilers as there are cores. All other suites run alone.
const most = Math.min(jobs, 4);
const running = new Set();
for (const suite of chosen) {
  if (running.size >= (suite.beside ? most : 1)) {
    await (suite.beside ? Promise.race(running) : Promise.all(running));
  }
  const performing = perform(suite).finally(() => running.delete(performing));
  running.add(performing);
  if (!suite.beside) await performing;
}
await Promise.all(running);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
console.log(`${total.passed} passed, ${total.failed} failed`);
