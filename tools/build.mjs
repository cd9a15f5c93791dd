// Builds the parts of forebay that changed:
//   node tools/build.mjs           both `native` and `ts`
//   node tools/build.mjs native    the addon, by CMake through cmake-js, into build/Release/forebay.node
//   node tools/build.mjs ts        dist/, by tsc, and the command in dist/cli, by tools/bundle.mjs
//   node tools/build.mjs failing   the addon, and a second one in .cmake/failing, whose allocations tests can make fail
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

/** Runs a script of an installed npm package with this Node, and shows its output. @returns true if it succeeded */
const run = (script, ...args) =>
  spawnSync(process.execPath, [join('node_modules', script), ...args], { stdio: 'inherit' })
    .status === 0;

// CMake does not work in build/, because node-gyp uses that folder and would overwrite the makefiles of CMake. After
// that, CMake would build nothing.
const work = '.cmake/dev/build';
const addon = 'build/Release/forebay.node';

function native() {
  // If CMake fails to configure, for example because OpenBLAS is missing, it leaves an incomplete cache, which cmake-js
  // would use as if it were complete. So the folder is deleted.
  const configured = ['build.ninja', 'Makefile'].some((file) => existsSync(join(work, file)));
  if (!configured) rmSync(work, { recursive: true, force: true });
  const options = ['--out', work, '--parallel', availableParallelism(), '--log-level', 'warn'];
  if (!run('cmake-js/bin/cmake-js', 'build', ...options)) return false;
  // The copy is renamed to its final name, because overwriting a file that a running process has mapped would crash the
  // process.
  mkdirSync('build/Release', { recursive: true });
  copyFileSync(join(work, 'Release/forebay.node'), `${addon}.new`);
  renameSync(`${addon}.new`, addon);
  return true;
}

function failing() {
  if (!native()) return false;
  const command = ['--build', work, '--target', 'forebay_failing'];
  return spawnSync('cmake', command, { stdio: 'inherit' }).status === 0;
}

async function ts() {
  // Deletes the output of modules that no longer exist. tsc does not delete it, so it would get into the tarball.
  for (const file of existsSync('dist') ? readdirSync('dist', { recursive: true }) : []) {
    if (file.split(sep)[0] === 'cli' || file.endsWith('.mts') || file.endsWith('.mjs')) continue;
    const source = join('src', file.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts'));
    if (source.endsWith('.ts') && !existsSync(source)) rmSync(join('dist', file));
  }
  // tsc keeps its record of the last run in dist/, so that it writes all files again if dist/ was deleted.
  const incremental = ['--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo'];
  if (!run('typescript/bin/tsc', '-p', 'tsconfig.build.json', ...incremental)) return false;
  takeBuiltins();
  moduleTypes();
  wrappers();
  await bundle();
  return true;
}

/**
 * Replaces each `require("node:…")` in dist/ by `process.getBuiltinModule("node:…")`. If a user bundles forebay into an
 * ES module, esbuild turns such a `require` into a call that throws, so that importing the bundle would fail. The
 * `require('path')` of src/native/locate.ts is kept, because it is called later, and may fail.
 */
function takeBuiltins() {
  for (const name of readdirSync('dist', { recursive: true })) {
    const file = join('dist', name);
    if (!file.endsWith('.js') || ['cli', 'report'].includes(name.split(sep)[0])) continue;
    const text = readFileSync(file, 'utf8');
    const taken = text.replace(/\brequire\(("node:[\w/]+")\)/g, 'process.getBuiltinModule($1)');
    if (taken !== text) writeFileSync(file, taken);
  }
}

/**
 * Copies the package.json files that set the type of the modules: CommonJS for the library, ES modules for src/report.
 * For each module, Node reads the nearest package.json.
 */
function moduleTypes() {
  for (const room of ['.', 'report']) {
    copyFileSync(join('src', room, 'package.json'), join('dist', room, 'package.json'));
  }
}

/**
 * Writes a wrapper dist/NAME.mjs, and its types, for each entry point of package.json. The wrapper only exports the
 * names of dist/NAME.js, so `import` and `require` give the same classes. It lists the names one by one, because tools
 * that read modules without running them cannot resolve `export *` from a CommonJS module.
 */
function wrappers() {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
  const head = '// Written by tools/build.mjs.\n';
  for (const { import: imported, require: required } of Object.values(exports)) {
    if (imported === undefined) continue;
    const target = `./${basename(required.default)}`;
    const names = Object.keys(createRequire(import.meta.url)(resolve(required.default))).sort();
    writeFileSync(
      imported.default,
      `${head}export {\n  ${names.join(',\n  ')},\n} from '${target}';\n`,
    );
    writeFileSync(imported.types, `${head}export * from '${target}';\n`);
  }
}

const steps = { native, ts, failing };
const wanted = process.argv[2] ? [process.argv[2]] : ['native', 'ts'];
for (const name of wanted) {
  if (await steps[name]()) continue;
  process.exitCode = 1;
  break;
}
