// Builds what changed: the addon (CMake, through cmake-js) into build/Release/forebay.node, and dist/
// (tsc; the command in dist/cli by tools/bundle.mjs). `node tools/build.mjs [native|ts]`; without a word, both.
// `node tools/build.mjs failing` builds the addon whose allocations fail when they are told to, for tests, into
// .cmake/failing (FOREBAY_ADDON).
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

/** Runs one of our npm packages' programs on this very Node; its output is ours. */
const run = (script, ...args) =>
  spawnSync(process.execPath, [join('node_modules', script), ...args], { stdio: 'inherit' })
    .status === 0;

// Not build/: that is node-gyp's, which overwrites CMake's makefiles, after which CMake builds nothing.
const work = '.cmake/dev/build';
const addon = 'build/Release/forebay.node';

function native() {
  // A configuration that failed, for want of OpenBLAS say, leaves a cache that cmake-js takes for done.
  const configured = ['build.ninja', 'Makefile'].some((file) => existsSync(join(work, file)));
  if (!configured) rmSync(work, { recursive: true, force: true });
  const options = ['--out', work, '--parallel', availableParallelism(), '--log-level', 'warn'];
  if (!run('cmake-js/bin/cmake-js', 'build', ...options)) return false;
  // Renamed into place: writing over a file that a running process has mapped would crash it.
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
  // tsc never deletes: a module that was renamed would live on in dist/, and in the tarball.
  for (const file of existsSync('dist') ? readdirSync('dist', { recursive: true }) : []) {
    if (file.split(sep)[0] === 'cli' || file.endsWith('.mts') || file.endsWith('.mjs')) continue;
    const source = join('src', file.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts'));
    if (source.endsWith('.ts') && !existsSync(source)) rmSync(join('dist', file));
  }
  // What tsc knows of its last run lies in dist/ too: whoever deletes dist/ gets all of it again.
  const incremental = ['--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo'];
  if (!run('typescript/bin/tsc', '-p', 'tsconfig.build.json', ...incremental)) return false;
  takeBuiltins();
  moduleTypes();
  wrappers();
  await bundle();
  return true;
}

/**
 * Replaces the `require` of each import of one of Node's own modules in dist/ by `process.getBuiltinModule`. In a bundle
 * of ES modules, esbuild makes of such a `require` a call that throws, so that importing the bundle would fail.
 * The `require('path')` of src/native/locate.ts is no import and stays: it is called later, and may fail.
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

/** The library's own modules are CommonJS, the pictures' are not: Node reads the nearest package.json. */
function moduleTypes() {
  for (const room of ['.', 'report']) {
    copyFileSync(join('src', room, 'package.json'), join('dist', room, 'package.json'));
  }
}

/**
 * For each entry point of package.json, dist/NAME.mjs and its types: the names of dist/NAME.js, for `import`. It holds
 * nothing of its own, so a class that was imported and one that was required are the same. The names are listed one by
 * one: tools that read modules without running them do not see through `export *` of a CommonJS module.
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
